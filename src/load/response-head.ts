import { ErrorCode, TunnelError } from '../base/errors.js'
import { CR, hasOption, isText, isToken, lineAfter, parseChunkLine as parseChunk, parseContentLength, readFields, SP } from '../base/http-grammar.js'

/** HTTP/1.1 response heads (RFC 9112), over bytes that lie whole in one array. Every violation throws ERR_TUNNEL_HTTP_INVALID. */

/** What the start line must begin with. HTTP/1.0 and HTTP/1.1 are all there is. */
const VERSION_PREFIX = Uint8Array.from('HTTP/1.', (letter) => letter.charCodeAt(0))
/** `HTTP/1.1 200 ` */
const STATUS_LINE_MIN_BYTES = 13

/** How the body of a response ends. */
export const Framing = {
  /** There is none, whatever the fields say: 1xx, 204, 304. */
  NONE: 0,
  LENGTH: 1,
  CHUNKED: 2,
  /** The body lasts until the connection ends. */
  CLOSE: 3
} as const

export type Framing = typeof Framing[keyof typeof Framing]

export interface ResponseHead {
  readonly status: number
  readonly framing: Framing
  /** With `Framing.LENGTH`: bytes of the body. Otherwise 0. */
  readonly bodyBytes: number
  /** The server would take another request on this connection, if the end of the connection is not what ends the body. */
  readonly keepAlive: boolean
}

export function invalid (rule: string): TunnelError {
  return new TunnelError(ErrorCode.HTTP_INVALID, `Cannot accept HTTP response: ${rule}`)
}

/** Refuses a beginning that no response can have, so that garbage without a line end is not waited on. */
export function checkBeginning (bytes: Uint8Array, start: number, end: number): void {
  for (let i = 0; i < end - start && i < VERSION_PREFIX.length; i++) {
    if (bytes[start + i] !== VERSION_PREFIX[i]) throw invalid('it must begin with HTTP/1.')
  }
}

/**
 * Parses the status line and the field lines in [start, end), where `end` is behind the empty line. The caller has made sure that
 * every line ends in CRLF and that only the last one is empty.
 */
export function parseHead (bytes: Uint8Array, start: number, end: number): ResponseHead {
  if (end - start < STATUS_LINE_MIN_BYTES + 4) throw invalid('status line is incomplete')
  checkBeginning(bytes, start, end)
  const minor = bytes[start + 7]! - 48
  if (minor !== 0 && minor !== 1) throw invalid('version must be HTTP/1.0 or HTTP/1.1')
  if (bytes[start + 8] !== SP || bytes[start + 12] !== SP) throw invalid('status line must be version, space, three digits, space, reason')
  let status = 0
  for (let i = start + 9; i < start + 12; i++) {
    const digit = bytes[i]! - 48
    if (digit < 0 || digit > 9) throw invalid('status must be three digits')
    status = status * 10 + digit
  }
  if (status < 100 || status > 599) throw invalid('status must be from 100 to 599')
  let position = start + STATUS_LINE_MIN_BYTES
  while (bytes[position] !== CR) {
    if (!isText(bytes[position]!)) throw invalid('reason phrase holds a control character')
    position++
  }
  return new FieldReader(status, minor === 1).read(bytes, lineAfter(bytes, position, invalid), end)
}

/** Checks the trailer section in [start, end), of the same form as the field lines of a head. Trailers mean nothing to this program. */
export function checkTrailers (bytes: Uint8Array, start: number, end: number): void {
  readFields(bytes, start, end, null, invalid)
}

/** The size in a chunk line [start, end), where `end` is behind its CRLF. */
export function parseChunkLine (bytes: Uint8Array, start: number, end: number): number {
  return parseChunk(bytes, start, end, invalid)
}

/** Collects the three fields that frame a message. */
class FieldReader {
  readonly #status: number
  readonly #isHttp11: boolean
  #bodyBytes = -1
  #isChunked = false
  #hasClose = false
  #hasKeepAlive = false

  constructor (status: number, isHttp11: boolean) {
    this.#status = status
    this.#isHttp11 = isHttp11
  }

  read (bytes: Uint8Array, start: number, end: number): ResponseHead {
    readFields(bytes, start, end, this, invalid)
    if (this.#isChunked && this.#bodyBytes >= 0) throw invalid('Content-Length and Transfer-Encoding exclude each other')
    if (this.#isChunked && !this.#isHttp11) throw invalid('Transfer-Encoding does not exist in HTTP/1.0')

    const status = this.#status
    const framing = status < 200 || status === 204 || status === 304
      ? Framing.NONE
      : this.#isChunked ? Framing.CHUNKED : this.#bodyBytes >= 0 ? Framing.LENGTH : Framing.CLOSE
    return {
      status,
      framing,
      bodyBytes: framing === Framing.LENGTH ? this.#bodyBytes : 0,
      keepAlive: !this.#hasClose && (this.#isHttp11 || this.#hasKeepAlive)
    }
  }

  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    switch (nameEnd - nameStart) {
      case 10: if (isToken(bytes, nameStart, nameEnd, 'connection')) this.#onConnection(bytes, start, end); break
      case 14: if (isToken(bytes, nameStart, nameEnd, 'content-length')) this.#bodyBytes = parseContentLength(bytes, start, end, this.#bodyBytes, invalid); break
      case 17: if (isToken(bytes, nameStart, nameEnd, 'transfer-encoding')) this.#onTransferEncoding(bytes, start, end)
    }
  }

  #onTransferEncoding (bytes: Uint8Array, start: number, end: number): void {
    if (this.#isChunked || !isToken(bytes, start, end, 'chunked')) throw invalid('Transfer-Encoding must be chunked, and nothing else')
    this.#isChunked = true
  }

  #onConnection (bytes: Uint8Array, start: number, end: number): void {
    this.#hasClose ||= hasOption(bytes, start, end, 'close')
    this.#hasKeepAlive ||= hasOption(bytes, start, end, 'keep-alive')
  }
}
