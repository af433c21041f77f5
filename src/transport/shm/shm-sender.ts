import { copyBytes } from '../../base/copy-bytes.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { emptyHeader, encodeHeader, type FrameHeader } from '../../frame/header.js'
import { FrameType } from '../../frame/layout.js'
import type { ShmEndpoint } from '../../shm/endpoint.js'
import { CONSTANT_PAYLOAD, DescriptorOffset, INLINE_PAYLOAD } from '../../shm/layout.js'
import type { TransportCounters } from '../transport.js'
import { ClaimMemory, type ClaimMemoryParts } from './claim-memory.js'
import type { ShmClaim } from './slot-claim.js'

/**
 * DATA frames are handed over until this much lies unread by the peer: it finds enough for a turn, and a small frame
 * never queues behind more.
 */
const HIGH_WATER_BYTES = 1024 * 1024

/** Control frames that do not fit into the ring wait here; a peer that leaves this many unread is given up. */
const MAX_WAITING_FRAMES = 65_536

export interface ShmSenderParts extends ClaimMemoryParts {
  readonly counters: TransportCounters
}

/** The half of a segment that this side fills: its descriptors, and through `memory` what they name. */
export class ShmSender {
  readonly memory: ClaimMemory
  readonly #endpoint: ShmEndpoint
  readonly #counters: TransportCounters
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #ring: number
  readonly #descriptorBytes: number
  readonly #inlineBytes: number
  /** Payload bytes sent up to and including each entry of the ring, and in all. */
  readonly #sentUpTo: Float64Array
  #sentBytes = 0
  /** The frame at hand: reused, so that none is allocated. */
  readonly #frame: OutgoingFrame = { ...emptyHeader(), slot: INLINE_PAYLOAD }
  /** Frames for which the ring has no room. */
  readonly #waiting: WaitingFrame[] = []
  readonly #onBroken: (error: unknown) => void
  /** `writable` was seen to be false. */
  #sawFull = false

  constructor (parts: ShmSenderParts) {
    const { endpoint, segment: { buffer, layout }, side, words, counters, onBroken } = parts
    this.memory = new ClaimMemory(parts)
    this.#endpoint = endpoint
    this.#counters = counters
    this.#words = words
    this.#bytes = new Uint8Array(buffer)
    this.#ring = layout.directions[side].ring
    this.#descriptorBytes = layout.descriptorBytes
    this.#inlineBytes = layout.sizes.inlineBytes
    this.#sentUpTo = new Float64Array(layout.sizes.ringEntries)
    this.#onBroken = onBroken
  }

  /** This side is to be woken when the peer makes room. */
  get wantsRoom (): boolean {
    return this.memory.hasRefused || this.#sawFull || this.#waiting.length > 0
  }

  /** Whether what was refused may succeed now. Tells so once. */
  tryRecover (): boolean {
    const recovered = this.memory.mayRetry || (this.#sawFull && this.writable)
    if (recovered) {
      this.memory.handleRetry()
      this.#sawFull = false
    }
    return recovered
  }

  get writable (): boolean {
    const writable = this.#waiting.length === 0 && (this.#hasRoom || (this.#lookForReads() && this.#hasRoom))
    if (!writable) this.#sawFull = true
    return writable
  }

  /** Looks how far the peer has read. Returns whether it has gone on. */
  #lookForReads (): boolean {
    try {
      return this.#endpoint.frames.refresh()
    } catch (error) {
      this.#onBroken(error)
      return false
    }
  }

  /** Half of the ring is for control frames. */
  get #hasRoom (): boolean {
    const { frames } = this.#endpoint
    const { used, capacity } = frames
    if (used === 0) return true
    const readBytes = this.#sentUpTo[(frames.taken - 1) & (capacity - 1)]!
    return used < capacity / 2 && this.#sentBytes - readBytes < HIGH_WATER_BYTES
  }

  /** Everything handed over lies in the ring. */
  get drained (): boolean {
    return this.#waiting.length === 0
  }

  /** Writes the descriptor of a committed claim, whose memory is the transport's from here on. */
  sendData (claim: ShmClaim, channelId: number, flags: number): void {
    const bytes = claim.committedBytes
    const inline = bytes <= this.#inlineBytes && claim.slot > CONSTANT_PAYLOAD
    this.#counters[inline || claim.copied ? 'copiedBytesSent' : 'zeroCopyBytesSent'] += bytes
    this.#counters.payloadBytesSent += bytes
    const frame = this.#frame
    frame.type = FrameType.DATA
    frame.channelId = channelId
    frame.payloadBytes = bytes
    frame.flags = flags
    frame.argument = 0
    frame.slot = inline ? INLINE_PAYLOAD : claim.slot
    if (!inline && claim.slot >= 0) this.memory.pool.send(claim.slot)
    this.#put(frame, inline ? claim.view : null)
    if (inline) this.memory.free(claim)
  }

  send (type: FrameType, channelId: number, argument: number, flags: number, payload: Uint8Array): void {
    const frame = this.#frame
    frame.type = type
    frame.channelId = channelId
    frame.payloadBytes = payload.length
    frame.flags = flags
    frame.argument = argument
    frame.slot = INLINE_PAYLOAD
    this.#put(frame, payload)
  }

  /** Moves frames that waited into the ring, as far as there is room. Returns whether there were any. */
  takeWaiting (): boolean {
    if (this.#waiting.length === 0) return false
    // Whether the peer has read just now does not matter: going to sleep looks, too, and may have been the first to see
    // it.
    this.#lookForReads()
    const waiting = this.#waiting
    let moved = 0
    for (; moved < waiting.length; moved++) {
      const place = this.#endpoint.frames.tryNext()
      if (place < 0) break
      const { frame, payload } = waiting[moved]!
      this.#write(place, frame, payload)
    }
    waiting.splice(0, moved)
    return moved > 0
  }

  /** Into the ring, or behind the frames for which it has no room. */
  #put (frame: OutgoingFrame, payload: Uint8Array | null): void {
    this.#counters.framesSent++
    const { frames } = this.#endpoint
    let place = -1
    if (this.#waiting.length === 0) {
      place = frames.tryNext()
      if (place < 0 && this.#lookForReads()) place = frames.tryNext()
    }
    if (place >= 0) return this.#write(place, frame, payload)
    if (this.#waiting.length >= MAX_WAITING_FRAMES) {
      const unread = frames.capacity + this.#waiting.length
      return this.#onBroken(new TunnelError(
        ErrorCode.LIMIT,
        `Cannot send to the peer: ${unread} frames wait unread, and no more may: it stopped reading`
      ))
    }
    this.#waiting.push({ frame: { ...frame }, payload: payload?.slice(0, frame.payloadBytes) ?? null })
  }

  /** `payload` travels in the descriptor; null: it lies in a slot, or in the constants. */
  #write (place: number, frame: OutgoingFrame, payload: Uint8Array | null): void {
    const { payloadBytes } = frame
    const offset = this.#ring + place * this.#descriptorBytes
    encodeHeader(this.#bytes, offset, frame)
    this.#words[(offset + DescriptorOffset.SLOT) >> 2] = frame.slot
    if (payload !== null) copyBytes(payload, 0, payloadBytes, this.#bytes, offset + DescriptorOffset.INLINE)
    this.#sentBytes += payloadBytes
    this.#sentUpTo[place] = this.#sentBytes
  }
}

/** All of a frame but its payload. */
interface OutgoingFrame extends FrameHeader {
  /** What goes into the descriptor: see `ShmClaim.slot`. */
  slot: number
}

interface WaitingFrame {
  readonly frame: OutgoingFrame
  readonly payload: Uint8Array | null
}
