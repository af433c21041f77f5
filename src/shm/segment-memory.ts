import type { SegmentLayout, SegmentSizes } from './segment-sizes.js'

/** One side's hold on a segment. */
export interface Segment {
  readonly buffer: ArrayBufferLike
  readonly layout: SegmentLayout
  /**
   * This side uses no view of it any more: its memory goes back to the system once the peer has freed it too.
   * A view that is touched later shows zeros or what was there: never a crash.
   */
  free (): void
}

/** The attaching side of one attempt: good for one segment. */
export interface SegmentRequest {
  /** What the making side has to be told. */
  readonly bytes: Uint8Array
  /**
   * The segment that `ticket` gives access to. The ticket and the segment are the peer's, and are checked. Throws
   * ERR_TUNNEL_PROTOCOL, ERR_TUNNEL_VERSION, ERR_TUNNEL_UNAVAILABLE (the two sides cannot share memory), or what may
   * pass: ERR_TUNNEL_PEER_CLOSED (the peer has gone meanwhile), ERR_TUNNEL_LIMIT (no descriptor or memory is left) or
   * ERR_TUNNEL_CLOSED (attached or cancelled before).
   */
  attach (ticket: Uint8Array): Segment
  /** No ticket will come. May follow `attach`. */
  cancel (): void
}

export interface SegmentOffer {
  readonly segment: Segment
  /** What the peer attaches with. */
  readonly ticket: Uint8Array
  /**
   * The peer has attached, or the link is over: the offer cannot be taken any more. The segment stays until
   * `segment.free()`.
   */
  settle (): void
}

/** Where segments come from: the memory of one process, or of several. Everything is synchronous. */
export interface SegmentMemory {
  readonly kind: 'shared-array-buffer' | 'memfd'
  /** Tries it in small. Throws ERR_TUNNEL_UNAVAILABLE where this system cannot have it, if only for now. */
  check (): void
  request (): SegmentRequest
  /**
   * A new segment, for the peer that sent `request` and for no other. Throws ERR_TUNNEL_LIMIT (memory is full, or no
   * descriptor is
   * left), ERR_TUNNEL_UNAVAILABLE (the two sides cannot share any), ERR_TUNNEL_PROTOCOL (the request is malformed) or
   * ERR_TUNNEL_USAGE (`sizes` break a rule).
   */
  offer (request: Uint8Array, sizes: SegmentSizes): SegmentOffer
}
