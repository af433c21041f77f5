import { getSystemErrorName } from 'node:util'
import type { SystemCalls } from '../../native/system-calls.js'

/** A failed system call as Node would report it: `code` is the name of the errno (`ECONNREFUSED`). */
export function systemError (call: string, errno: number): NodeJS.ErrnoException {
  // An errno of 0 has no name: something failed, and the kernel noted no reason.
  const code = errno > 0 ? getSystemErrorName(-errno) : 'UNKNOWN'
  return Object.assign(new Error(`${call} ${code}`), { code, errno, syscall: call })
}

/** Returns what a call returned, and throws its errno as an error if that is -1. */
export function checked (system: SystemCalls, call: string, result: number): number {
  if (result < 0) throw systemError(call, system.errno())
  return result
}
