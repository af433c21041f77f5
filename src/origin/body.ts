import { contentBytes, LARGE_BODY_BYTES, PERIOD_BYTES } from '../base/content.js'

/** A body that is sent piece by piece, from memory that exists already. */
export interface Body {
  readonly bytes: number
  /**
   * The bytes from `offset` on: at least one where `offset` is below `bytes`, and rarely all. Read only, and valid for
   * good.
   */
  viewAt (offset: number): Uint8Array
}

/** Longest piece of a content body: all of /large in one. */
const PIECE_BYTES = LARGE_BODY_BYTES

// The sequence is periodic, so a piece from any offset lies somewhere in one run that is a period longer than the
// longest piece.
const run = contentBytes(PERIOD_BYTES + PIECE_BYTES)

/** The first `bytes` bytes of the content sequence. No copy: all such bodies share one buffer of about 320 KiB. */
export function contentBody (bytes: number): Body {
  return {
    bytes,
    viewAt (offset) {
      const from = offset % PERIOD_BYTES
      return run.subarray(from, from + Math.min(PIECE_BYTES, bytes - offset))
    }
  }
}

/** A body that lies in one piece. */
export function wholeBody (whole: Uint8Array): Body {
  return { bytes: whole.length, viewAt: offset => whole.subarray(offset) }
}

const BLOCK_BYTES = 65_536

/**
 * A body that arrives in pieces of any size and is then sent back. Pieces are copied into blocks of 64 KiB: a peer that
 * uploads byte by byte then costs no more memory than one that does not.
 */
export class CollectedBody implements Body {
  readonly #blocks: Uint8Array[] = []
  readonly #limitBytes: number
  #bytes = 0

  /** @param limitBytes Most bytes the body may have. */
  constructor (limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes (): number {
    return this.#bytes
  }

  /** Copies `piece` to the end of the body. False, and nothing is copied, where the body would exceed its limit. */
  tryAppend (piece: Uint8Array): boolean {
    if (this.#bytes + piece.length > this.#limitBytes) return false
    for (let done = 0; done < piece.length;) {
      const used = this.#bytes % BLOCK_BYTES
      if (used === 0) this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES))
      const length = Math.min(BLOCK_BYTES - used, piece.length - done)
      this.#blocks.at(-1)!.set(piece.subarray(done, done + length), used)
      done += length
      this.#bytes += length
    }
    return true
  }

  viewAt (offset: number): Uint8Array {
    const from = offset % BLOCK_BYTES
    const block = this.#blocks[(offset - from) / BLOCK_BYTES]
    return block === undefined
      ? new Uint8Array(0)
      : block.subarray(from, from + Math.min(BLOCK_BYTES, this.#bytes - offset))
  }
}
