import type { DatedBlock } from './dated-block.js'

/** An answer that is written once and sent again and again. */
export interface PreparedAnswer {
  readonly block: DatedBlock
  /** Bytes of the content sequence behind the block. */
  readonly contentBytes: number
}

/** A request that came before, byte for byte, and its answer. */
export interface KnownRequest extends PreparedAnswer {
  readonly bytes: Uint8Array
}

const MAX_KNOWN = 8
/** Comparing a longer one costs more than it is worth. */
const MAX_BYTES = 1024

/**
 * Clients repeat their requests byte for byte, so comparing is nearly always all the parsing there is to do. Whole
 * heads only, without a body: their end is in their own bytes, so what follows one does not matter.
 */
export class KnownRequests {
  #known: KnownRequest[] = []

  /** The request that [position, end) of `view` begins with, or null. `last` is looked at first. */
  find (view: Uint8Array, position: number, end: number, last: KnownRequest | null): KnownRequest | null {
    if (last !== null && startsWith(view, position, end, last.bytes)) return last
    for (const known of this.#known) {
      if (startsWith(view, position, end, known.bytes)) return known
    }
    return null
  }

  add (view: Uint8Array, start: number, end: number, { block, contentBytes }: PreparedAnswer): void {
    if (end - start > MAX_BYTES) return
    const bytes = new Uint8Array(view.subarray(start, end))
    this.#known = [{ bytes, block, contentBytes }, ...this.#known.slice(0, MAX_KNOWN - 1)]
  }
}

function startsWith (view: Uint8Array, position: number, end: number, bytes: Uint8Array): boolean {
  const { length } = bytes
  if (end - position < length) return false
  for (let i = 0; i < length; i++) {
    if (view[position + i] !== bytes[i]) return false
  }
  return true
}
