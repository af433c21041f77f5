import { CR, LF, parseChunkLine } from '../../base/http-grammar.js'
import { Framing, checkBeginning, checkTrailers, invalid, parseHead, type ResponseHead } from './response-head.js'

/** Most bytes of a status line with its fields, and of a trailer section: as Chromium, or if strict as node:http. */
export const SECTION_MAX_BYTES = 262_144
export const STRICT_SECTION_MAX_BYTES = 16_384
/**
 * Most bytes of a chunk line, its size, extensions and line end together: as Chromium, or if strict more than any
 * origin sends.
 */
export const CHUNK_LINE_MAX_BYTES = 16_384
export const STRICT_CHUNK_LINE_MAX_BYTES = 1_024
/** Most bytes of empty lines before a response, as Chromium. A server may have sent them behind the body before. */
const BLANK_MAX_BYTES = 4
/** Most heads and all chunk lines fit; kept memory grows where one does not. */
const KEPT_FIRST_BYTES = 16_384

/** Receives what a response holds, inside `feed()` and `finish()`. */
export interface ResponseHandler {
  /**
   * Body bytes [start, end) of `view`, which is valid during the call only. `offset`: how many body bytes came before.
   */
  onBody (view: Buffer, start: number, end: number, offset: number): void
  /**
   * The response is complete. The last call of a `feed()`; if `keepAlive`, the next request may be sent, and announced
   * with `expect()`. The last `unreadBytes` of the view follow the response, and nobody asked for them; a strict parser
   * throws there.
   */
  onMessage (status: number, keepAlive: boolean, unreadBytes: number): void
}

const State = {
  IDLE: 0,
  HEAD: 1,
  BODY: 2,
  CHUNK_LINE: 3,
  CHUNK_DATA: 4,
  CHUNK_END: 5,
  TRAILERS: 6,
  UNTIL_CLOSE: 7,
  BROKEN: 8
} as const
type State = typeof State[keyof typeof State]

/**
 * The head parsed last, over all parsers of a thread. A server repeats its head byte for byte (the Date field changes
 * once a second), so comparing is nearly always all that is to do: 60 ns instead of a byte-wise scan.
 */
interface LastHead {
  bytes: Buffer
  head: ResponseHead | null
}

const lastHeads: { readonly strict: LastHead, readonly lenient: LastHead } = {
  strict: { bytes: Buffer.alloc(0), head: null },
  lenient: { bytes: Buffer.alloc(0), head: null }
}

/**
 * An incremental HTTP/1.1 response parser (RFC 9112). It takes bytes cut anywhere, in linear time; it keeps nothing of
 * a view it was fed but what belongs to an incomplete section or chunk line. 1xx responses are passed over, except 101,
 * which nobody asked for. Chunk extensions and trailers are dropped.
 *
 * Strict, it accepts what the RFC lets a server send and nothing else: between programs of this package every deviation
 * is a fault of the way between them. Otherwise it accepts what curl and Chromium do, by the table in
 * docs/BENCHMARKING.md.
 *
 * `feed()` throws ERR_TUNNEL_HTTP_INVALID for whatever breaks the protocol, bytes that no request asked for included;
 * the parser is of no use after that.
 */
export class ResponseParser {
  readonly #handler: ResponseHandler
  readonly #isStrict: boolean
  readonly #lastHead: LastHead
  #state: State = State.IDLE
  #isHeadRequest = false
  #head: ResponseHead | null = null
  /** BODY, CHUNK_DATA, CHUNK_END: bytes until the state ends. */
  #remainingBytes = 0
  #offset = 0

  /** An incomplete section or chunk line; allocated when the first one is met. */
  #kept: Buffer | null = null
  #keptBytes = 0
  /** Bytes since the last LF, CR included. */
  #lineBytes = 0
  #lastByte = 0
  /** Of empty lines before the status line. */
  #blankBytes = 0

  constructor (handler: ResponseHandler, isStrict: boolean) {
    this.#handler = handler
    this.#isStrict = isStrict
    this.#lastHead = isStrict ? lastHeads.strict : lastHeads.lenient
  }

  /** Status of the response whose body is arriving; 0 before its head is complete. */
  get status (): number { return this.#head === null ? 0 : this.#head.status }

  /** No response is expected: a byte now would be one that nobody asked for. */
  get isIdle (): boolean { return this.#state === State.IDLE }

  /**
   * A request is being sent: its response may come. `isHeadRequest`: the method is HEAD, so the response has no body.
   */
  expect (isHeadRequest = false): void {
    if (this.#state !== State.IDLE) throw invalid('a request is already waiting for its response')
    this.#isHeadRequest = isHeadRequest
    this.#head = null
    this.#offset = 0
    this.#blankBytes = 0
    this.#state = State.HEAD
  }

  /** The next `length` bytes of the connection lie at the start of `view`. */
  feed (view: Buffer, length: number): void {
    try {
      for (let position = 0; position < length;) position = this.#step(view, position, length)
    } catch (error) {
      this.#state = State.BROKEN
      throw error
    }
  }

  /**
   * The connection ended in good order: this completes a body that lasts until then. No other response completes after
   * this.
   */
  finish (): void {
    if (this.#state === State.UNTIL_CLOSE) this.#complete()
  }

  /** Consumes at least one byte of [position, end), and returns where it stopped. */
  #step (view: Buffer, position: number, end: number): number {
    switch (this.#state) {
      case State.HEAD: return this.#onHeadBytes(view, position, end)
      case State.BODY: return this.#onBodyBytes(view, position, end, true)
      case State.CHUNK_LINE:
        return this.#onLineBytes(
          view,
          position,
          end,
          true,
          this.#isStrict ? STRICT_CHUNK_LINE_MAX_BYTES : CHUNK_LINE_MAX_BYTES
        )
      case State.CHUNK_DATA: return this.#onBodyBytes(view, position, end, false)
      case State.CHUNK_END: return this.#onChunkEnd(view, position, end)
      case State.TRAILERS: return this.#onSectionBytes(view, position, end)
      case State.UNTIL_CLOSE:
        this.#handler.onBody(view, position, end, this.#offset)
        this.#offset += end - position
        return end
      case State.IDLE:
        // Bytes after a response: the handler knows of them.
        if (position > 0 && !this.#isStrict) return end
        throw invalid('bytes arrived that no request asked for')
      default: throw invalid('the connection is already broken')
    }
  }

  #onHeadBytes (view: Buffer, position: number, end: number): number {
    const lastHead = this.#lastHead
    const known = lastHead.bytes
    const after = position + known.length
    if (this.#keptBytes === 0 && lastHead.head !== null && after <= end && known.compare(view, position, after) === 0) {
      this.#onHead(lastHead.head, end - after)
      return after
    }
    const isBlank = view[position] === CR || view[position] === LF
    if (isBlank && !this.#isStrict && this.#keptBytes === 0 && this.#blankBytes < BLANK_MAX_BYTES) {
      this.#blankBytes++
      return position + 1
    }
    return this.#onSectionBytes(view, position, end)
  }

  #onSectionBytes (view: Buffer, position: number, end: number): number {
    return this.#onLineBytes(view, position, end, false, this.#isStrict ? STRICT_SECTION_MAX_BYTES : SECTION_MAX_BYTES)
  }

  /** Looks for the end of a chunk line (`isOneLine`) or of a section, which is an empty line. */
  #onLineBytes (view: Buffer, start: number, end: number, isOneLine: boolean, maxBytes: number): number {
    const limit = Math.min(end, start + maxBytes - this.#keptBytes)
    let lineBytes = this.#lineBytes
    let lastByte = this.#lastByte
    for (let i = start; i < limit; i++) {
      const byte = view[i]!
      if (byte !== LF) {
        lineBytes++
        lastByte = byte
        continue
      }
      if (lastByte !== CR && this.#isStrict) throw invalid('every line must end in CRLF')
      if (isOneLine || lineBytes === (lastByte === CR ? 1 : 0)) {
        this.#lineBytes = this.#lastByte = 0
        this.#onLines(view, start, i + 1, end)
        return i + 1
      }
      lineBytes = lastByte = 0
    }
    this.#lineBytes = lineBytes
    this.#lastByte = lastByte
    this.#keep(view, start, limit)
    if (this.#state === State.HEAD) checkBeginning(this.#kept!, 0, this.#keptBytes, this.#isStrict)
    if (this.#keptBytes === maxBytes) {
      throw invalid(`${isOneLine ? 'a chunk line' : 'a header or trailer section'} must have at most ${maxBytes} bytes`)
    }
    return limit
  }

  #keep (view: Buffer, start: number, end: number): void {
    const bytes = this.#keptBytes + end - start
    if (this.#kept === null || this.#kept.length < bytes) {
      const larger = Buffer.allocUnsafeSlow(Math.max(KEPT_FIRST_BYTES, 2 ** Math.ceil(Math.log2(bytes))))
      this.#kept?.copy(larger, 0, 0, this.#keptBytes)
      this.#kept = larger
    }
    view.copy(this.#kept, this.#keptBytes, start, end)
    this.#keptBytes = bytes
  }

  /**
   * A chunk line or section is complete: [start, end) of `view`, after what was kept of it. `pieceEnd` is where the
   * view's bytes end.
   */
  #onLines (view: Buffer, start: number, end: number, pieceEnd: number): void {
    let bytes = view
    let from = start
    let to = end
    if (this.#keptBytes > 0) {
      this.#keep(view, start, end)
      bytes = this.#kept!
      from = 0
      to = this.#keptBytes
      this.#keptBytes = 0
    }
    const unread = pieceEnd - end
    if (this.#state === State.HEAD) {
      const head = parseHead(bytes, from, to, this.#isStrict)
      const lastHead = this.#lastHead
      if (lastHead.bytes.length === to - from) bytes.copy(lastHead.bytes, 0, from, to)
      else lastHead.bytes = Buffer.from(bytes.subarray(from, to))
      lastHead.head = head
      this.#onHead(head, unread)
    } else if (this.#state === State.CHUNK_LINE) {
      this.#remainingBytes = parseChunkLine(bytes, from, to, invalid, this.#isStrict)
      this.#state = this.#remainingBytes === 0 ? State.TRAILERS : State.CHUNK_DATA
    } else {
      checkTrailers(bytes, from, to, this.#isStrict)
      this.#complete(unread)
    }
  }

  #onHead (head: ResponseHead, unread: number): void {
    if (head.status === 101) throw invalid('status 101 switches to a protocol that nobody asked for')
    if (head.status < 200) {
      if (!head.keepAlive && this.#isStrict) {
        throw invalid('an interim response must not end the connection (nor be HTTP/1.0)')
      }
      return
    }
    this.#head = head
    this.#remainingBytes = head.bodyBytes
    if (
      this.#isHeadRequest ||
      head.framing === Framing.NONE ||
      (head.framing === Framing.LENGTH && head.bodyBytes === 0)
    ) { this.#complete(unread) } else {
      this.#state =
        head.framing === Framing.LENGTH
          ? State.BODY
          : head.framing === Framing.CHUNKED
            ? State.CHUNK_LINE
            : State.UNTIL_CLOSE
    }
  }

  #onBodyBytes (view: Buffer, position: number, end: number, isWhole: boolean): number {
    const to = Math.min(end, position + this.#remainingBytes)
    const bytes = to - position
    this.#handler.onBody(view, position, to, this.#offset)
    this.#offset += bytes
    this.#remainingBytes -= bytes
    if (this.#remainingBytes > 0) return to
    if (isWhole) this.#complete(end - to)
    else if (to + 2 <= end && view[to] === CR && view[to + 1] === LF) {
      this.#state = State.CHUNK_LINE
      return to + 2
    } else {
      this.#state = State.CHUNK_END
      this.#remainingBytes = 2
    }
    return to
  }

  #onChunkEnd (view: Buffer, position: number, end: number): number {
    for (; position < end && this.#remainingBytes > 0; position++, this.#remainingBytes--) {
      if (view[position] === (this.#remainingBytes === 2 ? CR : LF)) continue
      if (this.#isStrict || view[position] !== LF) throw invalid('chunk data must be followed by CRLF')
      this.#remainingBytes = 1
    }
    if (this.#remainingBytes === 0) this.#state = State.CHUNK_LINE
    return position
  }

  /**
   * `unread` bytes follow in the same piece. They came before the next request was sent, so they cannot be its
   * response.
   */
  #complete (unread = 0): void {
    if (unread > 0 && this.#isStrict) throw invalid('bytes follow the end of the response')
    const head = this.#head!
    const keepAlive = head.keepAlive && this.#state !== State.UNTIL_CLOSE && unread === 0
    this.#state = State.IDLE
    this.#handler.onMessage(head.status, keepAlive, unread)
  }
}
