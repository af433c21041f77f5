import type { ConnectionAddresses } from '../base/address.js'
import { FrameType, Reason } from '../frame/layout.js'
import type { Claim, Constant } from '../transport/transport.js'
import { ReceiveCredit, SendCredit } from './credit.js'
import { GatheredPayloads, MANY_PAYLOADS } from './gathered-payloads.js'
import { Flow, Queue } from './scheduler.js'

/** What a channel's user is told. Never called inside one of the channel's own methods. */
export interface ChannelHandler {
  /** Host side: the plugin has taken the channel and its connection to the origin is established. */
  onAccept? (): void
  /**
   * `view` is valid until `release()`, to be called exactly once; only released bytes are granted to the sender again.
   */
  onData (view: Uint8Array, release: () => void): void
  /** The peer will send no more (half-close). */
  onEnd (): void
  /**
   * The channel is over: rejected, reset by the peer, or the link is gone. Called at most once, last; not after this
   * side's own reset.
   */
  onReset (reason: Reason): void
  /** `claim()` may succeed again after it returned null. */
  onClaimable (): void
  /** Both directions have ended and the channel is out of the table. */
  onDone? (): void
}

/** What a channel needs of its session. */
export interface ChannelLink {
  readonly maxPayloadBytes: number
  /** The same for constants. */
  readonly maxConstantBytes: number
  /** The peer wants to know when the last of its bytes are consumed. */
  readonly confirmsLastBytes: boolean
  /** null: no memory; `onClaimable` is called later. */
  tryClaim (channel: Channel, bytes: number): Claim | null
  commit (claim: Claim, bytes: number, copied: boolean): void
  claimConstant (constant: Constant, offset: number, bytes: number): Claim
  abandon (claim: Claim): void
  /** The channel has frames to send. */
  onFrames (channel: Channel): void
  sendCredit (channel: Channel, bytes: number): void
  sendReject (channelId: number, reason: Reason): void
  /** ACCEPT or RESET. */
  send (type: FrameType, channelId: number, argument: number): void
  onCreditStall (): void
  /** Calls `channel.deliverGathered()` at the end of this turn. */
  onGathered (channel: Channel): void
  /** The channel has ended: drop it from the table. `reason`: of a reset; null: both directions have ended. */
  onClosed (channel: Channel, reason: Reason | null): void
}

/** Of a channel that its user has reset and whose last frames have not left. */
const DISCARD: ChannelHandler = {
  onData: (_view, release) => { release() },
  onEnd () {},
  onReset () {},
  onClaimable () {}
}

/** A payload in its user's hands. */
class Received {
  bytes = 0
  next: Received | null = null
  releaseMemory: () => void = () => {}
  readonly release: () => void

  constructor (onRelease: (received: Received) => void) {
    this.release = () => { onRelease(this) }
  }
}

/** One tunnelled connection: bytes in both directions, each with its own credit and its own end. Made by a Session. */
export class Channel extends Flow {
  readonly id: number
  /** Plugin side: where the client connected from; null where the host did not say. */
  addresses: ConnectionAddresses | null = null
  handler!: ChannelHandler
  readonly #link: ChannelLink
  readonly #sendCredit: SendCredit
  readonly #receiveCredit: ReceiveCredit
  /** Committed claims that wait for their turn on the link. */
  readonly #queue: Queue<Claim> = new Queue()
  /** Used again for the next payloads: a list, since an array would be shrunk and grown again with every message. */
  #freeReceived: Received | null = null
  /** Payloads in the user's hands. */
  #held = 0
  /** Not empty only while the user holds many. */
  #gathered: GatheredPayloads | null = null
  #claim: Claim | null = null
  #accepted = false
  #creditStalled = false
  #endQueued = false
  #endSent = false
  #endReceived = false
  /** This side has reset the channel, and the frame leaves behind what waits. null: it has not. */
  #resetReason: Reason | null = null
  #closed = false

  constructor (id: number, link: ChannelLink, sendWindowBytes: number, receiveWindowBytes: number) {
    super()
    this.id = id
    this.#link = link
    this.#sendCredit = new SendCredit(sendWindowBytes)
    this.#receiveCredit = new ReceiveCredit(receiveWindowBytes)
  }

  get closed (): boolean { return this.#closed }
  /** Bytes sent, or to be sent, that the peer has not granted again: it may not have consumed them. */
  get unconfirmedBytes (): number {
    return this.#closed ? 0 : this.#sendCredit.windowBytes - this.#sendCredit.available
  }

  get hasFrames (): boolean { return this.#queue.length > 0 || (this.#endQueued && !this.#endSent) }

  // --- For the channel's user

  /**
   * Memory for up to `bytes` bytes to send (default: a whole frame), or null: no credit or no memory; `onClaimable`
   * follows. A new claim replaces one not committed.
   */
  claim (bytes = Infinity): Uint8Array | null {
    if (!this.#canSend) return null
    if (this.#claim !== null) this.#abandonClaim()
    const allowed = this.#allowed(bytes, this.#link.maxPayloadBytes)
    if (allowed === 0) return null
    this.#claim = this.#link.tryClaim(this, allowed)
    return this.#claim?.view ?? null
  }

  get #canSend (): boolean {
    return !this.#closed && !this.#endQueued && this.#resetReason === null
  }

  /**
   * How many of `bytes` bytes a frame of at most `frameBytes` may have now; 0: no credit, and `onClaimable` follows.
   */
  #allowed (bytes: number, frameBytes: number): number {
    const allowed = Math.min(bytes, this.#sendCredit.available, frameBytes)
    if (allowed === 0) {
      if (!this.#creditStalled) this.#link.onCreditStall()
      this.#creditStalled = true
    }
    return allowed
  }

  /** The first `bytes` bytes of the claim are to be sent. `copied`: see `Transport.commit()`. */
  commit (bytes: number, copied = false): void {
    const claim = this.#claim
    if (claim === null) return
    this.#claim = null
    this.#link.commit(claim, bytes, copied)
    this.#sendCredit.spend(bytes)
    this.#queue.push(claim)
    this.#link.onFrames(this)
  }

  /**
   * Sends bytes `offset` to `offset + bytes` of a constant of this channel's session, behind what was committed, as far
   * as credit and the frame's length allow. Returns how many; 0: no credit, and `onClaimable` follows. It needs no
   * memory.
   */
  sendConstant (constant: Constant, offset: number, bytes: number): number {
    if (!this.#canSend) return 0
    const allowed = this.#allowed(bytes, this.#link.maxConstantBytes)
    if (allowed === 0) return 0
    this.#sendCredit.spend(allowed)
    this.#queue.push(this.#link.claimConstant(constant, offset, allowed))
    this.#link.onFrames(this)
    return allowed
  }

  /** Half-close: the peer reads the end after what was committed. */
  end (): void {
    if (!this.#canSend) return
    if (this.#claim !== null) this.#abandonClaim()
    this.#endQueued = true
    this.#link.onFrames(this)
  }

  accept (): void {
    if (!this.#closed) this.#link.send(FrameType.ACCEPT, this.id, 0)
  }

  reject (reason: Reason): void {
    if (this.#closed) return
    this.#link.sendReject(this.id, reason)
    this.#close(reason)
  }

  /**
   * Ends both directions. The peer gets what was committed, then the reset; what it sends is thrown away, and the
   * handler is told no more.
   */
  reset (reason: Reason = Reason.CONNECTION_RESET): void {
    if (this.#closed || this.#resetReason !== null) return
    if (this.#claim !== null) this.#abandonClaim()
    this.#resetReason = reason
    this.handler = DISCARD
    this.handleSent()
  }

  /** Ends both directions at once; what waits is dropped. */
  abort (reason: Reason = Reason.CONNECTION_RESET): void {
    if (this.#closed) return
    this.#link.send(FrameType.RESET, this.id, reason)
    this.#close(reason)
  }

  // --- For the session

  /** Takes the next frame off the queue: its claim (null for a bare end), and whether it is the last. */
  takeFrame (): { claim: Claim | null, end: boolean } {
    const claim = this.#queue.shift() ?? null
    const end = this.#endQueued && this.#queue.length === 0
    this.#endSent = end
    return { claim, end }
  }

  /** What `takeFrame()` gave has been handed to the link: the channel may be over. */
  handleSent (): void {
    this.#closeIfDone()
    if (this.#resetReason !== null && !this.hasFrames) this.abort(this.#resetReason)
  }

  /** Returns the rule the peer broke, or null. */
  receiveAccept (): string | null {
    if (this.#accepted) return 'ACCEPT came twice'
    this.#accepted = true
    this.handler.onAccept?.()
    return null
  }

  /** A DATA frame arrived. Returns the rule the peer broke, or null. */
  receiveData (payload: Uint8Array, end: boolean, release: () => void): string | null {
    if (this.#endReceived) return 'DATA after EOS'
    if (!this.#receiveCredit.tryReceive(payload.length)) {
      return `DATA of ${payload.length} bytes beyond the credit granted`
    }
    this.#endReceived = end
    if (payload.length === 0) release()
    else if (this.#held < MANY_PAYLOADS && this.#gathered === null) this.#deliver(payload, release)
    else this.#gather(payload, release)
    if (end && !this.#closed) {
      this.deliverGathered()
      this.#grant(0)
      this.handler.onEnd()
      this.#closeIfDone()
    }
    return null
  }

  #deliver (payload: Uint8Array, release: () => void): void {
    const received = this.#freeReceived ?? new Received((one) => { this.#handleRelease(one) })
    this.#freeReceived = received.next
    received.bytes = payload.length
    received.releaseMemory = release
    this.#held++
    this.handler.onData(payload, received.release)
  }

  /** The user holds many payloads, and what comes behind gathered ones must not pass them. */
  #gather (payload: Uint8Array, release: () => void): void {
    this.#gathered ??= new GatheredPayloads()
    if (this.#gathered.tryAdd(payload)) return release()
    this.deliverGathered()
    if (this.#closed) return release()
    const next = new GatheredPayloads()
    if (this.#held < MANY_PAYLOADS || !next.tryAdd(payload)) return this.#deliver(payload, release)
    this.#gathered = next
    release()
  }

  deliverGathered (): void {
    const gathered = this.#gathered
    this.#gathered = null
    if (gathered !== null && !gathered.isEmpty && !this.#closed) this.#deliver(gathered.take(), releaseNothing)
  }

  #handleRelease (received: Received): void {
    received.releaseMemory()
    // Not here and now: the user may be amid anything.
    if (--this.#held === MANY_PAYLOADS - 1 && this.#gathered !== null) this.#link.onGathered(this)
    received.next = this.#freeReceived
    this.#freeReceived = received
    this.#grant(received.bytes)
  }

  /**
   * After the peer's end it needs no credit; but one that wants to know gets what it sent confirmed to the last byte.
   */
  #grant (consumedBytes: number): void {
    if (this.#closed || (this.#endReceived && !this.#link.confirmsLastBytes)) return
    const grant = this.#receiveCredit.consume(consumedBytes, this.#endReceived)
    if (grant > 0) this.#link.sendCredit(this, grant)
  }

  /** Returns the rule the peer broke, or null. */
  receiveCredit (bytes: number): string | null {
    if (!this.#sendCredit.tryGrant(bytes)) {
      return `CREDIT of ${bytes} bytes beyond the window of ${this.#sendCredit.windowBytes}`
    }
    if (this.#creditStalled) {
      this.#creditStalled = false
      this.handler.onClaimable()
    }
    return null
  }

  /** The peer rejected or reset the channel, or the link is gone. */
  receiveReset (reason: Reason): void {
    if (this.#closed) return
    this.deliverGathered()
    if (this.#closed) return
    this.#close(reason)
    this.handler.onReset(reason)
  }

  #closeIfDone (): void {
    if (this.#closed || !this.#endSent || !this.#endReceived) return
    this.#close(null)
    this.handler.onDone?.()
  }

  #close (reason: Reason | null): void {
    this.#closed = true
    if (this.#claim !== null) this.#abandonClaim()
    for (let claim = this.#queue.shift(); claim !== undefined; claim = this.#queue.shift()) this.#link.abandon(claim)
    this.#endQueued = this.#endSent = true
    this.#link.onClosed(this, reason)
  }

  #abandonClaim (): void {
    this.#link.abandon(this.#claim!)
    this.#claim = null
  }
}

function releaseNothing (): void {}
