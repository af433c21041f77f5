import { ErrorCode, TunnelError } from '../../base/errors.js'
import {
  CR,
  hasOption,
  isToken,
  LF,
  lineAfter,
  parseContentLength,
  readFields,
  SP,
  textEnd
} from '../../base/http-grammar.js'

/**
 * HTTP/1.x response heads (RFC 9112), over bytes that lie whole in one array. Violations throw ERR_TUNNEL_HTTP_INVALID.
 */

/** Every status line begins with this: there is no other than HTTP/1.x. */
const VERSION_PREFIX = Uint8Array.from('HTTP/1.', (letter) => letter.charCodeAt(0))
const LETTER_A = 65

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
  /**
   * The server would take another request on this connection, if the end of the connection is not what ends the body.
   */
  readonly keepAlive: boolean
}

export function invalid (rule: string): TunnelError {
  return new TunnelError(ErrorCode.HTTP_INVALID, `Cannot read the server's response as HTTP: ${rule}`)
}

/** Refuses a beginning that no response can have, so that garbage without a line end is not waited on. */
export function checkBeginning (bytes: Uint8Array, start: number, end: number, isStrict: boolean): void {
  for (let i = 0; i < end - start && i < VERSION_PREFIX.length; i++) {
    const byte = bytes[start + i]!
    const expected = VERSION_PREFIX[i]!
    const isLower = !isStrict && expected >= LETTER_A && byte === expected + 32
    if (byte !== expected && !isLower) throw invalid('it must begin with HTTP/1.')
  }
}

/**
 * Parses the status line and the field lines in [start, end), where `end` is behind the empty line. The caller has made
 * sure that only the last line is empty and, if `isStrict`, that every line ends in CRLF.
 */
export function parseHead (bytes: Uint8Array, start: number, end: number, isStrict: boolean): ResponseHead {
  checkBeginning(bytes, start, end, isStrict)
  const minor = bytes[start + 7]! - 48
  // Later minor versions are to be read like the latest that is known (RFC 9110, section 2.5).
  if (minor < 0 || minor > (isStrict ? 1 : 9)) throw invalid('version must be HTTP/1.0 or HTTP/1.1')
  let position = start + 8
  if (bytes[position] !== SP) throw invalid('the version must be followed by a space')
  position++
  if (!isStrict) while (bytes[position] === SP) position++
  let status = 0
  for (const after = position + 3; position < after; position++) {
    const digit = bytes[position]! - 48
    if (digit < 0 || digit > 9) throw invalid('status must be three digits')
    status = status * 10 + digit
  }
  if (status < 100) throw invalid('status must be from 100 to 999')
  const next = bytes[position]!
  if (next !== SP && (isStrict || (next !== CR && next !== LF))) {
    throw invalid('status must be three digits, followed by a space')
  }
  const lineEnd = next === SP ? textEnd(bytes, position, isStrict) : position
  return new ResponseFields(status, minor >= 1, isStrict).read(bytes, lineAfter(bytes, lineEnd, invalid, isStrict), end)
}

/**
 * Checks the trailer section in [start, end), of the same form as the field lines of a head. Trailers mean nothing to
 * this program.
 */
export function checkTrailers (bytes: Uint8Array, start: number, end: number, isStrict: boolean): void {
  readFields(bytes, start, end, null, invalid, isStrict)
}

/** Collects the three fields that frame a message. */
class ResponseFields {
  readonly #status: number
  readonly #isHttp11: boolean
  readonly #isStrict: boolean
  #bodyBytes = -1
  #isChunked = false
  /** There is a coding that is not undone here, and behind which no length counts. */
  #isCoded = false
  #hasClose = false
  #hasKeepAlive = false

  constructor (status: number, isHttp11: boolean, isStrict: boolean) {
    this.#status = status
    this.#isHttp11 = isHttp11
    this.#isStrict = isStrict
  }

  read (bytes: Uint8Array, start: number, end: number): ResponseHead {
    readFields(bytes, start, end, this, invalid, this.#isStrict)
    if (this.#isStrict && this.#isChunked) {
      if (this.#bodyBytes >= 0) throw invalid('Content-Length and Transfer-Encoding exclude each other')
      if (!this.#isHttp11) throw invalid('Transfer-Encoding does not exist in HTTP/1.0')
    }

    const framing = this.#framing()
    // Where HTTP/1.0 sends chunks the framing cannot be trusted beyond this message (RFC 9112, section 6.1).
    const keepAlive = !this.#hasClose && (this.#isHttp11 || (this.#hasKeepAlive && !this.#isChunked))
    return { status: this.#status, framing, bodyBytes: framing === Framing.LENGTH ? this.#bodyBytes : 0, keepAlive }
  }

  #framing (): Framing {
    if (this.#status < 200 || this.#status === 204 || this.#status === 304) return Framing.NONE
    if (this.#isChunked) return Framing.CHUNKED
    return this.#bodyBytes >= 0 && !this.#isCoded ? Framing.LENGTH : Framing.CLOSE
  }

  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    switch (nameEnd - nameStart) {
      case 10: if (isToken(bytes, nameStart, nameEnd, 'connection')) this.#onConnection(bytes, start, end); break
      case 14: if (isToken(bytes, nameStart, nameEnd, 'content-length')) this.#onContentLength(bytes, start, end); break
      case 17: if (isToken(bytes, nameStart, nameEnd, 'transfer-encoding')) this.#onTransferEncoding(bytes, start, end)
    }
  }

  #onContentLength (bytes: Uint8Array, start: number, end: number): void {
    this.#bodyBytes = parseContentLength(bytes, start, end, this.#bodyBytes, invalid, this.#isStrict)
  }

  #onTransferEncoding (bytes: Uint8Array, start: number, end: number): void {
    const isChunked = isToken(bytes, start, end, 'chunked')
    if (this.#isStrict && (this.#isChunked || !isChunked)) {
      throw invalid('Transfer-Encoding must be chunked, and nothing else')
    }
    if (isChunked || hasOption(bytes, start, end, 'chunked')) this.#isChunked = true
    else if (!isToken(bytes, start, end, 'identity')) this.#isCoded = true
  }

  #onConnection (bytes: Uint8Array, start: number, end: number): void {
    this.#hasClose ||= hasOption(bytes, start, end, 'close')
    this.#hasKeepAlive ||= hasOption(bytes, start, end, 'keep-alive')
  }
}
