import type { SystemCalls } from '../result/run-result.js'

/** What to do where system calls could not be counted. */
export const COUNT_CURE =
  'install strace (apt-get install strace) and run where it may attach: as root, or with kernel.yama.ptrace_scope=0'

/** Of all these roles together. */
export function callsPerResponse (counted: readonly SystemCalls[]): number {
  return counted.reduce(
    (all, { responses, calls }) => all + Object.values(calls).reduce((sum, count) => sum + count, 0) / responses,
    0
  )
}
