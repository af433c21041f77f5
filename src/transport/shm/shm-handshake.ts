import { WordOffset } from '../../shm/layout.js'
import type { Segment, SegmentMemory, SegmentRequest } from '../../shm/segment-memory.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'

export interface ShmParts {
  readonly memory: SegmentMemory
  readonly sizes: SegmentSizes
  /** For tests: slots that come back are filled with this byte. */
  readonly poison: number | null
}

/** In this order. */
const Stage = {
  APART: 0,
  /** Host: the peer has still to attach. */
  OFFERED: 1,
  SHARED: 2,
  /** Shared, and its owner knows. */
  TOLD: 3
} as const
type Stage = typeof Stage[keyof typeof Stage]

/**
 * How two sides come to share a segment: the plugin requests one, the host makes it and answers, the plugin attaches
 * it and says so in it.
 */
export class ShmHandshake {
  readonly #memory: SegmentMemory
  readonly #sizes: SegmentSizes
  #request: SegmentRequest | null = null
  #settleOffer: (() => void) | null = null
  #words: Int32Array | null = null
  #stage: Stage = Stage.APART

  constructor ({ memory, sizes }: ShmParts) {
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
    this.#stage = Stage.OFFERED
    return { segment, ticket }
  }

  /** Throws as `SegmentRequest.attach()`. */
  attach (ticket: Uint8Array): Segment {
    const segment = this.#request!.attach(ticket)
    Atomics.store(new Int32Array(segment.buffer), WordOffset.ATTACHED >> 2, 1)
    this.#stage = Stage.SHARED
    return segment
  }

  /** Both sides have mapped the segment: what comes on the socket from here on is bells. */
  get isDone (): boolean {
    if (this.#stage === Stage.OFFERED && Atomics.load(this.#words!, WordOffset.ATTACHED >> 2) === 1) {
      this.settle()
      this.#stage = Stage.SHARED
    }
    return this.#stage >= Stage.SHARED
  }

  /** True once, when it is done. */
  tryTell (): boolean {
    if (this.#stage === Stage.TOLD || !this.isDone) return false
    this.#stage = Stage.TOLD
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
