import {
  accessSync, chmodSync, constants, lstatSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Gives a file new content in one step: until it is whole, and where it cannot be written, the old content stays.
 * Through links,
 * with the mode that the file has. What is no ordinary file (a pipe, a terminal, /dev/fd/3) is written to as it is.
 * Throws
 * the system's error.
 */
export function replaceFile (file: string, content: string | Uint8Array): void {
  const target = placeOf(file)
  if (target === null) return writeFileSync(file, content, { flag: isOrdinary(file) ? 'w' : 'a' })
  const part = `${target}.part`
  const mode = statSync(target, { throwIfNoEntry: false })?.mode
  try {
    writeFileSync(part, content)
    if (mode !== undefined) chmodSync(part, mode & 0o7777)
    renameSync(part, target)
  } catch (error) {
    tryUnlink(part)
    throw error
  }
}

/** Throws the system's error where `replaceFile()` could only fail. Changes nothing. */
export function checkReplaceable (file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) throw Object.assign(new Error('EISDIR: it is a folder'), { code: 'EISDIR' })
  if (stat !== undefined) accessSync(file, constants.W_OK)
  const target = placeOf(file)
  if (target === null) return
  writeFileSync(`${target}.part`, '')
  tryUnlink(`${target}.part`)
}

/** The file that takes another one's place; null where none may. */
function placeOf (file: string): string | null {
  if (!isOrdinary(file)) return null
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink() === true) return placeOf(resolve(dirname(file), readlinkSync(file)))
  return stat === undefined || isWritable(dirname(resolve(file))) ? file : null
}

/** What stands for an open descriptor would no longer be that after a rename, even where a file is behind it. */
function isOrdinary (file: string): boolean {
  return !/^\/(dev|proc)\//.test(resolve(file)) && (statSync(file, { throwIfNoEntry: false })?.isFile() ?? true)
}

function isWritable (folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function tryUnlink (file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {} // a folder, say, which is not ours
}
