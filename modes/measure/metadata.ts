import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RunMetadata } from '../../src/result/run-result.js'
import { CpuCgroup } from '../system/cpu-cgroup.js'

/** The folder that holds package.json; compiled files lie in dist/modes. */
const PACKAGE_DIRECTORY = fileURLToPath(new URL('../../..', import.meta.url))

const PACKAGES = ['uWebSockets.js', 'koffi', 'hdr-histogram-js', 'comlink', 'piscina', 'yargs']

export const PROGRAM = readPackage(PACKAGE_DIRECTORY)!

/** What a result has to say of where it comes from. */
export function collectMetadata<Options> (
  options: Options, engine: string, server: string, cgroup = new CpuCgroup()
): RunMetadata<Options> {
  const cpus = os.cpus()
  const cpuQuota = cgroup.quota()
  return {
    program: { name: PROGRAM.name, version: PROGRAM.version, ...gitState(PACKAGE_DIRECTORY) },
    machine: {
      cpuModel: cpus[0]?.model ?? 'unknown',
      cpus: cpus.length,
      usableCpus: Math.min(os.availableParallelism(), cpuQuota ?? Infinity),
      cpuQuota,
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
        const version = versionOf(name)
        return version === null ? [] : [[name, version]]
      }))
    },
    engine,
    server,
    options
  }
}

/** Of the copy that this program loads, which a package manager may have placed in any folder above. */
function versionOf (name: string): string | null {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  return folders.map((folder) => readPackage(`${folder}/${name}`)).find((found) => found !== null)?.version ?? null
}

function readPackage (directory: string): { name: string, version: string } | null {
  const file = `${directory}/package.json`
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as { name: string, version: string } : null
}

/**
 * The commit checked out at `directory` and whether the tree differs from it; nulls where `directory` is not the top of
 * a git checkout.
 */
export function gitState (directory: string): { commit: string | null, dirty: boolean | null } {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    // A package inside somebody else's repository must not report that repository's commit.
    if (git('rev-parse', '--show-prefix') !== '') return { commit: null, dirty: null }
    return { commit: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain') !== '' }
  } catch {
    return { commit: null, dirty: null }
  }
}
