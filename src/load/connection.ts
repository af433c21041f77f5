import type { Address } from '../base/address.js'
import { nowNs } from '../base/clock.js'
import { TunnelError } from '../base/errors.js'
import type { Engine, Reader, Socket } from '../engine/engine.js'
import type { BodyCheck } from './body-check.js'
import { ResponseParser, type ResponseHandler } from './response-parser.js'
import type { Outcome } from './tally.js'

/** What all connections of a slice share. */
export interface ConnectionSettings {
  readonly engine: Engine
  readonly target: Address
  readonly connectTimeoutMs: number
  /** One request; sent from where it lies, never changed. */
  readonly request: Buffer
  /** A response to it has no body (method HEAD). */
  readonly isHead: boolean
  /** The status of a good response; null: any from 200 to 299. */
  readonly status: number | null
  /** For the body of every response of that status. */
  readonly createBodyCheck: () => BodyCheck
  /** Every read of every connection lands here, and is parsed before the engine can read again. */
  readonly scratch: Buffer
}

/** What becomes of a connection. Of `onRefused` and `onConnect` one comes, first; `onDone` once after `onConnect`; `onClose` last. */
export interface ConnectionOwner {
  onConnect (connection: Connection, connectNs: number, nowNs: number): void
  onRefused (problem: string, nowNs: number): void
  /** The request sent last is settled. If `connection.isIdle`, the next one may be sent. */
  onOutcome (connection: Connection, outcome: Outcome, sentAtNs: number, nowNs: number, problem: string | null): void
  /** No further request can be sent. `problem`: what broke outside of any request; null: nothing. */
  onDone (isOrderly: boolean, nowNs: number, problem: string | null): void
  /** The socket is gone. */
  onClose (connection: Connection): void
}

const State = {
  CONNECTING: 0,
  IDLE: 1,
  BUSY: 2,
  /** Half-closed in good order; waits for the other side. */
  ENDING: 3,
  /** Cut off; waits for the engine. */
  DONE: 4
} as const
type State = typeof State[keyof typeof State]

function ignoreRelease (): void {}

/** One keep-alive connection: sends the request when told to, measures and verifies its response. Opened by the constructor. */
export class Connection implements Reader, ResponseHandler {
  readonly claimReserves = false
  readonly #settings: ConnectionSettings
  readonly #scratch: Buffer
  readonly #owner: ConnectionOwner
  readonly #parser: ResponseParser
  readonly #body: BodyCheck
  readonly #socket: Socket
  #state: State = State.CONNECTING
  /** When the connect, the request on its way, or the end began. */
  #sinceNs: number
  #intendedNs = 0

  constructor (settings: ConnectionSettings, owner: ConnectionOwner) {
    this.#settings = settings
    this.#scratch = settings.scratch
    this.#owner = owner
    this.#parser = new ResponseParser(this)
    this.#body = settings.createBodyCheck()
    this.#sinceNs = nowNs()
    this.#socket = settings.engine.connect(settings.target, this, { timeoutMs: settings.connectTimeoutMs })
  }

  get isIdle (): boolean { return this.#state === State.IDLE }

  /** Of the request sent last: when it should have been sent. */
  get intendedNs (): number { return this.#intendedNs }

  /** Of the response that came last: its status, 0 before its head is complete. */
  get status (): number { return this.#parser.status }

  /** Of the response that came last, if it was of the right status. */
  get bodyBytes (): number { return this.#body.receivedBytes }

  /** Sends the request. `now` is taken as the time of sending: the caller has just read the clock. */
  send (now: number, intendedNs = now): void {
    this.#state = State.BUSY
    this.#sinceNs = now
    this.#intendedNs = intendedNs
    this.#body.reset()
    this.#parser.expect(this.#settings.isHead)
    this.#socket.write(this.#settings.request, ignoreRelease)
  }

  /** Gives up on what takes longer than `timeoutNs`. */
  sweep (now: number, timeoutNs: number): void {
    if (now - this.#sinceNs < timeoutNs) return
    if (this.#state === State.BUSY) this.#fail('timeout', `no whole response within ${timeoutNs / 1e6} ms`, now)
    else if (this.#state === State.ENDING) this.#cut()
  }

  /** Cuts the connection off without a word to the owner but `onClose`. Returns when the request on its way was sent, null without one. */
  stop (): number | null {
    const sentAtNs = this.#state === State.BUSY ? this.#sinceNs : null
    this.#cut()
    return sentAtNs
  }

  claim (): Buffer {
    return this.#scratch
  }

  commit (bytes: number): void {
    if (this.#state === State.DONE) return
    try {
      this.#parser.feed(this.#scratch, bytes)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      this.#fail('mismatch', error.message, nowNs())
      return
    }
    // A body that is wrong already is not waited for: it may have no end.
    if (this.#body.isWrong && this.#state === State.BUSY) this.#fail('mismatch', this.#body.verdict(), nowNs())
  }

  end (): void {
    if (this.#state === State.DONE) return
    this.#parser.finish()
    if (this.#state === State.BUSY) this.#fail('reset', 'the connection ended before the response was whole', nowNs())
    else if (this.#state === State.IDLE) this.#endInOrder(nowNs())
  }

  close (error: TunnelError | null): void {
    const state = this.#state
    this.#state = State.DONE
    const problem = error === null ? 'the connection was closed' : `${error.code}: ${error.message}`
    if (state === State.CONNECTING) this.#owner.onRefused(problem, nowNs())
    else if (state !== State.DONE) this.#settleBroken(state, 'reset', problem, nowNs())
    this.#owner.onClose(this)
  }

  connect (): void {
    if (this.#state !== State.CONNECTING) return
    const now = nowNs()
    this.#state = State.IDLE
    this.#owner.onConnect(this, now - this.#sinceNs, now)
  }

  onBody (view: Buffer, start: number, end: number): void {
    if (this.#isExpected(this.#parser.status)) this.#body.add(view, start, end)
  }

  onMessage (status: number, keepAlive: boolean): void {
    const now = nowNs()
    const sentAtNs = this.#sinceNs
    if (!this.#isExpected(status)) this.#settle('badStatus', sentAtNs, now, `status ${status}`, keepAlive)
    else {
      const problem = this.#settings.isHead ? null : this.#body.verdict()
      if (problem === null) this.#settle('ok', sentAtNs, now, null, keepAlive)
      else this.#fail('mismatch', problem, now)
    }
  }

  #isExpected (status: number): boolean {
    const expected = this.#settings.status
    return expected === null ? status >= 200 && status < 300 : status === expected
  }

  #settle (outcome: Outcome, sentAtNs: number, now: number, problem: string | null, keepAlive: boolean): void {
    if (keepAlive) {
      this.#state = State.IDLE
      this.#owner.onOutcome(this, outcome, sentAtNs, now, problem)
    } else {
      this.#state = State.ENDING
      this.#owner.onOutcome(this, outcome, sentAtNs, now, problem)
      this.#endInOrder(now)
    }
  }

  #endInOrder (now: number): void {
    this.#state = State.ENDING
    this.#sinceNs = now
    this.#socket.shutdown()
    this.#owner.onDone(true, now, null)
  }

  #fail (outcome: Outcome, problem: string | null, now: number): void {
    const state = this.#state
    this.#cut()
    this.#settleBroken(state, outcome, problem, now)
  }

  #settleBroken (state: State, outcome: Outcome, problem: string | null, now: number): void {
    if (state === State.BUSY) {
      this.#owner.onOutcome(this, outcome, this.#sinceNs, now, problem)
      this.#owner.onDone(false, now, null)
    } else if (state === State.IDLE) this.#owner.onDone(false, now, problem)
  }

  #cut (): void {
    if (this.#state === State.DONE) return
    this.#state = State.DONE
    this.#socket.abort()
  }
}
