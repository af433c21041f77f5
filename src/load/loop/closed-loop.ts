import { Connection, type ConnectionOwner, type Retry } from '../http/connection.js'
import { retryPauseNs, type Loop, type SliceState } from './loop.js'
import type { Outcome, Refusal } from '../record/tally.js'

/**
 * One of the `concurrency` closed loops: one request on its way at any time, the next one sent when the last one is
 * settled. A connection that fails is replaced after a pause, one that the server ended in good order at once.
 */
export class ClosedLoop implements Loop, ConnectionOwner {
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
    else this.#sendNext(this.#current, nowNs)
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

  onRefused (connection: Connection, refusal: Refusal, problem: string | null, nowNs: number): void {
    if (!connection.isRetry && this.#slice.isRunning && this.#slice.tryBegin()) {
      this.#slice.tally.addRefused(nowNs, refusal)
      this.#slice.onSettled(nowNs)
    }
    this.onDone(false, nowNs, problem === null ? null : `${refusal}: ${problem}`)
    this.#onFirstAttempt()
  }

  onOutcome (connection: Connection, outcome: Outcome, sentAtNs: number, nowNs: number, problem: string | null): void {
    this.#slice.tally.addOutcome(outcome, sentAtNs, nowNs, sentAtNs, connection.status, connection.bodyBytes)
    this.#slice.onSettled(nowNs)
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
    this.#retryAtNs = nowNs + retryPauseNs(this.#failures++)
  }

  onRetry (retry: Retry): void {
    this.#slice.tally.addRetried(retry.sentAtNs)
    this.#connect(retry)
  }

  onClose (connection: Connection): void {
    this.#open.delete(connection)
    this.#slice.onClose()
  }

  #connect (retry: Retry | null = null): void {
    this.#current = new Connection(this.#slice.settings, this, retry)
    this.#open.add(this.#current)
    this.#slice.onOpen()
  }

  #sendNext (connection: Connection, nowNs: number): void {
    if (connection.isIdle && this.#slice.isRunning && nowNs < this.#slice.tally.endNs && this.#slice.tryBegin()) {
      connection.send(nowNs)
    }
  }

  #onFirstAttempt (): void {
    if (!this.#isFirstAttempt) return
    this.#isFirstAttempt = false
    this.#slice.onFirstAttempt()
  }
}
