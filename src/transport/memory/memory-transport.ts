import { NO_BYTES } from '../../base/copy-bytes.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { FrameReader, linkCutError } from '../../frame/frame-reader.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES, HELLO_MAX_BYTES } from '../../frame/layout.js'
import {
  type Claim,
  type Constant,
  type Constants,
  emptyTransportCounters,
  type Transport,
  type TransportHandler
} from '../transport.js'

export interface MemoryTransportOptions {
  /** DATA is taken until this many bytes wait at the peer. Default 128 KiB. */
  readonly highWaterBytes?: number
  /** Claims that may exist at one time, from `claim()` until the peer has released the payload. Default 256. */
  readonly maxClaims?: number
  /** How many bytes the peer is given at once, drawn anew each time. Default: all there is. */
  readonly pieceBytes?: () => number
}

/** Control frames are not held back; a peer that leaves this much more unread is given up. */
const MAX_CONTROL_BYTES = 1024 * 1024

/**
 * Two linked transports within one thread: the reference that the others are compared with, and what session tests run
 * on. Plain and slow.
 */
export function createMemoryTransportPair (options: MemoryTransportOptions = {}): [MemoryTransport, MemoryTransport] {
  const a = new MemoryTransport(options)
  const b = new MemoryTransport(options)
  a.peer = b
  b.peer = a
  return [a, b]
}

class MemoryClaim implements Claim {
  readonly frame: Uint8Array
  committedBytes = 0
  copied = false

  constructor (bytes: number) {
    this.frame = new Uint8Array(HEADER_BYTES + bytes)
  }

  get view (): Uint8Array { return this.frame.subarray(HEADER_BYTES) }
}

class MemoryConstant implements Constant {
  readonly content: Uint8Array
  /** Claims of it that wait to be sent. */
  claims = 0

  constructor (content: Uint8Array) {
    this.content = content
  }

  get bytes (): number { return this.content.length }
}

class MemoryConstantClaim implements Claim {
  readonly constant: MemoryConstant
  readonly view: Uint8Array
  readonly committedBytes: number

  constructor (constant: MemoryConstant, offset: number, bytes: number) {
    this.constant = constant
    this.view = constant.content.subarray(offset, offset + bytes)
    this.committedBytes = bytes
    constant.claims++
  }
}

const CONSTANTS: Constants = {
  maxClaimBytes: 0,
  publish: (bytes) => bytes.length === 0 ? null : new MemoryConstant(new Uint8Array(bytes)),
  tryRewrite: (constant, bytes) => {
    const { claims, content } = constant as MemoryConstant
    if (claims > 0) return false
    content.set(bytes)
    return true
  },
  claim: (constant, offset, bytes) => new MemoryConstantClaim(constant as MemoryConstant, offset, bytes)
}

export class MemoryTransport implements Transport {
  readonly kind = 'memory'
  readonly counters = emptyTransportCounters()
  readonly constants = CONSTANTS
  peer!: MemoryTransport
  /** While true nothing is taken from the peer: a peer that does not read. */
  paused = false
  readonly #highWaterBytes: number
  readonly #maxClaims: number
  readonly #pieceBytes: () => number
  readonly #frames: FrameReader
  #handler: TransportHandler | null = null
  #claims = 0
  #unflushed: Uint8Array[] = []
  /** What the peer sent and this side has not read. */
  #inbox: Uint8Array[] = []
  #pendingBytes = 0
  #refusedSender = false
  #deliveryDue = false
  #closing = false
  #closed = false
  /** How the link ended, until the handler has been told. */
  #end: { readonly error: TunnelError | null } | null = null

  constructor (options: MemoryTransportOptions) {
    this.#highWaterBytes = options.highWaterBytes ?? 128 * 1024
    this.#maxClaims = options.maxClaims ?? 256
    this.#pieceBytes = options.pieceBytes ?? (() => Infinity)
    this.#frames = new FrameReader(HELLO_MAX_BYTES, {
      onFrame: (header, payload, release, copied) => {
        this.counters.framesReceived++
        if (header.type === FrameType.DATA) {
          this.counters.payloadBytesReceived += payload.length
          this.counters[copied ? 'copiedBytesReceived' : 'zeroCopyBytesReceived'] += payload.length
        }
        const isClaim = header.type === FrameType.DATA && payload.length > 0
        this.#handler!.onFrame(header, payload, () => {
          release()
          if (isClaim) this.peer.#returnClaim()
        })
      }
    })
  }

  start (handler: TransportHandler): void {
    this.#handler = handler
    this.#scheduleDelivery()
    this.#tellEnd()
  }

  setMaxPayloadBytes (bytes: number): void {
    this.#frames.maxPayloadBytes = bytes
  }

  claim (bytes: number): Claim | null {
    if (!this.canClaim()) {
      this.counters.exhausted++
      return null
    }
    this.#claims++
    return new MemoryClaim(bytes)
  }

  canClaim (): boolean {
    if (!this.#ended && this.#claims < this.#maxClaims) return true
    this.#refusedSender = true
    return false
  }

  commit (claim: Claim, bytes: number, copied = false): void {
    Object.assign(claim, { committedBytes: bytes, copied })
  }

  get room (): number {
    return 0
  }

  offer (): Uint8Array {
    return NO_BYTES
  }

  attach (): void {}

  abandon (claim: Claim): void {
    if (claim instanceof MemoryConstantClaim) {
      claim.constant.claims--
      return
    }
    this.#returnClaim()
  }

  sendData (claim: Claim, channelId: number, flags: number): void {
    if (this.#ended) return this.abandon(claim)
    if (claim instanceof MemoryConstantClaim) {
      claim.constant.claims--
      const { committedBytes: payloadBytes } = claim
      const frame = new Uint8Array(HEADER_BYTES + payloadBytes)
      encodeHeader(frame, 0, { type: FrameType.DATA, channelId, payloadBytes, flags, argument: 0 })
      frame.set(claim.view, HEADER_BYTES)
      this.counters.payloadBytesSent += claim.committedBytes
      this.counters.copiedBytesSent += claim.committedBytes
      return this.#append(frame)
    }
    const { frame, committedBytes, copied } = claim as MemoryClaim
    encodeHeader(frame, 0, { type: FrameType.DATA, channelId, payloadBytes: committedBytes, flags, argument: 0 })
    this.counters.payloadBytesSent += committedBytes
    this.counters[copied ? 'copiedBytesSent' : 'zeroCopyBytesSent'] += committedBytes
    this.#append(frame.subarray(0, HEADER_BYTES + committedBytes))
  }

  send (
    type: FrameType,
    channelId: number,
    argument: number,
    flags = 0,
    payload: Uint8Array = NO_BYTES
  ): void {
    if (this.#ended) return
    if (this.#pendingBytes > this.#highWaterBytes + MAX_CONTROL_BYTES) {
      this.abort(
        new TunnelError(
          ErrorCode.LIMIT,
          `Cannot send to the peer: ${this.#pendingBytes} bytes wait unread, and at most ` +
            `${this.#highWaterBytes + MAX_CONTROL_BYTES} may: it stopped reading`
        )
      )
      return
    }
    const frame = new Uint8Array(HEADER_BYTES + payload.length)
    encodeHeader(frame, 0, { type, channelId, payloadBytes: payload.length, flags, argument })
    frame.set(payload, HEADER_BYTES)
    this.#append(frame)
  }

  get writable (): boolean {
    const writable = !this.#ended && this.#pendingBytes < this.#highWaterBytes
    if (!writable) this.#refusedSender = true
    return writable
  }

  flush (): void {
    if (this.#unflushed.length === 0 || this.#closed) return
    this.counters.flushes++
    this.injectIntoPeer(...this.#unflushed)
    this.#unflushed = []
  }

  /** Puts raw bytes on the way to the peer: what a broken or hostile program would send. */
  injectIntoPeer (...bytes: Uint8Array[]): void {
    this.peer.#inbox.push(...bytes)
    this.peer.#scheduleDelivery()
  }

  close (): void {
    if (this.#ended) return
    this.flush()
    this.#closing = true
    this.peer.#closing = true
    this.#scheduleDelivery()
    this.peer.#scheduleDelivery()
  }

  abort (error: TunnelError): void {
    if (this.#closed) return
    this.die(error)
    this.peer.die(new TunnelError(ErrorCode.SOCKET_RESET, 'Cannot go on with the link: the peer cut it off'))
  }

  /** The link breaks, as when the peer is killed: null is an end without a word. */
  die (error: TunnelError | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#frames.stop()
    this.#inbox = []
    this.#end = { error }
    queueMicrotask(() => {
      this.#tellEnd()
    })
  }

  #tellEnd (): void {
    const end = this.#end
    if (end === null || this.#handler === null) return
    this.#end = null
    this.#handler.onClose(end.error)
  }

  /** Takes delivery again after `paused`. */
  resume (): void {
    this.paused = false
    this.#scheduleDelivery()
  }

  /** This side or the peer has closed: what is sent now goes nowhere. */
  get #ended (): boolean {
    return this.#closing || this.#closed
  }

  #returnClaim (): void {
    // Injected frames never were claims.
    this.#claims = Math.max(0, this.#claims - 1)
    this.#wakeSender()
  }

  #append (frame: Uint8Array): void {
    this.counters.framesSent++
    this.#pendingBytes += frame.length
    this.#unflushed.push(frame)
  }

  #scheduleDelivery (): void {
    if (this.#deliveryDue || this.#handler === null) return
    this.#deliveryDue = true
    setImmediate(() => {
      this.#deliveryDue = false
      this.#deliver()
    })
  }

  #deliver (): void {
    if (this.#closed || this.paused) return
    const inbox = this.#inbox
    this.#inbox = []
    try {
      for (const bytes of inbox) this.#feed(bytes)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      this.#frames.stop()
      if (this.#handler!.onBroken === undefined) return this.abort(error)
      this.#handler!.onBroken(error)
    }
    this.peer.#wakeSender()
    if (!this.#closing || this.#inbox.length > 0) return
    if (this.#frames.insideFrame) this.abort(linkCutError())
    else this.die(null)
  }

  #feed (bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length && !this.#closed;) {
      const room = this.#frames.claim()
      const piece = bytes.subarray(offset, offset + Math.min(room.length, Math.max(1, this.#pieceBytes())))
      room.set(piece)
      offset += piece.length
      this.peer.#pendingBytes = Math.max(0, this.peer.#pendingBytes - piece.length)
      this.#frames.commit(piece.length)
    }
  }

  #wakeSender (): void {
    if (
      !this.#refusedSender ||
      this.#ended ||
      this.#claims >= this.#maxClaims ||
      this.#pendingBytes > this.#highWaterBytes / 2
    ) {
      return
    }
    this.#refusedSender = false
    this.#handler?.onWritable()
  }
}
