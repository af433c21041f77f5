import { performance } from 'node:perf_hooks'

export const SECOND_NS = 1e9

/**
 * Nanoseconds since this thread started, as an integer. Monotonic. Two threads or processes never share this zero:
 * take both ends of a latency in one thread.
 */
export function nowNs (): number {
  return Math.round(performance.now() * 1e6)
}

/**
 * Milliseconds on the machine's monotonic clock (CLOCK_MONOTONIC on Linux), with microseconds as fraction: the one
 * clock that all threads and processes of a machine share. For agreeing on a common start, not for latencies.
 */
export function machineMs (): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}
