import { closeSync, openSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { Linux, type SystemCalls } from '../../native/system-calls.js'
import { systemError } from './system-error.js'

/**
 * Descriptors that live as long as their thread at most. Those of the main thread end with the process; a worker thread
 * that is terminated runs no code of ours, and Node closes then what was opened by `fs.open` in it (option
 * `trackUnmanagedFds` of `Worker`, on by default). So in a worker a descriptor made by a system call is moved to a
 * number that `fs.open` gave out. That costs three calls per connection.
 */
export function keepDescriptor (system: SystemCalls, fd: number): number {
  if (isMainThread) return fd
  let tracked = -1
  try {
    tracked = openSync('/dev/null', 'r')
    if (system.dup3(fd, tracked, Linux.O_CLOEXEC) < 0) throw systemError('dup3', system.errno())
    return tracked
  } catch (error) {
    if (tracked !== -1) closeSync(tracked)
    throw error
  } finally {
    system.close(fd)
  }
}

export function closeDescriptor (system: SystemCalls, fd: number): void {
  if (isMainThread) system.close(fd)
  else closeSync(fd)
}
