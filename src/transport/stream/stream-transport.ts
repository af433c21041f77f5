import type { Address } from '../../base/address.js'
import { NO_BYTES } from '../../base/copy-bytes.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import type { Engine, Reader, Socket } from '../../engine/engine.js'
import { FrameReader, linkCutError } from '../../frame/frame-reader.js'
import { emptyHeader, encodeHeader, type FrameHeader } from '../../frame/header.js'
import { FrameType, HELLO_MAX_BYTES } from '../../frame/layout.js'
import {
  type Claim,
  emptyTransportCounters,
  type Transport,
  type TransportHandler,
  type TransportKind
} from '../transport.js'
import { type ArenaChunk, ArenaClaim, SendArena } from './send-arena.js'
import { ConstantClaim, type StreamConstant, StreamConstants } from './stream-constant.js'

/**
 * DATA frames are taken until this much waits for the kernel: enough to keep it busy, and all that a small frame ever
 * queues behind.
 */
const HIGH_WATER_BYTES = 128 * 1024
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2

/** Control frames are not held back; a peer that leaves this much unread is given up. */
const MAX_PENDING_BYTES = HIGH_WATER_BYTES + 1024 * 1024

/**
 * 4 MiB of outgoing frames; then reads pause. Many times what a link holds at one time, and little enough to stay in
 * caches.
 */
const MAX_ARENA_CHUNKS = 16
const RESERVED_ARENA_CHUNKS = 4

/** Up to this length copying a constant behind its header is cheaper than one more system call. */
const COPIED_CONSTANT_BYTES = 8192

/**
 * Frames over a byte stream: a Unix socket. Payloads are written from where they were read into; the receiver hands
 * large ones out where they arrived.
 */
export class StreamTransport implements Transport {
  readonly kind = 'stream'
  readonly counters = emptyTransportCounters()
  readonly constants = new StreamConstants()
  readonly #header: FrameHeader = { ...emptyHeader(), type: FrameType.DATA }
  readonly #arena = new SendArena(MAX_ARENA_CHUNKS, RESERVED_ARENA_CHUNKS)
  readonly #frames: FrameReader
  #socket: Socket | null = null
  #handler: TransportHandler | null = null
  #segments: Segment[] = []
  #unflushedBytes = 0
  /** `writable` was seen to be false. */
  #sawFull = false
  /** The smallest claim refused for want of memory; 0: none. */
  #refusedBytes = 0
  /** No frame leaves any more. */
  #ended = false
  /** Nor is any delivered. */
  #closed = false
  #gone = false
  #error: TunnelError | null = null

  private constructor () {
    this.#frames = new FrameReader(HELLO_MAX_BYTES, {
      onFrame: (header, payload, release, copied) => { this.#deliver(header, payload, release, copied) }
    })
  }

  /** The accepting side: call inside `onSocket`. */
  static accept (socket: Socket): StreamTransport {
    const transport = new StreamTransport()
    transport.#socket = socket
    socket.start(transport.#reader())
    return transport
  }

  /** The connecting side. A failed connect is an `onClose()` with the engine's error. */
  static connect (engine: Engine, address: Address, timeoutMs: number): StreamTransport {
    const transport = new StreamTransport()
    transport.#socket = engine.connect(address, transport.#reader(), { timeoutMs })
    return transport
  }

  start (handler: TransportHandler): void {
    this.#handler = handler
    if (this.#gone) handler.onClose(this.#error)
    else this.#socket!.resume()
  }

  setMaxPayloadBytes (bytes: number): void {
    this.#frames.maxPayloadBytes = bytes
  }

  // --- Sending

  claim (bytes: number): ArenaClaim | null {
    if (this.canClaim(bytes)) return this.#arena.claim(bytes)
    this.counters.exhausted++
    return null
  }

  canClaim (bytes: number): boolean {
    if (!this.#ended && this.#arena.canClaim(bytes)) return true
    this.#refusedBytes = this.#refusedBytes === 0 ? bytes : Math.min(this.#refusedBytes, bytes)
    return false
  }

  /** Chunks come back one by one, each with room for a few frames. */
  get room (): number { return 0 }

  commit (claim: Claim, bytes: number, copied = false): void {
    (claim as ArenaClaim).commit(bytes, copied)
  }

  abandon (claim: Claim): void {
    if (claim instanceof ConstantClaim) {
      claim.constant.uses--
      return
    }
    this.#arena.abandon(claim as ArenaClaim)
    this.#wakeSender()
  }

  sendData (claim: Claim, channelId: number, flags: number): void {
    if (claim instanceof ConstantClaim) return this.#sendConstant(claim, channelId, flags)
    const frame = claim as ArenaClaim
    if (this.#ended) return this.#arena.abandon(frame)
    const bytes = frame.committedBytes
    encodeHeader(frame.chunk.bytes, frame.start, this.#dataHeader(channelId, bytes, flags))
    this.counters.payloadBytesSent += bytes
    this.counters[frame.copied ? 'copiedBytesSent' : 'zeroCopyBytesSent'] += bytes
    this.#append(frame)
  }

  /** Of a DATA frame. It is used again for the next. */
  #dataHeader (channelId: number, payloadBytes: number, flags: number): FrameHeader {
    const header = this.#header
    header.channelId = channelId
    header.payloadBytes = payloadBytes
    header.flags = flags
    return header
  }

  /** The header, and behind it the constant: a copy of a short one, a long one from where it lies. */
  #sendConstant (claim: ConstantClaim, channelId: number, flags: number): void {
    if (this.#ended) return this.abandon(claim)
    const { constant, offset, committedBytes: bytes } = claim
    const copied = bytes <= COPIED_CONSTANT_BYTES
    const frame = this.#arena.claim(copied ? bytes : 0, true)!
    if (copied) frame.view.set(claim.view)
    frame.commit(copied ? bytes : 0, copied)
    encodeHeader(frame.chunk.bytes, frame.start, this.#dataHeader(channelId, bytes, flags))
    this.counters.payloadBytesSent += bytes
    this.counters[copied ? 'copiedBytesSent' : 'zeroCopyBytesSent'] += bytes
    this.#append(frame)
    if (copied) {
      constant.uses--
      return
    }
    this.#segments.push({ chunk: null, constant, start: offset, end: offset + bytes, frames: 0 })
    this.#unflushedBytes += bytes
  }

  send (type: FrameType, channelId: number, argument: number, flags = 0, payload: Uint8Array = NO_BYTES): void {
    if (this.#ended) return
    if (this.#pendingBytes > MAX_PENDING_BYTES) {
      this.abort(
        new TunnelError(
          ErrorCode.LIMIT,
          `Cannot send to the peer: ${this.#pendingBytes} bytes wait unread, and at most ${MAX_PENDING_BYTES} may: ` +
          'it stopped reading'
        )
      )
      return
    }
    const frame = this.#arena.claim(payload.length, true)!
    frame.view.set(payload)
    frame.commit(payload.length)
    encodeHeader(frame.chunk.bytes, frame.start, { type, channelId, payloadBytes: payload.length, flags, argument })
    this.#append(frame)
  }

  get writable (): boolean {
    const writable = !this.#ended && this.#pendingBytes < HIGH_WATER_BYTES
    if (!writable) this.#sawFull = true
    return writable
  }

  flush (): void {
    const segments = this.#segments
    if (segments.length === 0) return
    this.#segments = []
    this.#unflushedBytes = 0
    this.counters.flushes++
    for (const segment of segments) {
      const { chunk, constant } = segment
      this.#socket!.write(
        (chunk === null ? constant.content : chunk.bytes).subarray(segment.start, segment.end),
        () => {
          if (chunk === null) constant.uses--
          else this.#arena.release(chunk, segment.frames)
          this.#wakeSender()
        }
      )
    }
  }

  #append (frame: ArenaClaim): void {
    this.counters.framesSent++
    this.#unflushedBytes += frame.end - frame.start
    const last = this.#segments.at(-1)
    if (last !== undefined && last.chunk === frame.chunk && last.end === frame.start) {
      last.end = frame.end
      last.frames++
    } else {
      this.#segments.push({ chunk: frame.chunk, constant: null, start: frame.start, end: frame.end, frames: 1 })
    }
  }

  get #pendingBytes (): number {
    return this.#unflushedBytes + this.#socket!.pendingBytes
  }

  #wakeSender (): void {
    if (this.#ended || this.#pendingBytes > LOW_WATER_BYTES) return
    // Full and out of memory are two things: claims that wait for their turn can hold all memory while the link is
    // idle.
    const hasMemory = this.#refusedBytes > 0 && this.#arena.canClaim(this.#refusedBytes)
    if (!this.#sawFull && !hasMemory) return
    this.#sawFull = false
    if (hasMemory) this.#refusedBytes = 0
    this.#handler?.onWritable()
  }

  /** The socket is all there is. */
  offer (request: Uint8Array | null): Uint8Array {
    if (request !== null) this.attach(request)
    return NO_BYTES
  }

  attach (ticket: Uint8Array): void {
    if (ticket.length > 0) {
      throw new TunnelError(
        ErrorCode.PROTOCOL,
        `Cannot accept HELLO: it must have nothing at its end for a stream transport: it has ${ticket.length} bytes`
      )
    }
  }

  close (): void {
    if (this.#ended) return
    this.flush()
    this.#ended = true
    this.#socket!.shutdown()
  }

  abort (error: TunnelError): void {
    if (this.#closed) return
    this.#ended = this.#closed = true
    this.#error = error
    this.#frames.stop()
    this.#segments = []
    this.#socket!.abort()
  }

  // --- Receiving

  #reader (): Reader {
    return {
      claimReserves: false,
      claim: () => this.#handler === null ? null : this.#frames.claim(),
      commit: (bytes) => { this.#receive(bytes) },
      end: () => {
        if (this.#frames.insideFrame) this.abort(linkCutError())
        else this.close()
      },
      close: (error) => {
        this.#ended = this.#closed = this.#gone = true
        this.#error ??= error
        this.#frames.stop()
        this.#handler?.onClose(this.#error)
      }
    }
  }

  #receive (bytes: number): void {
    if (this.#closed) return
    try {
      this.#frames.commit(bytes)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      this.#frames.stop()
      if (this.#handler!.onBroken === undefined) this.abort(error)
      else this.#handler!.onBroken(error)
    }
  }

  #deliver (header: FrameHeader, payload: Uint8Array, release: () => void, copied: boolean): void {
    this.counters.framesReceived++
    if (header.type === FrameType.DATA) {
      this.counters.payloadBytesReceived += payload.length
      this.counters[copied ? 'copiedBytesReceived' : 'zeroCopyBytesReceived'] += payload.length
    }
    this.#handler!.onFrame(header, payload, release)
  }
}

export const streamTransport: TransportKind = {
  kind: 'stream',
  check () {},
  accept: (_engine, socket) => StreamTransport.accept(socket),
  connect: (engine, address, timeoutMs) => StreamTransport.connect(engine, address, timeoutMs)
}

/** Frames that leave as one write, or part of a constant. */
type Segment = {
  readonly start: number
  end: number
  frames: number
} & (
  { readonly chunk: ArenaChunk; readonly constant: null } | { readonly chunk: null; readonly constant: StreamConstant }
)
