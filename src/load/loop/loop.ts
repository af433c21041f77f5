import type { ConnectionSettings } from '../http/connection.js'
import type { Tally } from '../record/tally.js'

/**
 * Pause after a first failure; it doubles with every further one, so that a dead server costs little and is still
 * asked.
 */
const RETRY_FIRST_MS = 10
const RETRY_MAX_MS = 160

/** How long to wait before the next attempt to connect. `failures`: how many there were in a row before this one. */
export function retryPauseNs (failures: number): number {
  return Math.min(RETRY_FIRST_MS * 2 ** failures, RETRY_MAX_MS) * 1e6
}

/** What decides when requests are sent: one of a slice's closed loops, or its open loop. */
export interface Loop {
  /** The warm-up begins. */
  start (nowNs: number): void
  /** Finds what took too long, and connects again where it is time to. */
  sweep (nowNs: number, requestTimeoutNs: number): void
  /** Cuts everything off; the slice must not be running any more. */
  stop (): void
}

/** What the loops of a slice share. */
export interface SliceState {
  readonly settings: ConnectionSettings
  readonly tally: Tally
  /** Requests are sent: from the start of the warm-up to the end of the window. */
  isRunning: boolean
  /** Asked before a request is sent: false when as many were begun as were asked for. */
  tryBegin (): boolean
  /** A request that was begun is settled, whatever its outcome. */
  onSettled (nowNs: number): void
  /** A first attempt to connect has succeeded or failed. */
  onFirstAttempt (): void
  onOpen (): void
  onClose (): void
}
