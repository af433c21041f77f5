import { copyBytes } from '../../base/copy-bytes.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType } from '../../frame/layout.js'
import type { ShmEndpoint, ShmSide } from '../../shm/endpoint.js'
import { CONSTANT_PAYLOAD, DescriptorOffset, INLINE_PAYLOAD } from '../../shm/layout.js'
import { invalid } from '../../shm/ring.js'
import type { Segment } from '../../shm/segment-memory.js'
import { SlotPool } from '../../shm/slot-pool.js'
import type { TransportCounters } from '../transport.js'
import { ConstantMemory } from './constant-memory.js'
import { ShmClaim } from './slot-claim.js'

/**
 * DATA frames are handed over until this much lies unread by the peer: it finds enough for a turn, and a small frame
 * never queues behind more.
 */
const HIGH_WATER_BYTES = 1024 * 1024

/** Claims for short payloads that may exist at one time. */
const MAX_INLINE_CLAIMS = 4096

/** A pool that gives nothing back for so long is held by readers that have stalled. */
const STARVING_AFTER_MS = 20

/** Control frames that do not fit into the ring wait here; a peer that leaves this many unread is given up. */
const MAX_WAITING_FRAMES = 65_536

/** The half of a segment that this side fills: its slots and its descriptors. */
export class ShmSender {
  readonly pool: SlotPool
  readonly constants: ConstantMemory
  readonly #endpoint: ShmEndpoint
  readonly #counters: TransportCounters
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #ring: number
  readonly #descriptorBytes: number
  readonly #inlineBytes: number
  readonly #poison: number | null
  readonly #slotClaims: ShmClaim[]
  readonly #freeInlineClaims: ShmClaim[] = []
  #inlineClaims = 0
  /** Payload bytes sent up to and including each entry of the ring, and in all. */
  readonly #sentUpTo: Float64Array
  #sentBytes = 0
  /** Frames for which the ring has no room. */
  #waiting: WaitingFrame[] = []
  readonly #onStarving: () => void
  /** A claim was refused, and memory has come back since. */
  #refused = false
  #gained = false
  /** The pool is empty, and nothing has come back for a while: who has no slot sends without one. */
  #starving = false
  #starvingTimer: NodeJS.Timeout | null = null
  /** `writable` was seen to be false. */
  sawFull = false

  /** `onStarving` is called when claims that were refused may succeed although nothing has come back. */
  constructor (
    endpoint: ShmEndpoint,
    { buffer, layout }: Segment,
    side: ShmSide,
    words: Int32Array,
    counters: TransportCounters,
    poison: number | null,
    onStarving: () => void
  ) {
    const {
      sizes: { slots, slotBytes, ringEntries, inlineBytes, constantBytes },
      descriptorBytes,
      directions
    } = layout
    this.#endpoint = endpoint
    this.#counters = counters
    this.#words = words
    this.#bytes = new Uint8Array(buffer)
    this.#ring = directions[side].ring
    this.#descriptorBytes = descriptorBytes
    this.#inlineBytes = inlineBytes
    this.#poison = poison
    this.#onStarving = onStarving
    this.pool = new SlotPool(slots)
    this.constants = new ConstantMemory(buffer, directions[side], constantBytes, words)
    this.#slotClaims = Array.from(
      { length: slots },
      (_, slot) => new ShmClaim(slot, new Uint8Array(buffer, directions[side].slots + slot * slotBytes, slotBytes))
    )
    this.#sentUpTo = new Float64Array(ringEntries)
  }

  // --- Memory

  /**
   * Short payloads need no slot. A channel over its share waits until slots come back; where none do because readers
   * have stalled, one that has no slot gets an inline claim, however much it wants: slow, but it goes on.
   */
  tryClaim (bytes: number, channelId: number): ShmClaim | null {
    if (!this.canClaim(bytes, channelId)) return null
    const slot = bytes > this.#inlineBytes ? this.pool.tryClaim(channelId) : INLINE_PAYLOAD
    if (slot >= 0) return this.#slotClaims[slot]!.open(bytes)
    this.#inlineClaims++
    return (this.#freeInlineClaims.pop() ?? new ShmClaim(INLINE_PAYLOAD, new Uint8Array(this.#inlineBytes))).open(bytes)
  }

  canClaim (bytes: number, channelId: number): boolean {
    const needsSlot = bytes > this.#inlineBytes
    if (needsSlot && this.#canClaimSlot(channelId)) return true
    if (
      this.#inlineClaims < MAX_INLINE_CLAIMS &&
      (!needsSlot || (this.#starving && this.pool.heldBy(channelId) === 0))
    ) {
      return true
    }
    this.#refused = true
    this.#gained = false
    this.#starvingTimer ??= setTimeout(() => {
      this.#handleTimer()
    }, STARVING_AFTER_MS)
    return false
  }

  #handleTimer (): void {
    this.#starvingTimer = null
    if (!this.#refused || this.#gained || this.#starving) return
    this.#starving = this.#gained = true
    this.#onStarving()
  }

  #gain (): void {
    this.#gained = true
    this.#starving = false
  }

  /** No timer runs any more. */
  stop (): void {
    if (this.#starvingTimer !== null) clearTimeout(this.#starvingTimer)
  }

  /** Somebody was refused, or found `writable` false: this side is to be woken when the peer makes room. */
  get wantsRoom (): boolean {
    return this.#refused || this.sawFull || this.#waiting.length > 0
  }

  /** Whether what was refused may succeed now. Tells so once. */
  tryRecover (): boolean {
    const recovered = (this.#refused && this.#gained) || (this.sawFull && this.writable)
    if (recovered) this.#refused = this.sawFull = false
    return recovered
  }

  /** A claim that was not sent. */
  release (claim: ShmClaim): void {
    if (claim.slot <= CONSTANT_PAYLOAD) return this.constants.abandon(claim)
    if (claim.slot === INLINE_PAYLOAD) {
      if (this.#inlineClaims-- === MAX_INLINE_CLAIMS) this.#gained = true
      this.#freeInlineClaims.push(claim)
      return
    }
    this.#gain()
    this.#poisonSlot(claim.slot)
    this.pool.release(claim.slot)
  }

  /** Takes back the slots that the peer is done with. */
  takeReleases (): void {
    const { peerReleases } = this.#endpoint
    if (!peerReleases.refresh()) return
    const first = this.#endpoint.releaseRingOf('peer')
    for (let place = peerReleases.tryNext(); place >= 0; place = peerReleases.tryNext()) {
      const slot = this.#words[first + place]!
      if (!this.pool.tryReturn(slot)) {
        throw invalid(`it may give back a slot that it was sent, once: it gives back ${slot}`)
      }
      this.#poisonSlot(slot)
    }
    this.#gain()
  }

  /** Memory that this side's users may still write to. */
  get claims (): number {
    return this.pool.claimed
  }

  #canClaimSlot (channelId: number): boolean {
    if (this.pool.canClaim(channelId)) return true
    this.takeReleases()
    return this.pool.canClaim(channelId)
  }

  #poisonSlot (slot: number): void {
    if (this.#poison !== null) this.#slotClaims[slot]!.memory.fill(this.#poison)
  }

  // --- Frames

  get writable (): boolean {
    const writable = this.#waiting.length === 0 && (this.#hasRoom || (this.#endpoint.frames.refresh() && this.#hasRoom))
    if (!writable) this.sawFull = true
    return writable
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
    if (!inline) {
      if (claim.slot >= 0) this.pool.send(claim.slot)
      this.#put(FrameType.DATA, channelId, 0, flags, bytes, claim.slot, null)
      return
    }
    this.#put(FrameType.DATA, channelId, 0, flags, bytes, INLINE_PAYLOAD, claim.view)
    this.release(claim)
  }

  send (type: FrameType, channelId: number, argument: number, flags: number, payload: Uint8Array): void {
    this.#put(type, channelId, argument, flags, payload.length, INLINE_PAYLOAD, payload)
  }

  /** Moves frames that waited into the ring, as far as there is room. Returns whether there were any. */
  takeWaiting (): boolean {
    if (this.#waiting.length === 0) return false
    // Whether the peer has read just now does not matter: going to sleep looks, too, and may have been the first to see
    // it.
    this.#endpoint.frames.refresh()
    const waiting = this.#waiting
    let moved = 0
    for (; moved < waiting.length; moved++) {
      const place = this.#endpoint.frames.tryNext()
      if (place < 0) break
      const { type, channelId, argument, flags, bytes, slot, payload } = waiting[moved]!
      this.#write(place, type, channelId, argument, flags, bytes, slot, payload)
    }
    waiting.splice(0, moved)
    return moved > 0
  }

  #put (
    type: FrameType,
    channelId: number,
    argument: number,
    flags: number,
    bytes: number,
    slot: number,
    payload: Uint8Array | null
  ): void {
    this.#counters.framesSent++
    const { frames } = this.#endpoint
    let place = -1
    if (this.#waiting.length === 0) {
      place = frames.tryNext()
      if (place < 0 && frames.refresh()) place = frames.tryNext()
    }
    if (place >= 0) return this.#write(place, type, channelId, argument, flags, bytes, slot, payload)
    if (this.#waiting.length >= MAX_WAITING_FRAMES) {
      throw new TunnelError(
        ErrorCode.LIMIT,
        `Cannot send to the peer: ${frames.capacity + this.#waiting.length} frames wait unread, and no more may: it ` +
        'stopped reading'
      )
    }
    this.#waiting.push({ type, channelId, argument, flags, bytes, slot, payload: payload?.slice(0, bytes) ?? null })
  }

  #write (
    place: number,
    type: FrameType,
    channelId: number,
    argument: number,
    flags: number,
    bytes: number,
    slot: number,
    payload: Uint8Array | null
  ): void {
    const offset = this.#ring + place * this.#descriptorBytes
    encodeHeader(this.#bytes, offset, { type, channelId, payloadBytes: bytes, flags, argument })
    this.#words[(offset + DescriptorOffset.SLOT) >> 2] = slot
    if (payload !== null) copyBytes(payload, 0, bytes, this.#bytes, offset + DescriptorOffset.INLINE)
    this.#sentBytes += bytes
    this.#sentUpTo[place] = this.#sentBytes
  }
}

interface WaitingFrame {
  readonly type: FrameType
  readonly channelId: number
  readonly argument: number
  readonly flags: number
  readonly bytes: number
  readonly slot: number
  readonly payload: Uint8Array | null
}
