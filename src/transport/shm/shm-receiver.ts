import { NO_BYTES } from '../../base/copy-bytes.js'
import { CopyPool } from '../../base/copy-pool.js'
import { decodeHeader, emptyHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES, HELLO_MAX_BYTES } from '../../frame/layout.js'
import type { ShmEndpoint, ShmSide } from '../../shm/endpoint.js'
import { CONSTANT_PAYLOAD, CONSTANT_UNIT_BYTES, DescriptorOffset, INLINE_PAYLOAD } from '../../shm/layout.js'
import { invalid } from '../../shm/ring.js'
import type { Segment } from '../../shm/segment-memory.js'
import type { TransportCounters, TransportHandler } from '../transport.js'

/** Frames delivered in one go, before other sockets of this thread have their turn. */
const BATCH_FRAMES = 256

/**
 * The half of a segment that the peer fills. Nothing in it is believed: a descriptor is copied out first, and checked
 * then.
 */
export class ShmReceiver {
  maxPayloadBytes = HELLO_MAX_BYTES
  readonly #endpoint: ShmEndpoint
  readonly #counters: TransportCounters
  readonly #buffer: ArrayBufferLike
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #ring: number
  readonly #descriptorBytes: number
  readonly #inlineBytes: number
  readonly #slotBytes: number
  readonly #slotsOffset: number
  readonly #returnRing: number
  readonly #constants: number
  readonly #constantBytes: number
  readonly #constantReturns: number
  /** Payloads that began in each unit and that the user is done with. */
  readonly #returned: Int32Array
  /** What was last delivered from each unit, and how it is released: constants repeat. */
  readonly #units: Array<ConstantUnit | undefined> = []
  /** 1: the user holds the payload in this slot. */
  readonly #held: Uint8Array
  /** What the last payload of each slot was handed on as: the next one may be as long. */
  readonly #inbound: Array<{ view: Uint8Array; readonly release: () => void }> = []
  readonly #copies = new CopyPool()
  #heldCount = 0
  readonly #header = emptyHeader()
  /** The descriptor at hand, where the peer cannot change it. */
  readonly #headerWords = new Int32Array(HEADER_BYTES / 4)
  readonly #headerBytes = new Uint8Array(this.#headerWords.buffer)
  readonly #onReturn: () => void
  #stopped = false

  /** `onReturn` is called when memory was given back, to be published some time. */
  constructor (
    endpoint: ShmEndpoint,
    { buffer, layout }: Segment,
    side: ShmSide,
    words: Int32Array,
    counters: TransportCounters,
    onReturn: () => void
  ) {
    const {
      sizes: { slots, slotBytes, inlineBytes, constantBytes },
      descriptorBytes,
      directions
    } = layout
    const peer = directions[(1 - side) as ShmSide]
    this.#endpoint = endpoint
    this.#counters = counters
    this.#buffer = buffer
    this.#words = words
    this.#bytes = new Uint8Array(buffer)
    this.#ring = peer.ring
    this.#descriptorBytes = descriptorBytes
    this.#inlineBytes = inlineBytes
    this.#slotBytes = slotBytes
    this.#slotsOffset = peer.slots
    this.#returnRing = endpoint.returnRingOf('own')
    this.#constants = peer.constants
    this.#constantBytes = constantBytes
    this.#constantReturns = peer.constantReturns >> 2
    this.#returned = new Int32Array(constantBytes / CONSTANT_UNIT_BYTES)
    this.#held = new Uint8Array(slots)
    this.#onReturn = onReturn
  }

  /** Payloads that this side's users have not released. */
  get held (): number {
    return this.#heldCount
  }

  /**
   * Delivers up to a batch of frames, and no more than `limit`. Returns how many there were. Throws
   * ERR_TUNNEL_PROTOCOL.
   */
  deliver (handler: TransportHandler, limit = BATCH_FRAMES): number {
    const { peerFrames } = this.#endpoint
    if (this.#stopped || !peerFrames.refresh()) return 0
    const batch = Math.min(limit, BATCH_FRAMES)
    let delivered = 0
    for (; delivered < batch && !this.#stopped; delivered++) {
      const place = peerFrames.tryNext()
      if (place < 0) break
      this.#deliverOne(this.#ring + place * this.#descriptorBytes, handler)
    }
    return delivered
  }

  /** Nothing is delivered any more; what is held may still be released. */
  stop (): void {
    this.#stopped = true
  }

  #deliverOne (offset: number, handler: TransportHandler): void {
    const word = offset >> 2
    for (let i = 0; i < HEADER_BYTES / 4; i++) this.#headerWords[i] = this.#words[word + i]!
    const slot = this.#words[(offset + DescriptorOffset.SLOT) >> 2]!
    const header = this.#header
    decodeHeader(
      this.#headerBytes,
      0,
      slot <= CONSTANT_PAYLOAD ? Math.max(this.maxPayloadBytes, this.#constantBytes) : this.maxPayloadBytes,
      header
    )
    const bytes = header.payloadBytes
    const counters = this.#counters
    if (slot === INLINE_PAYLOAD) {
      if (bytes > this.#inlineBytes) {
        throw invalid(`an inline payload must be at most ${this.#inlineBytes} bytes: it is ${bytes}`)
      }
      counters.framesReceived++
      if (bytes === 0) return handler.onFrame(header, NO_BYTES, nothing)
      if (header.type === FrameType.DATA) {
        counters.payloadBytesReceived += bytes
        counters.copiedBytesReceived += bytes
      }
      // Its place in the ring is needed again before the user may be done with it.
      const copy = this.#copies.copy(this.#bytes, offset + DescriptorOffset.INLINE, bytes)
      return handler.onFrame(header, copy.view, copy.release)
    }
    if (slot <= CONSTANT_PAYLOAD) return this.#deliverConstant(CONSTANT_PAYLOAD - slot, bytes, handler)
    if (slot < 0 || slot >= this.#held.length) {
      throw invalid(
        `a slot must be from 0 to ${this.#held.length - 1}, or below 0 for a payload that lies elsewhere: it is ${slot}`
      )
    }
    if (header.type !== FrameType.DATA || bytes === 0 || bytes > this.#slotBytes) {
      throw invalid(
        `a slot must hold a DATA payload of 1 to ${this.#slotBytes} bytes: it holds ${bytes} of frame type ` +
        `${header.type}`
      )
    }
    if (this.#held[slot] === 1) throw invalid(`slot ${slot} was sent again before it was given back`)
    this.#held[slot] = 1
    this.#heldCount++
    counters.framesReceived++
    counters.payloadBytesReceived += bytes
    counters.zeroCopyBytesReceived += bytes
    const inbound = (this.#inbound[slot] ??= {
      view: NO_BYTES,
      release: () => {
        this.#returnSlot(slot)
      }
    })
    if (inbound.view.length !== bytes) {
      inbound.view = new Uint8Array(this.#buffer, this.#slotsOffset + slot * this.#slotBytes, bytes)
    }
    handler.onFrame(header, inbound.view, inbound.release)
  }

  #deliverConstant (offset: number, bytes: number, handler: TransportHandler): void {
    const header = this.#header
    if (header.type !== FrameType.DATA || bytes === 0 || offset + bytes > this.#constantBytes) {
      throw invalid(
        `a constant must be a DATA payload within the ${this.#constantBytes} bytes of constants: ${bytes} of frame ` +
        `type ${header.type} lie at ${offset}`
      )
    }
    this.#heldCount++
    const counters = this.#counters
    counters.framesReceived++
    counters.payloadBytesReceived += bytes
    counters.zeroCopyBytesReceived += bytes
    const index = Math.floor(offset / CONSTANT_UNIT_BYTES)
    let unit = this.#units[index]
    if (unit === undefined) {
      unit = this.#units[index] = {
        offset: -1,
        view: NO_BYTES,
        release: () => {
          this.#returnConstant(index)
        }
      }
    }
    if (unit.offset !== offset || unit.view.length !== bytes) {
      unit.offset = offset
      unit.view = new Uint8Array(this.#buffer, this.#constants + offset, bytes)
    }
    handler.onFrame(header, unit.view, unit.release)
  }

  #returnConstant (unit: number): void {
    this.#heldCount--
    // Nobody waits for it: the sender looks when it wants to write there again.
    if (!this.#stopped) Atomics.store(this.#words, this.#constantReturns + unit, ++this.#returned[unit]!)
    else this.#onReturn()
  }

  #returnSlot (slot: number): void {
    this.#held[slot] = 0
    this.#heldCount--
    if (!this.#stopped) this.#words[this.#returnRing + this.#endpoint.returns.next()] = slot
    this.#onReturn()
  }
}

interface ConstantUnit {
  offset: number
  view: Uint8Array
  readonly release: () => void
}

function nothing (): void {}
