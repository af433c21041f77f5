import { HEADER_BYTES } from '../../frame/layout.js'
import type { Claim } from '../transport.js'

const CHUNK_BYTES = 256 * 1024

/** A claim smaller than asked for is worth giving from this size on; below it a fresh chunk is started. */
const WORTHWHILE_BYTES = 4096

/**
 * Memory for outgoing frames. Frames are laid one after the other into chunks, each with room for its header before its
 * payload, so that frames filled in one turn mostly leave as one contiguous write. A chunk is used again when all its
 * frames have left.
 */
export class SendArena {
  readonly #maxChunks: number
  readonly #reservedChunks: number
  readonly #free: ArenaChunk[] = []
  #chunks = 0
  #current: ArenaChunk | null = null

  /**
   * Of `maxChunks`, `reservedChunks` are for short messages only: bulk must not take the memory that they need to pass
   * it.
   */
  constructor (maxChunks: number, reservedChunks = 0) {
    this.#maxChunks = maxChunks
    this.#reservedChunks = reservedChunks
  }

  /**
   * Room for a header and up to `bytes` of payload, or null when all chunks are in use. `always` gives room of exactly
   * `bytes` even then (control frames, whose number the transport bounds).
   */
  claim (bytes: number, always = false): ArenaClaim | null {
    if (!always && !this.canClaim(bytes)) return null
    const wanted = HEADER_BYTES + bytes
    let room = this.#room
    if (room < (always ? wanted : worthwhile(wanted))) {
      this.#continueInNextChunk()
      room = CHUNK_BYTES
    }
    const chunk = this.#current!
    if (room === CHUNK_BYTES) chunk.position = 0
    const claim = new ArenaClaim(chunk, chunk.position, Math.min(wanted, room))
    chunk.position = claim.end
    chunk.references++
    return claim
  }

  /** Gives a claim back. Where it is the last of its chunk, its room goes to the next one. */
  abandon (claim: ArenaClaim): void {
    if (claim.end === claim.chunk.position) claim.chunk.position = claim.start
    this.release(claim.chunk, 1)
  }

  /** `frames` frames less in `chunk`. */
  release (chunk: ArenaChunk, frames: number): void {
    chunk.references -= frames
    if (chunk.references > 0 || chunk === this.#current) return
    if (this.#chunks > this.#maxChunks) this.#chunks--
    else this.#free.push(chunk)
  }

  /** Whether `claim(bytes)` would succeed. */
  canClaim (bytes: number): boolean {
    const limit = bytes <= WORTHWHILE_BYTES ? this.#maxChunks : this.#maxChunks - this.#reservedChunks
    const inUse = this.#chunks - this.#free.length
    // Chunks beyond the limit are for control frames alone, or each of them would let in more data.
    if (inUse > limit) return false
    return inUse < limit || this.#room >= worthwhile(HEADER_BYTES + bytes)
  }

  /** What is left of the current chunk. */
  get #room (): number {
    if (this.#current === null) return 0
    return this.#current.references === 0 ? CHUNK_BYTES : CHUNK_BYTES - this.#current.position
  }

  #continueInNextChunk (): void {
    let next = this.#free.pop()
    if (next === undefined) {
      this.#chunks++
      next = { bytes: new Uint8Array(new ArrayBuffer(CHUNK_BYTES)), position: 0, references: 0 }
    }
    this.#current = next
  }
}

function worthwhile (wantedBytes: number): number {
  return Math.min(wantedBytes, HEADER_BYTES + WORTHWHILE_BYTES)
}

export interface ArenaChunk {
  readonly bytes: Uint8Array
  /** Where the next frame goes. */
  position: number
  /** Claims and frames that still need their bytes. */
  references: number
}

export class ArenaClaim implements Claim {
  readonly chunk: ArenaChunk
  readonly start: number
  end: number
  readonly view: Uint8Array
  committedBytes = 0
  copied = false

  constructor (chunk: ArenaChunk, start: number, totalBytes: number) {
    this.chunk = chunk
    this.start = start
    this.end = start + totalBytes
    this.view = chunk.bytes.subarray(start + HEADER_BYTES, this.end)
  }

  /** Fixes the payload length; where this claim is the last of its chunk, the rest of the room goes to the next one. */
  commit (bytes: number, copied = false): void {
    const isLast = this.end === this.chunk.position
    this.committedBytes = bytes
    this.copied = copied
    this.end = this.start + HEADER_BYTES + bytes
    if (isLast) this.chunk.position = this.end
  }
}
