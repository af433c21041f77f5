import { HEADER_BYTES } from '../../frame/layout.js'
import type { Claim } from '../transport.js'

const CHUNK_BYTES = 256 * 1024

/** A claim smaller than asked for is worth giving from this size on; below it a fresh chunk is started. */
const WORTHWHILE_BYTES = 4096

/**
 * Memory for outgoing frames. Frames are laid one after the other into chunks, each with room for its header before its payload,
 * so that frames filled in one turn mostly leave as one contiguous write. A chunk is used again when all its frames have left.
 */
export class SendArena {
  readonly #maxChunks: number
  readonly #free: ArenaChunk[] = []
  #chunks = 0
  #current: ArenaChunk | null = null

  constructor (maxChunks: number) {
    this.#maxChunks = maxChunks
  }

  /**
   * Room for a header and up to `bytes` of payload, or null when all chunks are in use. `always` gives room of exactly `bytes`
   * even then (control frames, whose number the transport bounds).
   */
  claim (bytes: number, always = false): ArenaClaim | null {
    const wanted = HEADER_BYTES + bytes
    let chunk = this.#current
    if (chunk !== null && chunk.references === 0) chunk.position = 0
    let room = chunk === null ? 0 : CHUNK_BYTES - chunk.position
    if (room < (always ? wanted : Math.min(wanted, HEADER_BYTES + WORTHWHILE_BYTES))) {
      chunk = this.#nextChunk(always)
      if (chunk === null) return null
      room = CHUNK_BYTES
    }
    const claim = new ArenaClaim(this, chunk!, chunk!.position, Math.min(wanted, room))
    chunk!.position = claim.end
    chunk!.references++
    return claim
  }

  /** One frame (or claim) less in `chunk`. */
  release (chunk: ArenaChunk, frames: number): void {
    chunk.references -= frames
    if (chunk.references > 0 || chunk === this.#current) return
    if (this.#chunks > this.#maxChunks) this.#chunks--
    else this.#free.push(chunk)
  }

  get exhausted (): boolean {
    return this.#free.length === 0 && this.#chunks >= this.#maxChunks &&
      (this.#current === null || CHUNK_BYTES - this.#current.position < HEADER_BYTES + WORTHWHILE_BYTES)
  }

  #nextChunk (always: boolean): ArenaChunk | null {
    let next = this.#free.pop()
    if (next === undefined) {
      if (this.#chunks >= this.#maxChunks && !always) return null
      this.#chunks++
      next = { bytes: new Uint8Array(new ArrayBuffer(CHUNK_BYTES)), position: 0, references: 0 }
    }
    const old = this.#current
    this.#current = next
    next.position = 0
    if (old !== null && old.references === 0) this.#free.push(old)
    return next
  }
}

export interface ArenaChunk {
  readonly bytes: Uint8Array
  /** Where the next frame goes. */
  position: number
  /** Claims and frames that still need their bytes. */
  references: number
}

export class ArenaClaim implements Claim {
  readonly arena: SendArena
  readonly chunk: ArenaChunk
  readonly start: number
  end: number
  readonly view: Uint8Array
  committedBytes = 0

  constructor (arena: SendArena, chunk: ArenaChunk, start: number, totalBytes: number) {
    this.arena = arena
    this.chunk = chunk
    this.start = start
    this.end = start + totalBytes
    this.view = chunk.bytes.subarray(start + HEADER_BYTES, this.end)
  }

  /** Fixes the payload length; where this claim is the last of its chunk, the rest of the room goes to the next one. */
  commit (bytes: number): void {
    const isLast = this.end === this.chunk.position
    this.committedBytes = bytes
    this.end = this.start + HEADER_BYTES + bytes
    if (isLast) this.chunk.position = this.end
  }
}
