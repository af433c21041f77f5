import { Connection, type ConnectionOwner, type ConnectionSettings } from './connection.js'
import type { Outcome, Tally } from './tally.js'

/** Pause after a first failure; it doubles with every further one, so that a dead server costs little and is still asked. */
const RETRY_FIRST_MS = 10
const RETRY_MAX_MS = 160

/** What the loops of a slice share. */
export interface SliceState {
  readonly settings: ConnectionSettings
  readonly tally: Tally
  /** Requests are sent: from the start of the warm-up to the end of the window. */
  isRunning: boolean
  /** A first attempt to connect has succeeded or failed. */
  onFirstAttempt (): void
  onOpen (): void
  onClose (): void
}

/**
 * One of the `concurrency` closed loops: one request on its way at any time, the next one sent when the last one is settled.
 * A connection that fails is replaced after a pause, one that the server ended in good order at once.
 */
export class ClosedLoop implements ConnectionOwner {
  readonly #slice: SliceState
  /** All that are not closed: the current one, and those on their way out. */
  readonly #open = new Set<Connection>()
  #current: Connection | null = null
  #isFirstAttempt = true
  #failures = 0
  #retryAtNs = 0

  constructor (slice: SliceState) {
    this.#slice = slice
    this.#connect()
  }

  /** The warm-up begins. */
  start (nowNs: number): void {
    if (this.#current === null) this.#connect()
    else if (this.#current.isIdle) this.#current.send(nowNs)
  }

  /** Finds what took too long, and connects again when the pause is over. */
  sweep (nowNs: number, requestTimeoutNs: number): void {
    for (const connection of this.#open) connection.sweep(nowNs, requestTimeoutNs)
    if (this.#slice.isRunning && this.#current === null && nowNs >= this.#retryAtNs) this.#connect()
  }

  /** Cuts everything off; the slice must not be running any more. */
  stop (): void {
    for (const connection of this.#open) {
      const sentAtNs = connection.stop()
      if (sentAtNs !== null) this.#slice.tally.addUnfinished(sentAtNs)
    }
  }

  onConnect (connection: Connection, connectNs: number, nowNs: number): void {
    this.#slice.tally.addConnect(connectNs)
    this.#sendNext(connection, nowNs)
    this.#onFirstAttempt()
  }

  onRefused (problem: string, nowNs: number): void {
    this.#slice.tally.addRefused(nowNs)
    this.onDone(false, nowNs, `refused: ${problem}`)
    this.#onFirstAttempt()
  }

  onOutcome (connection: Connection, outcome: Outcome, sentAtNs: number, nowNs: number, problem: string | null): void {
    this.#slice.tally.addOutcome(outcome, sentAtNs, nowNs)
    if (problem !== null) this.#slice.tally.addProblem(`${outcome}: ${problem}`)
    if (outcome === 'ok' || outcome === 'badStatus') this.#failures = 0
    this.#sendNext(connection, nowNs)
  }

  onDone (isOrderly: boolean, nowNs: number, problem: string | null): void {
    if (problem !== null) this.#slice.tally.addProblem(problem)
    this.#current = null
    if (isOrderly) {
      if (this.#slice.isRunning) this.#connect()
      return
    }
    this.#retryAtNs = nowNs + Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_MAX_MS) * 1e6
    this.#failures++
  }

  onClose (connection: Connection): void {
    this.#open.delete(connection)
    this.#slice.onClose()
  }

  #connect (): void {
    this.#current = new Connection(this.#slice.settings, this)
    this.#open.add(this.#current)
    this.#slice.onOpen()
  }

  #sendNext (connection: Connection, nowNs: number): void {
    if (connection.isIdle && this.#slice.isRunning && nowNs < this.#slice.tally.endNs) connection.send(nowNs)
  }

  #onFirstAttempt (): void {
    if (!this.#isFirstAttempt) return
    this.#isFirstAttempt = false
    this.#slice.onFirstAttempt()
  }
}
