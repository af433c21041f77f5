import type { Address } from '../../base/address.js'
import { nowNs } from '../../base/clock.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import type { Engine, Reader, Socket } from '../../engine/engine.js'
import type { BodyCheck } from './body-check.js'
import { ResponseParser, type ResponseHandler } from './response-parser.js'
import type { Outcome, Refusal } from '../record/tally.js'

/** What all connections of a slice share. */
export interface ConnectionSettings {
  readonly engine: Engine
  readonly target: Address
  readonly connectTimeoutMs: number
  /** One request; sent from where it lies, never changed. */
  readonly request: Buffer
  /** A response to it has no body (method HEAD). */
  readonly isHead: boolean
  /** The request asks for the end of the connection, so its response is the last one, whatever that says. */
  readonly isLast: boolean
  /** See `ResponseParser`. */
  readonly isStrict: boolean
  /** A request that met the server's end of an idle connection may be sent once more. */
  readonly mayRetry: boolean
  /** The status of a good response; null: any from 200 to 299. */
  readonly status: number | null
  /** For the body of every response of that status. */
  readonly createBodyCheck: () => BodyCheck
  /** Every read of every connection lands here, and is parsed before the engine can read again. */
  readonly scratch: Buffer
}

/** A request that was sent on a connection which the server had ended, and is to be sent once more on a new one. */
export interface Retry {
  readonly sentAtNs: number
  readonly intendedNs: number
}

/**
 * What becomes of a connection. Of `onRefused` and `onConnect` one comes, first; `onClose` last. After `onConnect` one
 * of `onDone` and `onRetry` comes once.
 */
export interface ConnectionOwner {
  /** If it was made for a retry, the request is on its way already. */
  onConnect (connection: Connection, connectNs: number, nowNs: number): void
  /** If it was made for a retry, that request is settled already. `problem`: null where that has named it. */
  onRefused (connection: Connection, refusal: Refusal, problem: string | null, nowNs: number): void
  /** The request sent last is settled. If `connection.isIdle`, the next one may be sent. */
  onOutcome (connection: Connection, outcome: Outcome, sentAtNs: number, nowNs: number, problem: string | null): void
  /** No further request can be sent. `problem`: what broke outside of any request; null: nothing. */
  onDone (isOrderly: boolean, nowNs: number, problem: string | null): void
  /** No further request can be sent, and the one on its way needs another connection. It is not settled. */
  onRetry (retry: Retry): void
  /** The socket is gone. */
  onClose (connection: Connection): void
}

const State = {
  CONNECTING: 0,
  IDLE: 1,
  BUSY: 2,
  /** Bytes arrive that no request asked for. They may become a 408. */
  UNASKED: 3,
  /** Half-closed in good order; waits for the other side. */
  ENDING: 4,
  /** Cut off; waits for the engine. */
  DONE: 5
} as const
type State = typeof State[keyof typeof State]

/** How a server that ends an idle connection may say so (RFC 9110, section 15.5.9). The minor version may be any. */
const REQUEST_TIMEOUT = Buffer.from('HTTP/1.1 408')
const MINOR_VERSION_AT = 7
const CUT_PROBLEM = 'the connection ended before the response was whole'
const UNASKED_PROBLEM = 'the server sent bytes that no request asked for: its responses may be longer than they say'

function ignoreRelease (): void {}

/**
 * One keep-alive connection: sends the request when told to, measures and verifies its response. Opened by the
 * constructor.
 */
export class Connection implements Reader, ResponseHandler {
  readonly claimReserves = false
  readonly #settings: ConnectionSettings
  readonly #scratch: Buffer
  readonly #owner: ConnectionOwner
  readonly #parser: ResponseParser
  readonly #body: BodyCheck
  readonly #socket: Socket
  #state: State = State.CONNECTING
  /** When the connect, the unasked bytes, or the end began. */
  #sinceNs: number
  /** When the request on its way was sent; null: there is none. */
  #sentAtNs: number | null
  #intendedNs: number
  /** It was made for a request that was sent before. */
  readonly isRetry: boolean
  #hasServed = false
  /** It was idle, so the server may be ending it while a request is sent. */
  #wasIdle = false
  /** Something came since the request was sent. */
  #hasReceived = false
  /** Result of the last read. */
  #readBytes = 0
  /** Unasked bytes so far that begin like REQUEST_TIMEOUT. */
  #unaskedBytes = 0

  /** `retry`: a request to send as soon as the connection is established. */
  constructor (settings: ConnectionSettings, owner: ConnectionOwner, retry: Retry | null = null) {
    this.#settings = settings
    this.#scratch = settings.scratch
    this.#owner = owner
    this.isRetry = retry !== null
    this.#sentAtNs = retry?.sentAtNs ?? null
    this.#intendedNs = retry?.intendedNs ?? 0
    this.#parser = new ResponseParser(this, settings.isStrict)
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
    this.#sentAtNs = now
    this.#intendedNs = intendedNs
    this.#write()
  }

  #write (): void {
    this.#state = State.BUSY
    this.#hasReceived = false
    this.#body.reset()
    this.#parser.expect(this.#settings.isHead)
    this.#socket.write(this.#settings.request, ignoreRelease)
  }

  /** Gives up on what takes longer than `timeoutNs`. */
  sweep (now: number, timeoutNs: number): void {
    if (now - (this.#sentAtNs ?? this.#sinceNs) < timeoutNs) return
    if (this.#sentAtNs !== null) this.#fail('timeout', `no whole response within ${timeoutNs / 1e6} ms`, now)
    else if (this.#state === State.UNASKED) this.#fail('reset', UNASKED_PROBLEM, now)
    else if (this.#state === State.ENDING) this.#cut()
  }

  /**
   * Cuts the connection off without a word to the owner but `onClose`. Returns when the request on its way was sent,
   * null without one.
   */
  stop (): number | null {
    const sentAtNs = this.#sentAtNs
    this.#sentAtNs = null
    this.#cut()
    return sentAtNs
  }

  claim (): Buffer {
    return this.#scratch
  }

  commit (bytes: number): void {
    if (this.#state === State.DONE) return
    if (this.#state === State.IDLE || this.#state === State.UNASKED) return this.#onUnasked(bytes)
    this.#hasReceived = true
    this.#readBytes = bytes
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

  /** Bytes on an idle connection: the beginning of a 408, by which the server ends it, or a fault of the server. */
  #onUnasked (bytes: number): void {
    const now = nowNs()
    if (this.#state === State.IDLE) this.#sinceNs = now
    this.#state = State.UNASKED
    const before = this.#unaskedBytes
    this.#unaskedBytes = Math.min(before + bytes, REQUEST_TIMEOUT.length)
    if (!isRequestTimeout(this.#scratch, 0, before, this.#unaskedBytes)) this.#fail('reset', UNASKED_PROBLEM, now)
    else if (this.#unaskedBytes === REQUEST_TIMEOUT.length) this.#endInOrder(now, null)
  }

  end (): void {
    if (this.#state === State.DONE) return
    this.#parser.finish()
    if (this.#state === State.IDLE || this.#state === State.UNASKED) this.#endInOrder(nowNs(), null)
    else if (this.#state === State.BUSY && !this.#tryRetry()) {
      this.#fail('reset', this.#hasReceived ? CUT_PROBLEM : `${CUT_PROBLEM}: nothing of it came`, nowNs())
    }
  }

  close (error: TunnelError | null): void {
    const state = this.#state
    // The server took its time to end an idle connection, and took none to say so: nothing is lost.
    const isPeers = error === null || error.code === ErrorCode.SOCKET_RESET
    if (state === State.BUSY && isPeers && this.#tryRetry()) return this.#owner.onClose(this)
    this.#state = State.DONE
    const problem = error === null ? 'the connection was closed' : `${error.code}: ${error.message}`
    if ((state === State.IDLE || state === State.UNASKED) && isPeers) this.#owner.onDone(this.#hasServed, nowNs(), null)
    else this.#settleBroken(state, 'reset', problem, nowNs(), error?.code === ErrorCode.LIMIT ? 'exhausted' : 'refused')
    this.#owner.onClose(this)
  }

  connect (): void {
    if (this.#state !== State.CONNECTING) return
    const now = nowNs()
    if (this.#sentAtNs === null) this.#state = State.IDLE
    else this.#write()
    this.#owner.onConnect(this, now - this.#sinceNs, now)
    this.#wasIdle = this.#state === State.IDLE
  }

  onBody (view: Buffer, start: number, end: number): void {
    if (this.#isExpected(this.#parser.status)) this.#body.add(view, start, end)
  }

  onMessage (status: number, keepAlive: boolean, unreadBytes: number): void {
    // The server was ending the idle connection when the request came (its 408 and the request passed each other).
    if (status === 408 && !keepAlive && !this.#isExpected(status) && this.#tryRetry(true)) return
    const now = nowNs()
    const unasked = unreadBytes === 0 ? null : this.#judgeUnread(unreadBytes)
    const goesOn = keepAlive && !this.#settings.isLast
    if (!this.#isExpected(status)) this.#settle('badStatus', now, `status ${status}`, goesOn, unasked)
    else {
      const problem = this.#settings.isHead ? null : this.#body.verdict()
      if (problem === null) this.#settle('ok', now, null, goesOn, unasked)
      else this.#fail('mismatch', problem, now)
    }
  }

  #isExpected (status: number): boolean {
    const expected = this.#settings.status
    return expected === null ? status >= 200 && status < 300 : status === expected
  }

  /** Of bytes behind a response: what is wrong with them; null: nothing. */
  #judgeUnread (bytes: number): string | null {
    const start = this.#readBytes - bytes
    return isRequestTimeout(this.#scratch, start, 0, Math.min(bytes, REQUEST_TIMEOUT.length)) ? null : UNASKED_PROBLEM
  }

  #settle (outcome: Outcome, now: number, problem: string | null, goesOn: boolean, unasked: string | null): void {
    const sentAtNs = this.#sentAtNs!
    this.#sentAtNs = null
    this.#hasServed = this.#wasIdle = true
    this.#state = goesOn ? State.IDLE : State.ENDING
    this.#owner.onOutcome(this, outcome, sentAtNs, now, problem)
    if (!goesOn) this.#endInOrder(now, unasked)
  }

  /** A connection that never served is no reason to make the next one at once: that would go on for ever. */
  #endInOrder (now: number, problem: string | null): void {
    this.#state = State.ENDING
    this.#sinceNs = now
    this.#socket.shutdown()
    this.#owner.onDone(this.#hasServed, now, problem)
  }

  /**
   * Gives the request on its way to another connection, if the server may have ended this one without having seen it.
   * `isRefusal`: what came is how the server said so.
   */
  #tryRetry (isRefusal = false): boolean {
    const sentAtNs = this.#sentAtNs
    if (sentAtNs === null || !this.#settings.mayRetry || !this.#wasIdle) return false
    if (this.#hasReceived && !isRefusal) return false
    this.#sentAtNs = null
    this.#cut()
    this.#owner.onRetry({ sentAtNs, intendedNs: this.#intendedNs })
    return true
  }

  #fail (outcome: Outcome, problem: string | null, now: number): void {
    const state = this.#state
    this.#cut()
    this.#settleBroken(state, outcome, problem, now)
  }

  #settleBroken (
    state: State, outcome: Outcome, problem: string | null, now: number, refusal: Refusal = 'refused'
  ): void {
    const sentAtNs = this.#sentAtNs
    this.#sentAtNs = null
    if (sentAtNs !== null) this.#owner.onOutcome(this, outcome, sentAtNs, now, problem)
    const rest = sentAtNs === null ? problem : null
    if (state === State.CONNECTING) this.#owner.onRefused(this, refusal, rest, now)
    else if (state !== State.ENDING && state !== State.DONE) this.#owner.onDone(false, now, rest)
  }

  #cut (): void {
    if (this.#state === State.DONE) return
    this.#state = State.DONE
    this.#socket.abort()
  }
}

/** Whether the bytes at `start` of `view` are what REQUEST_TIMEOUT has in [from, to). */
function isRequestTimeout (view: Buffer, start: number, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (view[start + i - from] !== REQUEST_TIMEOUT[i] && i !== MINOR_VERSION_AT) return false
  }
  return true
}
