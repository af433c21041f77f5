import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { replaceFile } from '../system/replace-file.js'

/** Makes folders for results, and writes files into them whole. */

/**
 * Makes `<parent>/<UTC timestamp>`, for example `bench_results/2026-01-31T12-00-00Z`. Throws ERR_TUNNEL_USAGE where it
 * cannot.
 */
export function createResultsFolder (parent: string, startedAt: Date): string {
  const name = startedAt.toISOString().replace(/\.\d+Z$/, 'Z').replace(/:/g, '-')
  try {
    makeFolder(parent)
    for (let attempt = 1; ; attempt++) {
      const folder = join(parent, attempt === 1 ? name : `${name}-${attempt}`)
      if (tryMakeFolder(folder)) return folder
    }
  } catch (error) {
    throw new TunnelError(
      ErrorCode.USAGE,
      `Cannot write results to --out=${parent}: ${(error as Error).message}: name a folder that can be written`
    )
  }
}

/** Removes a folder in which nothing was written. */
export function removeEmptyFolder (folder: string): void {
  try {
    rmdirSync(folder)
  } catch {}
}

/**
 * Node's own `recursive` never returns where a file system answers ENOENT for a folder whose parent exists, as /proc
 * does.
 */
function makeFolder (folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(resolve(folder)))
  mkdirSync(folder)
}

function tryMakeFolder (folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * Writes files by name into a folder, which is made where it is missing. Throws ERR_TUNNEL_USAGE,
 * ERR_TUNNEL_RESULT_INVALID.
 */
export function writeFiles (folder: string, files: ReadonlyMap<string, string>): void {
  try {
    makeFolder(folder)
  } catch (error) {
    throw new TunnelError(
      ErrorCode.USAGE,
      `Cannot write to --out=${folder}: ${(error as Error).message}: name a folder that can be written`
    )
  }
  for (const [name, text] of files) writeFile(folder, name, text)
}

/** Makes a results folder of this very name. Throws ERR_TUNNEL_USAGE where it cannot, or where something is in it. */
export function createEmptyFolder (folder: string): void {
  writeFiles(folder, new Map())
  if (readdirSync(folder).length > 0) {
    throw new TunnelError(
      ErrorCode.USAGE,
      `Cannot write to --out=${folder}: there are files in it: name a folder that is new or empty`
    )
  }
}

export function writeFile (folder: string, name: string, text: string | Uint8Array): void {
  const file = join(folder, name)
  try {
    replaceFile(file, text)
  } catch (error) {
    throw new TunnelError(
      ErrorCode.RESULT_INVALID,
      `Cannot write ${file}: ${(error as Error).message}: make room, or make the folder writable`
    )
  }
}
