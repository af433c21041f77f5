import { CopyPool } from '../base/copy-pool.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { decodeHeader, emptyHeader, type FrameHeader } from './header.js'
import { HEADER_BYTES } from './layout.js'

/** Reads fill chunks of this size; a frame always fits into one. */
export const CHUNK_BYTES = 256 * 1024

/** The largest payload any link may agree on. */
export const MAX_PAYLOAD_LIMIT_BYTES = CHUNK_BYTES / 2

/** A payload up to this long is handed out as a copy: a few bytes that someone keeps must not keep a whole chunk. */
const COPY_UP_TO_BYTES = 4096

/**
 * With this many chunks kept by unreleased payloads every payload is handed out as a copy, so what is kept is what was
 * sent.
 */
const MAX_KEPT_CHUNKS = 64

export interface FrameReaderHandler {
  /** See `TransportHandler.onFrame`. `copied`: the payload is a copy. */
  onFrame (header: FrameHeader, payload: Uint8Array, release: () => void, copied: boolean): void
}

/**
 * Cuts a byte stream into frames. It supplies the memory to read into, so a payload is handed out where it was read: no
 * copy for large ones, no concatenation ever. The stream may be cut at any byte; the work is linear in its length: what
 * is moved is at most the beginning of one frame per chunk.
 */
export class FrameReader {
  maxPayloadBytes: number
  readonly #handler: FrameReaderHandler
  readonly #free: Chunk[] = []
  readonly #header = emptyHeader()
  readonly #copies = new CopyPool()
  #keptChunks = 0
  #chunk: Chunk
  /** Bytes before this position have been handed out. */
  #readPosition = 0
  /** Bytes before this position have been filled. */
  #writePosition = 0
  #stopped = false

  constructor (maxPayloadBytes: number, handler: FrameReaderHandler) {
    this.maxPayloadBytes = maxPayloadBytes
    this.#handler = handler
    this.#chunk = this.#newChunk()
  }

  /** True while the stream is inside a frame: its end here would be a truncation. */
  get insideFrame (): boolean {
    return !this.#stopped && this.#writePosition > this.#readPosition
  }

  /** Where the next bytes go. Never empty, and valid until the next call. */
  claim (): Uint8Array {
    if (this.#readPosition === this.#writePosition && this.#chunk.references === 0) {
      this.#readPosition = this.#writePosition = 0
    }
    // The rest of the frame at hand must fit behind what is there; and a read into a sliver would waste a system call.
    const wanted = Math.max(
      HEADER_BYTES + this.maxPayloadBytes - (this.#writePosition - this.#readPosition),
      CHUNK_BYTES / 8
    )
    if (CHUNK_BYTES - this.#writePosition < wanted) this.#continueInFreshChunk()
    return this.#chunk.bytes.subarray(this.#writePosition)
  }

  /**
   * `bytes` bytes arrived at the start of the memory claimed last. Throws ERR_TUNNEL_PROTOCOL; `stop()` is all that is
   * left to do then.
   */
  commit (bytes: number): void {
    if (this.#stopped) return
    this.#writePosition += bytes
    const header = this.#header
    while (!this.#stopped && this.#writePosition - this.#readPosition >= HEADER_BYTES) {
      decodeHeader(this.#chunk.bytes, this.#readPosition, this.maxPayloadBytes, header)
      const end = this.#readPosition + HEADER_BYTES + header.payloadBytes
      if (end > this.#writePosition) return
      const start = this.#readPosition + HEADER_BYTES
      this.#readPosition = end
      this.#deliver(header, start, end)
    }
  }

  /** Delivers nothing from now on: what arrives is thrown away. */
  stop (): void {
    this.#stopped = true
  }

  #deliver (header: FrameHeader, start: number, end: number): void {
    const bytes = end - start
    if (bytes <= COPY_UP_TO_BYTES || this.#keptChunks >= MAX_KEPT_CHUNKS) {
      if (bytes === 0) return this.#handler.onFrame(header, EMPTY, releaseNothing, true)
      const copy = this.#copies.copy(this.#chunk.bytes, start, bytes)
      return this.#handler.onFrame(header, copy.view, copy.release, true)
    }
    const chunk = this.#chunk
    chunk.references++
    this.#handler.onFrame(header, chunk.bytes.subarray(start, end), chunk.release, false)
  }

  #continueInFreshChunk (): void {
    const old = this.#chunk
    const rest = old.bytes.subarray(this.#readPosition, this.#writePosition)
    if (old.references === 0) {
      old.bytes.copyWithin(0, this.#readPosition, this.#writePosition)
    } else {
      this.#keptChunks++
      this.#chunk = this.#free.pop() ?? this.#newChunk()
      this.#chunk.bytes.set(rest)
    }
    this.#readPosition = 0
    this.#writePosition = rest.length
  }

  #newChunk (): Chunk {
    const chunk: Chunk = {
      bytes: new Uint8Array(new ArrayBuffer(CHUNK_BYTES)),
      references: 0,
      release: () => {
        if (chunk.references === 0) {
          throw new TunnelError(ErrorCode.INTERNAL, 'Cannot release a payload: it was released before')
        }
        if (--chunk.references > 0 || chunk === this.#chunk) return
        this.#keptChunks--
        this.#free.push(chunk)
      }
    }
    return chunk
  }
}

/** Bytes of a stream end amid a frame where the program that sent them was killed, not where it breaks a rule. */
export function linkCutError (): TunnelError {
  return new TunnelError(ErrorCode.PEER_CLOSED,
    'Cannot read a frame to its end: the peer closed the link inside it; it was probably killed')
}

interface Chunk {
  readonly bytes: Uint8Array
  /** Payloads handed out and not yet released. */
  references: number
  readonly release: () => void
}

const EMPTY = Buffer.alloc(0)
function releaseNothing (): void {}
