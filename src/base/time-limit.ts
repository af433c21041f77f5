import { ErrorCode, TunnelError } from './errors.js'

/** Longest delay that a timer of Node keeps (2^31 - 1 ms, about 24 days); with a longer one it rings at once. */
export const LONGEST_TIMER_MS = 2_147_483_647

/** Default time limit of a connection attempt. */
export const CONNECT_TIMEOUT_MS = 5_000

/** Returns `value`, a time in ms from 0 or `Infinity`. Throws ERR_TUNNEL_USAGE. */
export function checkTimeMs (name: string, value: number): number {
  if (typeof value === 'number' && (value === Infinity || (value >= 0 && value <= LONGEST_TIMER_MS))) return value
  throw new TunnelError(ErrorCode.USAGE,
    `Cannot use ${name}: it must be a time from 0 to ${LONGEST_TIMER_MS} ms, or Infinity: it is ${String(value)}`)
}

/** The same for a time limit, where 0 and `Infinity` mean that there is none: returns 0 then. */
export function checkTimeLimitMs (name: string, value: number): number {
  const timeMs = checkTimeMs(name, value)
  return timeMs === Infinity ? 0 : timeMs
}

/** Calls `task` after `timeMs` of `checkTimeMs()`, which for `Infinity` is never. Returns what cancels it. */
export function callAfter (timeMs: number, task: () => void): () => void {
  if (timeMs === Infinity) return () => {}
  const timer = setTimeout(task, timeMs)
  return () => { clearTimeout(timer) }
}
