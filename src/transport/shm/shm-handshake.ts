import { ShmSide } from '../../shm/endpoint.js'
import { WordOffset } from '../../shm/layout.js'
import type { Segment, SegmentMemory, SegmentRequest } from '../../shm/segment-memory.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'

/**
 * How two sides come to share a segment: the plugin requests one, the host makes it and answers, the plugin attaches
 * it and says so in it.
 */
export class ShmHandshake {
  readonly #side: ShmSide
  readonly #memory: SegmentMemory
  readonly #sizes: SegmentSizes
  #request: SegmentRequest | null = null
  #settleOffer: (() => void) | null = null
  #words: Int32Array | null = null

  constructor (side: ShmSide, memory: SegmentMemory, sizes: SegmentSizes) {
    this.#side = side
    this.#memory = memory
    this.#sizes = sizes
  }

  /** What the host has to be told. */
  request (): Uint8Array {
    this.#request = this.#memory.request()
    return this.#request.bytes
  }

  /** Makes a segment for `request`. Throws as `SegmentMemory.offer()`. */
  offer (request: Uint8Array): { readonly segment: Segment, readonly ticket: Uint8Array } {
    const { segment, ticket, settle } = this.#memory.offer(request, this.#sizes)
    this.#settleOffer = settle
    this.#words = new Int32Array(segment.buffer)
    return { segment, ticket }
  }

  /** Throws as `SegmentRequest.attach()`. */
  attach (ticket: Uint8Array): Segment {
    const segment = this.#request!.attach(ticket)
    this.#words = new Int32Array(segment.buffer)
    Atomics.store(this.#words, WordOffset.ATTACHED >> 2, 1)
    return segment
  }

  /** Both sides have mapped the segment: what comes on the socket from here on is bells. */
  get isDone (): boolean {
    if (this.#words === null) return false
    if (this.#side === ShmSide.PLUGIN) return true
    if (Atomics.load(this.#words, WordOffset.ATTACHED >> 2) !== 1) return false
    this.settle()
    return true
  }

  /** Nothing is offered or requested any more. */
  settle (): void {
    this.#settleOffer?.()
    this.#settleOffer = null
    this.#request?.cancel()
    this.#request = null
  }
}
