import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RunMetadata, RunOptions } from '../src/report/result.js'

/** The folder that holds package.json; compiled files lie in dist/modes. */
const PACKAGE_DIRECTORY = fileURLToPath(new URL('../..', import.meta.url))

const PACKAGES = ['uWebSockets.js', 'hdr-histogram-js', 'comlink', 'piscina', 'yargs']

export const PROGRAM = readPackage(PACKAGE_DIRECTORY)!

/** What a result has to say of where it comes from. */
export function collectMetadata (options: RunOptions, engine: string, server: string): RunMetadata {
  const cpus = os.cpus()
  return {
    program: { name: PROGRAM.name, version: PROGRAM.version, ...gitState() },
    machine: {
      cpuModel: cpus[0]?.model ?? 'unknown',
      cpus: cpus.length,
      memoryBytes: os.totalmem(),
      os: os.platform(),
      kernel: os.release(),
      arch: os.arch()
    },
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      uv: process.versions.uv,
      ...Object.fromEntries(PACKAGES.flatMap((name) => {
        const found = readPackage(`${PACKAGE_DIRECTORY}/node_modules/${name}`)
        return found === null ? [] : [[name, found.version]]
      }))
    },
    engine,
    server,
    options
  }
}

function readPackage (directory: string): { name: string, version: string } | null {
  const file = `${directory}/package.json`
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as { name: string, version: string } : null
}

/** The commit this program was built from and whether its tree differed from it; nulls outside a git checkout. */
function gitState (): { commit: string | null, dirty: boolean | null } {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: PACKAGE_DIRECTORY, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    // A package inside somebody else's repository must not report that repository's commit.
    if (git('rev-parse', '--show-prefix') !== '') return { commit: null, dirty: null }
    return { commit: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain') !== '' }
  } catch {
    return { commit: null, dirty: null }
  }
}
