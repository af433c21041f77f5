import { CR, LF } from '../../base/http-grammar.js'
import { checkTrailers, parseChunkLine, parseRequestHead, type RequestHead, RequestRefusal } from './request-head.js'

/** Most bytes of a request line with its fields, and of a trailer section. */
export const SECTION_MAX_BYTES = 16_384
const CHUNK_LINE_MAX_BYTES = 1024

/** Receives what a request holds, inside `feed()`. */
export interface RequestHandler {
  /** The head is complete. `start` to `end` of `bytes` is what it was sent as; null: not in one piece. */
  onHead (head: RequestHead, bytes: Uint8Array | null, start: number, end: number): void
  /** Body bytes [start, end) of `view`, valid during the call only. */
  onBody (view: Uint8Array, start: number, end: number): void
  /** The request is complete. */
  onRequest (): void
}

const State = { HEAD: 0, BODY: 1, CHUNK_LINE: 2, CHUNK_DATA: 3, CHUNK_END: 4, TRAILERS: 5 } as const
type State = typeof State[keyof typeof State]

/**
 * A strict, incremental HTTP/1.1 request parser. It takes bytes cut anywhere, in linear time, and keeps nothing of a
 * view but what belongs to an incomplete section or chunk line (at most 16 KiB). `feed()` throws RequestRefusal for
 * whatever breaks the protocol; the parser is of no use after that.
 */
export class RequestParser {
  readonly #handler: RequestHandler
  #state: State = State.HEAD
  /** BODY, CHUNK_DATA, CHUNK_END: bytes until the state ends. */
  #remainingBytes = 0
  /** An incomplete section or chunk line; allocated when the first one is met. */
  #kept: Uint8Array | null = null
  #keptBytes = 0
  /** Bytes of the line at hand, CR included. */
  #lineBytes = 0
  #lastByte = 0

  constructor (handler: RequestHandler) {
    this.#handler = handler
  }

  /** Between two requests: nothing of the next one has come. */
  get isIdle (): boolean { return this.#state === State.HEAD && this.#keptBytes === 0 }
  /** The head of a request has come in part. */
  get isInHead (): boolean { return this.#state === State.HEAD && this.#keptBytes > 0 }

  /** Consumes at least one byte of [position, end), and at most to the end of a request. Returns where it stopped. */
  feed (view: Uint8Array, position: number, end: number): number {
    switch (this.#state) {
      case State.HEAD: return this.#onSectionBytes(view, position, end)
      case State.TRAILERS: return this.#onSectionBytes(view, position, end)
      case State.CHUNK_LINE: return this.#onChunkLine(view, position, end)
      case State.CHUNK_END: return this.#onChunkEnd(view, position, end)
      case State.BODY:
      case State.CHUNK_DATA: return this.#onBodyBytes(view, position, end)
    }
  }

  #onSectionBytes (view: Uint8Array, start: number, end: number): number {
    let position = start
    // Empty lines before a request are passed over (RFC 9112 section 2.2).
    if (this.#state === State.HEAD && this.#keptBytes === 0 && this.#lineBytes === 0) {
      while (position < end && (view[position] === CR || view[position] === LF)) position++
      if (position === end) return end
    }
    const from = position
    while (position < end) {
      const byte = view[position++]!
      if (byte !== LF) {
        this.#lineBytes++
        this.#lastByte = byte
        continue
      }
      if (this.#lastByte !== CR) throw new RequestRefusal(400, 'a line must end with CRLF')
      const isLast = this.#lineBytes === 1
      this.#lineBytes = this.#lastByte = 0
      if (!isLast) continue
      this.#checkSection(position - from)
      this.#completeSection(view, from, position)
      return position
    }
    this.#checkSection(position - from)
    this.#keep(view, from, position)
    return end
  }

  #checkSection (bytes: number): void {
    if (this.#keptBytes + bytes > SECTION_MAX_BYTES) {
      throw new RequestRefusal(431, `its head must have at most ${SECTION_MAX_BYTES} bytes`)
    }
  }

  #completeSection (view: Uint8Array, from: number, to: number): void {
    const isWhole = this.#keptBytes === 0
    if (!isWhole) this.#keep(view, from, to)
    const [bytes, start, end] = isWhole ? [view, from, to] as const : [this.#kept!, 0, this.#keptBytes] as const
    this.#keptBytes = 0
    if (this.#state === State.TRAILERS) {
      checkTrailers(bytes, start, end)
      this.#complete()
      return
    }
    const head = parseRequestHead(bytes, start, end)
    this.#remainingBytes = head.bodyBytes
    this.#state = head.isChunked ? State.CHUNK_LINE : State.BODY
    this.#handler.onHead(head, isWhole ? view : null, start, end)
    if (!head.isChunked && head.bodyBytes === 0) this.#complete()
  }

  #keep (view: Uint8Array, from: number, to: number): void {
    this.#kept ??= new Uint8Array(SECTION_MAX_BYTES)
    this.#kept.set(view.subarray(from, to), this.#keptBytes)
    this.#keptBytes += to - from
  }

  #onBodyBytes (view: Uint8Array, position: number, end: number): number {
    const to = Math.min(end, position + this.#remainingBytes)
    this.#remainingBytes -= to - position
    this.#handler.onBody(view, position, to)
    if (this.#remainingBytes > 0) return to
    if (this.#state === State.BODY) this.#complete()
    else {
      this.#state = State.CHUNK_END
      this.#remainingBytes = 2
    }
    return to
  }

  #onChunkLine (view: Uint8Array, start: number, end: number): number {
    const lineFeed = view.subarray(start, end).indexOf(LF)
    const to = lineFeed === -1 ? end : start + lineFeed + 1
    if (this.#keptBytes + to - start > CHUNK_LINE_MAX_BYTES) {
      throw new RequestRefusal(400, `a chunk line must have at most ${CHUNK_LINE_MAX_BYTES} bytes`)
    }
    const isWhole = this.#keptBytes === 0 && lineFeed !== -1
    if (!isWhole) this.#keep(view, start, to)
    if (lineFeed === -1) return end
    const size = isWhole ? parseChunkLine(view, start, to) : parseChunkLine(this.#kept!, 0, this.#keptBytes)
    this.#keptBytes = 0
    this.#remainingBytes = size
    this.#state = size === 0 ? State.TRAILERS : State.CHUNK_DATA
    return to
  }

  #onChunkEnd (view: Uint8Array, start: number, end: number): number {
    let position = start
    for (; position < end && this.#remainingBytes > 0; position++, this.#remainingBytes--) {
      if (view[position] !== (this.#remainingBytes === 2 ? CR : LF)) {
        throw new RequestRefusal(400, 'chunk data must be followed by CRLF')
      }
    }
    if (this.#remainingBytes === 0) this.#state = State.CHUNK_LINE
    return position
  }

  #complete (): void {
    this.#state = State.HEAD
    this.#handler.onRequest()
  }
}
