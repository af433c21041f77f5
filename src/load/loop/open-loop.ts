import { nowNs } from '../../base/clock.js'
import { ArrivalPlan, type OpenPace } from './arrival-plan.js'
import { Connection, type ConnectionOwner, type Retry } from '../http/connection.js'
import { retryPauseNs, type Loop, type SliceState } from './loop.js'
import { Pacer } from './pacer.js'
import type { Outcome, Refusal } from '../record/tally.js'

/**
 * So many attempts to connect at a time: each takes the thread some ten microseconds, which must not make the plan
 * late.
 */
const CONNECTING_MAX = 64

/**
 * Sends by a plan and not by what the server does. A request that is due goes to the connection that has been idle
 * longest, so that all of them are used as by so many clients, and none sits until the server ends it. Without an idle
 * one a connection is added where the limit allows it, and the request waits for whichever is free first, oldest
 * request first. What waits needs no queue: it is the part of the plan between its two cursors. All that is sent was
 * planned, and not before its time, so catching up never sends more than the plan has had.
 */
export class OpenLoop implements Loop, ConnectionOwner {
  readonly #slice: SliceState
  readonly #pace: OpenPace
  /** Connections to keep, whether they are needed or not. */
  readonly #minimum: number
  readonly #limit: number | undefined
  /** All that are not closed. */
  readonly #open = new Set<Connection>()
  /** In the order in which they became idle. What was lost while idle is skipped when its turn comes. */
  readonly #idle: Connection[] = []
  /** Connections that serve or may come to serve requests, including those not established yet. */
  #usable = 0
  #connecting = 0
  readonly #pacer: Pacer
  /** The first cursor: starts whose time has not come. The second: starts that were not sent. */
  #due: ArrivalPlan | null = null
  #unsent: ArrivalPlan | null = null
  #waiting = 0
  #firstAttempts: number
  #failures = 0
  #retryAtNs = 0

  /** Opens `minimum` connections. `limit`: how many requests it may plan; undefined: there is no limit. */
  constructor (slice: SliceState, pace: OpenPace, minimum: number, limit: number | undefined) {
    this.#slice = slice
    this.#pace = pace
    this.#minimum = this.#firstAttempts = minimum
    this.#limit = limit
    this.#pacer = new Pacer(slice.settings.engine, (now) => this.#onDue(now))
    for (let i = 0; i < minimum; i++) this.#connect()
  }

  /** CPU time that was waiting: see `Pacer`. */
  get idleNs (): number { return this.#pacer.idleNs }

  start (startNs: number): void {
    this.#due = new ArrivalPlan(this.#pace, startNs, this.#limit)
    this.#unsent = new ArrivalPlan(this.#pace, startNs, this.#limit)
    this.#pacer.start(this.#due.nextNs)
  }

  sweep (nowNs: number, requestTimeoutNs: number): void {
    for (const connection of this.#open) connection.sweep(nowNs, requestTimeoutNs)
    if (this.#slice.isRunning) this.#connectMore(nowNs)
  }

  stop (): void {
    this.#pacer.stop()
    const { tally } = this.#slice
    for (const connection of this.#open) {
      const sentAtNs = connection.stop()
      if (sentAtNs !== null) tally.addUnfinished(sentAtNs, connection.intendedNs)
    }
    this.#due?.advanceTo(tally.endNs, (intendedNs) => { tally.addOffered(intendedNs) })
    this.#unsent?.advanceTo(tally.endNs, (intendedNs) => { tally.addUnsent(intendedNs) })
  }

  onConnect (connection: Connection, connectNs: number, nowNs: number): void {
    this.#connecting--
    this.#slice.tally.addConnect(connectNs)
    if (connection.isIdle) this.#idle.push(connection)
    this.#dispatch()
    this.#onAttempt(nowNs)
  }

  /** The request that has waited longest was for this connection. */
  onRefused (connection: Connection, refusal: Refusal, problem: string | null, nowNs: number): void {
    this.#connecting--
    const isDue = this.#slice.isRunning && this.#waiting > 0 && nowNs < this.#slice.tally.endNs
    if (!connection.isRetry && isDue && this.#slice.tryBegin()) {
      this.#waiting--
      this.#unsent!.advance()
      this.#slice.tally.addRefused(nowNs, refusal)
      this.#slice.onSettled(nowNs)
    }
    this.onDone(false, nowNs, problem === null ? null : `${refusal}: ${problem}`)
    this.#onAttempt(nowNs)
  }

  onOutcome (connection: Connection, outcome: Outcome, sentAtNs: number, nowNs: number, problem: string | null): void {
    this.#pacer.noteWork()
    this.#slice.tally.addOutcome(
      outcome,
      sentAtNs,
      nowNs,
      connection.intendedNs,
      connection.status,
      connection.bodyBytes
    )
    if (problem !== null) this.#slice.tally.addProblem(`${outcome}: ${problem}`)
    if (outcome === 'ok' || outcome === 'badStatus') this.#failures = 0
    this.#slice.onSettled(nowNs)
    if (!connection.isIdle) return
    this.#idle.push(connection)
    if (this.#waiting > 0) this.#dispatch()
  }

  onDone (isOrderly: boolean, nowNs: number, problem: string | null): void {
    if (problem !== null) this.#slice.tally.addProblem(problem)
    this.#usable--
    if (!isOrderly) this.#retryAtNs = nowNs + retryPauseNs(this.#failures++)
    if (this.#slice.isRunning) this.#connectMore(nowNs)
  }

  onRetry (retry: Retry): void {
    this.#slice.tally.addRetried(retry.sentAtNs)
    this.#usable--
    this.#connect(retry)
  }

  onClose (connection: Connection): void {
    this.#open.delete(connection)
    this.#slice.onClose()
  }

  /** Takes what has become due from the plan. Returns when the next one is. */
  #onDue (now: number): number {
    const due = this.#due!
    const { tally } = this.#slice
    for (; due.nextNs <= now && due.nextNs < tally.endNs; due.advance()) {
      tally.addOffered(due.nextNs)
      this.#waiting++
    }
    this.#dispatch()
    this.#connectMore(now)
    return due.nextNs < tally.endNs ? due.nextNs : Infinity
  }

  /** Sends what waits, as far as there are idle connections. */
  #dispatch (): void {
    const { tally } = this.#slice
    while (this.#waiting > 0 && this.#slice.isRunning) {
      const connection = this.#takeIdle()
      if (connection === null) return
      const now = nowNs()
      if (now >= tally.endNs || !this.#slice.tryBegin()) {
        this.#idle.push(connection)
        return
      }
      connection.send(now, this.#unsent!.nextNs)
      this.#unsent!.advance()
      this.#waiting--
    }
  }

  #takeIdle (): Connection | null {
    for (;;) {
      const connection = this.#idle.shift()
      if (connection === undefined) return null
      if (connection.isIdle) return connection
    }
  }

  #connectMore (now: number): void {
    if (now < this.#retryAtNs) return
    const wanted = Math.max(this.#minimum - this.#usable, this.#waiting - this.#connecting)
    const count = Math.min(wanted, this.#pace.maxConnections - this.#usable, CONNECTING_MAX - this.#connecting)
    for (let i = 0; i < count; i++) this.#connect()
  }

  #connect (retry: Retry | null = null): void {
    this.#usable++
    this.#connecting++
    this.#slice.onOpen()
    this.#open.add(new Connection(this.#slice.settings, this, retry))
  }

  #onAttempt (nowNs: number): void {
    if (this.#firstAttempts > 0) {
      this.#firstAttempts--
      this.#slice.onFirstAttempt()
    } else if (this.#slice.isRunning) this.#connectMore(nowNs)
  }
}
