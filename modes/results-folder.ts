import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { ohaFileName, renderOha } from '../src/report/oha.js'
import { readRunResult } from '../src/report/read-result.js'
import type { RunResult } from '../src/report/result.js'
import { renderSummary } from '../src/report/summary.js'

const RESULT_FILE = 'result.json'

/** Makes `<parent>/<UTC timestamp>`, for example `bench_results/2026-01-31T12-00-00Z`. Throws ERR_TUNNEL_USAGE where it cannot. */
export function createResultsFolder (parent: string, startedAt: Date): string {
  const name = startedAt.toISOString().replace(/\.\d+Z$/, 'Z').replace(/:/g, '-')
  try {
    makeFolder(parent)
    for (let attempt = 1; ; attempt++) {
      const folder = join(parent, attempt === 1 ? name : `${name}-${attempt}`)
      if (tryMakeFolder(folder)) return folder
    }
  } catch (error) {
    throw new TunnelError(ErrorCode.USAGE, `Cannot write results to --out=${parent}: ${(error as Error).message}: name a folder that can be written`)
  }
}

/** Removes a folder in which nothing was written. */
export function removeEmptyFolder (folder: string): void {
  try {
    rmdirSync(folder)
  } catch {}
}

/** Writes everything a run found so far. Each file is replaced whole, so a run that is killed leaves the last complete state. Throws ERR_TUNNEL_RESULT_INVALID. */
export function writeResults (folder: string, result: RunResult): void {
  writeFile(folder, 'metadata.json', toJson(result.metadata))
  writeFile(folder, RESULT_FILE, toJson(result))
  renderFolder(folder, result)
}

/** Writes what can be made from the result alone. Throws ERR_TUNNEL_RESULT_INVALID. */
export function renderFolder (folder: string, result: RunResult): void {
  writeFile(folder, 'SUMMARY.md', renderSummary(result))
  for (const cell of result.cells) {
    if (cell.rounds.length > 0) writeFile(folder, ohaFileName(cell), renderOha(cell))
  }
}

/** Throws ERR_TUNNEL_RESULT_INVALID. */
export function readResults (folder: string): RunResult {
  const file = join(folder, RESULT_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new TunnelError(ErrorCode.RESULT_INVALID, `Cannot read ${file}: ${(error as Error).message}: name a folder that a run has written`)
  }
  return readRunResult(text)
}

/** With its parents. Not by `recursive: true`: there Node tries for ever where a parent exists and takes no children, such as /proc. */
function makeFolder (folder: string): void {
  try {
    mkdirSync(folder)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' && dirname(folder) !== folder) {
      makeFolder(dirname(folder))
      mkdirSync(folder)
    } else if (code !== 'EEXIST') {
      throw error
    }
  }
}

function tryMakeFolder (folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function writeFile (folder: string, name: string, text: string): void {
  const file = join(folder, name)
  try {
    writeFileSync(`${file}.part`, text)
    renameSync(`${file}.part`, file)
  } catch (error) {
    rmSync(`${file}.part`, { force: true })
    throw new TunnelError(ErrorCode.RESULT_INVALID, `Cannot write ${file}: ${(error as Error).message}: make room, or make the folder writable`)
  }
}

function toJson (value: unknown): string {
  return JSON.stringify(value, null, 2) + '\n'
}

function codeOf (error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
