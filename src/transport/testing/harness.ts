import type { Transport } from '../transport.js'

export type SideName = 'a' | 'b'

export const SIDES = ['a', 'b'] as const

/** What a broken or hostile peer may say. Each is to end the link with ERR_TUNNEL_PROTOCOL. */
export const GARBAGE = [
  'a frame of unknown type',
  'a header that announces 4 GiB, and nothing behind it',
  'random bytes',
  'undefined flags',
  'DATA on the control channel'
] as const

export type Garbage = typeof GARBAGE[number]

/** How the conformance suite makes links over one medium, and does to them what the medium lets happen. */
export interface TransportHarness {
  /** A linked pair, neither side started. */
  makePair (options: PairOptions): Promise<TransportPair>
  /** DATA payload bytes that a sender can get rid of at most while its peer does not read. */
  readonly maxUnreadBytes: number
  /**
   * Empty control frames that a sender can get rid of at most while its peer does not read; then the link is closed.
   */
  readonly maxUnreadFrames: number
}

export interface PairOptions {
  /**
   * What is received comes in pieces of so many bytes, drawn anew for each. Default: as the medium has it. A medium
   * without bytes may wake up so often instead.
   */
  readonly pieceBytes?: () => number
}

export interface TransportPair {
  readonly a: Transport
  readonly b: Transport
  /** The program on this side dies: the medium is gone without a word, whatever the transport was doing. */
  kill (side: SideName): void
  /** This side is handed `garbage`, by whatever means the medium has, after all that was flushed before. */
  sendGarbage (to: SideName, garbage: Garbage): void
  /** This side takes nothing from the medium until `resumeReading()`, as a program that hangs. */
  stopReading (side: SideName): void
  resumeReading (side: SideName): void
  /** Frees what the pair holds besides the two transports. */
  free (): Promise<void>
}
