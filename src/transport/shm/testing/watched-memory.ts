import type { Segment, SegmentMemory } from '../../../shm/segment-memory.js'

/** Segment memory that remembers what it gave out, and how often each was freed. */
export class WatchedMemory implements SegmentMemory {
  readonly kind: SegmentMemory['kind']
  /** Of the making and of the attaching side, in the order of their making. */
  readonly offered: WatchedSegment[] = []
  readonly attached: WatchedSegment[] = []
  readonly #inner: SegmentMemory

  constructor (inner: SegmentMemory) {
    this.kind = inner.kind
    this.#inner = inner
  }

  check (): void { this.#inner.check() }

  request (): ReturnType<SegmentMemory['request']> {
    const request = this.#inner.request()
    return {
      bytes: request.bytes,
      attach: (ticket) => {
        const segment = new WatchedSegment(request.attach(ticket))
        this.attached.push(segment)
        return segment
      },
      cancel: () => { request.cancel() }
    }
  }

  offer (...parts: Parameters<SegmentMemory['offer']>): ReturnType<SegmentMemory['offer']> {
    const offer = this.#inner.offer(...parts)
    const segment = new WatchedSegment(offer.segment)
    this.offered.push(segment)
    return { segment, ticket: offer.ticket, settle: () => { offer.settle() } }
  }
}

export class WatchedSegment implements Segment {
  frees = 0
  readonly #inner: Segment

  constructor (inner: Segment) {
    this.#inner = inner
  }

  get buffer (): ArrayBufferLike { return this.#inner.buffer }
  get layout (): Segment['layout'] { return this.#inner.layout }

  free (): void {
    this.frees++
    this.#inner.free()
  }
}
