import type { Address } from '../base/address.js'
import type { TunnelError } from '../base/errors.js'
import type { Engine, Socket } from '../engine/engine.js'
import type { FrameHeader } from '../frame/header.js'
import type { FrameType } from '../frame/layout.js'

/**
 * The Transport seam: how whole frames move between host and plugin, in order, in both directions. A transport knows
 * frames and memory; it knows nothing of handshakes, credit or channels' lives (that is the session's).
 *
 * Nothing leaves before `flush()`. The session decides the order of DATA frames: it keeps committed claims in its own
 * queues and hands one over with `sendData()` while `writable` is true, so that a link never holds more than a few
 * frames ahead of the peer.
 */
export interface Transport {
  readonly kind: string
  readonly counters: TransportCounters

  /** Begins delivery. Called once. Frames that arrived before wait for it. */
  start (handler: TransportHandler): void

  /**
   * Memory for the payload of one DATA frame of `channelId`, or null: none for this channel now; `handler.onWritable()`
   * follows when that may have changed. `bytes` (at least 1) is the most the caller can use: the claim's view has from
   * 1 to `bytes` bytes. A claim lives from `claim()` through `commit()` to exactly one `sendData()` on the same
   * channel, or ends in `abandon()` at any time before that.
   */
  claim (bytes: number, channelId: number): Claim | null
  /** Whether `claim()` would succeed. If not, `handler.onWritable()` follows when that may have changed. */
  canClaim (bytes: number, channelId: number): boolean
  /**
   * How many waiting channels should try again at one time: more would only take memory from one another. 0: unknown.
   */
  readonly room: number
  /** Of a transport with slots: those that nobody holds. */
  readonly freeSlots?: number
  /**
   * The claim's payload is complete: its first `bytes` bytes, at least 1. What is left of the region is free again.
   * `copied`: they were copied into it by the program, not read into it by the kernel (default false); for the counters
   * only.
   */
  commit (claim: Claim, bytes: number, copied?: boolean): void
  /** What this side sends again and again. Empty before the handshake is done. */
  readonly constants: Constants
  /** Gives a claim back unsent. */
  abandon (claim: Claim): void
  /** Sends a committed claim as one DATA frame; its memory now belongs to the transport. */
  sendData (claim: Claim, channelId: number, flags: number): void
  /**
   * Sends any other frame (or an empty DATA). Always possible; a link whose unread control frames pass a bound is
   * closed. The payload is copied.
   */
  send (type: FrameType, channelId: number, argument: number, flags?: number, payload?: Uint8Array): void
  /** True while the link takes more DATA frames. `handler.onWritable()` follows when it turns true again. */
  readonly writable: boolean
  /** Lets everything handed over since the last flush leave: one system call or one doorbell where that is possible. */
  flush (): void

  /**
   * Frames above this payload length are a protocol error of the peer, found before anything is allocated. From the
   * handshake.
   */
  setMaxPayloadBytes (bytes: number): void

  /**
   * What the peer must know to use this medium; it travels at the end of this side's HELLO. `request` is the end of the
   * peer's HELLO, or null where this side speaks first. The side that speaks second uses the medium from here on.
   * Throws ERR_TUNNEL_PROTOCOL, ERR_TUNNEL_VERSION or ERR_TUNNEL_UNAVAILABLE where the two cannot do with one another,
   * and any other error for what may pass.
   */
  offer (request: Uint8Array | null): Uint8Array
  /**
   * The side that spoke first has the answer, `ticket` is its end: it uses the medium from here on. Throws as `offer()`
   * does.
   */
  attach (ticket: Uint8Array): void
  /** False: the peer has still to attach what `offer()` made, and `handler.onAttached()` follows. */
  readonly isAttached?: boolean

  /** Flushes, then closes after what was sent has left. `handler.onClose()` follows. */
  close (): void
  /** Closes at once; unsent frames are dropped and their memory freed. `handler.onClose(error)` follows. */
  abort (error: TunnelError): void
}

export interface TransportHandler {
  /**
   * One whole, structurally valid frame. `header` is reused: read it before returning. `payload` is valid until
   * `release()`, which must be called exactly once, also for an empty payload.
   */
  onFrame (header: FrameHeader, payload: Uint8Array, release: () => void): void
  /** `claim()` may succeed again, or `writable` is true again. */
  onWritable (): void
  /**
   * What arrived cannot be a frame, or breaks a rule of the medium; nothing more is delivered. Frames may still be
   * sent: say why, and `close()`.
   * Not called inside a method of the transport. A handler without it: the link is aborted.
   */
  onBroken? (error: TunnelError): void
  /** See `Transport.isAttached`. */
  onAttached? (): void
  /** Exactly once, last. null: this side or the peer closed in good order; else what broke. */
  onClose (error: TunnelError | null): void
}

/** A writable region for one payload. */
export interface Claim {
  readonly view: Uint8Array
  /** Payload length; 0 until `commit()`. */
  readonly committedBytes: number
}

/** Bytes that were handed to a transport once: see `Constants`. Good for that transport only. */
export interface Constant {
  readonly bytes: number
}

/**
 * Memory of a transport for what is sent again and again without another copy. What was published stays until the link
 * ends.
 */
export interface Constants {
  /**
   * The most that one claim may have where that is more than the peer takes in a frame: nothing is kept for it, so no
   * frame has to bound it. 0: a frame's.
   */
  readonly maxClaimBytes: number
  /** Keeps a copy of `bytes`, at least 1. null: there is no room for it; then send it through claims. */
  publish (bytes: Uint8Array): Constant | null
  /**
   * Replaces the bytes of a constant by as many others. False, and nothing is changed: a claim of it is unsent, or the
   * peer may still read it.
   */
  tryRewrite (constant: Constant, bytes: Uint8Array): boolean
  /**
   * A committed claim of `bytes` bytes of `constant` from `offset` on, all within it, at least 1 and at most a frame's
   * or `maxClaimBytes`. Any number may exist at one time. Its view is not to be written to.
   */
  claim (constant: Constant, offset: number, bytes: number): Claim
}

/** A kind of transport, with all that its links have in common: how host and plugin make one. */
export interface TransportKind {
  readonly kind: string
  /** Throws ERR_TUNNEL_UNAVAILABLE where this system cannot have it, with what to do about it. */
  check (): void
  /** The accepting side: call inside `onSocket`. */
  accept (engine: Engine, socket: Socket): Transport
  /**
   * The connecting side. A failed connect is an `onClose()` with the engine's error. `timeoutMs`: see
   * `Engine.connect()`.
   */
  connect (engine: Engine, address: Address, timeoutMs: number): Transport
}

export function emptyTransportCounters (): TransportCounters {
  return {
    framesSent: 0,
    framesReceived: 0,
    payloadBytesSent: 0,
    payloadBytesReceived: 0,
    zeroCopyBytesSent: 0,
    zeroCopyBytesReceived: 0,
    copiedBytesSent: 0,
    copiedBytesReceived: 0,
    flushes: 0,
    exhausted: 0,
    doorbellsSent: 0,
    doorbellsSaved: 0,
    doorbellsMissed: 0
  }
}

/**
 * Exact counts since the transport was made. "Sent" is handed to the medium, "received" is delivered to the handler.
 */
export interface TransportCounters {
  framesSent: number
  framesReceived: number
  /** Payload bytes of DATA frames. */
  payloadBytesSent: number
  payloadBytesReceived: number
  /**
   * Of those, how many this side did not copy in user space: sent from where the kernel read them into, handed to the
   * user where they arrived.
   */
  zeroCopyBytesSent: number
  zeroCopyBytesReceived: number
  /** The rest: copied at least once on this side. */
  copiedBytesSent: number
  copiedBytesReceived: number
  /** `flush()` calls that had something to send. */
  flushes: number
  /** `claim()` calls that returned null. */
  exhausted: number
  /** Shared memory: times the peer slept and was woken. */
  doorbellsSent: number
  /** Shared memory: times something was published and the peer was awake, or had a bell on its way. */
  doorbellsSaved: number
  /** Shared memory: times something had lain unread while this side slept and no bell came. Any but 0 is a bug. */
  doorbellsMissed: number
}
