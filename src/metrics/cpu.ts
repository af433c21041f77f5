import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/** CPU time used so far, in microseconds. */
export interface CpuUsage {
  userUs: number
  systemUs: number
}

/** Linux counts the times in /proc/…/stat in ticks of 1/100 s for user space, on every architecture (USER_HZ). */
export const TICK_US = 10_000

/**
 * CPU time of this role so far: of the whole process on its main thread, of this thread alone in a worker.
 * null where the system does not report a thread's share (workers outside Linux on Node < 22.19).
 * A worker's figure is exact to the 10 ms tick of /proc/thread-self/stat where Node has no `threadCpuUsage()`; V8's
 * helper threads (garbage collection, compilation) count for a process and not for a worker.
 */
export function readCpuUsage (): CpuUsage | null {
  const usage = isMainThread
    ? process.cpuUsage()
    : (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage?.()
  if (usage !== undefined) return { userUs: usage.user, systemUs: usage.system }
  try {
    const stat = readFileSync('/proc/thread-self/stat', 'latin1')
    // Fields after the command name, which stands in parentheses and may hold spaces: utime is field 14, stime 15
    // (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { userUs: Number(fields[11]) * TICK_US, systemUs: Number(fields[12]) * TICK_US }
  } catch {
    return null
  }
}

export function cpuSince (now: CpuUsage | null, before: CpuUsage | null): CpuUsage | null {
  return now === null || before === null
    ? null
    : { userUs: now.userUs - before.userUs, systemUs: now.systemUs - before.systemUs }
}
