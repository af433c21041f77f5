import type { EventEmitter } from 'node:events'

/** The end of a terminal is one of them: what it started would else be dead at once, and leave its files behind. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * What comes so soon after a signal belongs to it: `npm` and `npx` pass on a Ctrl-C that the terminal has sent to the
 * whole
 * group already, and service managers send SIGHUP after SIGTERM.
 */
export const BURST_MS = 500

/** After the second Ctrl-C nothing is waited for any longer than this. */
export const STOP_TIMEOUT_MS = 1000

export type StopSignal = typeof STOP_SIGNALS[number]

/** Calls `handle` for each signal that asks the program to end; a burst of them counts as its first. */
export function onStopSignal (
  handle: (signal: StopSignal) => void, source: EventEmitter = process, nowMs: () => number = () => performance.now()
): void {
  let burstEndsMs = -Infinity
  for (const signal of STOP_SIGNALS) {
    source.on(signal, () => {
      if (nowMs() < burstEndsMs) return
      burstEndsMs = nowMs() + BURST_MS
      handle(signal)
    })
  }
}

/** For a process whose parent decides when it ends: signals to a whole group are not for it. */
export function ignoreStopSignals (): void {
  for (const signal of STOP_SIGNALS) process.on(signal, () => {})
}
