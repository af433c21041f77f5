import { ErrorCode, TunnelError } from '../base/errors.js'

/**
 * The grammar of HTTP/1.1 response heads, trailer sections and chunk lines (RFC 9112, RFC 9110 for field syntax), over bytes that
 * lie whole in one array. Every violation throws ERR_TUNNEL_HTTP_INVALID; nothing is repaired, because a measurement must not
 * take a broken response for a good one.
 */
export const LF = 10
export const CR = 13
const TAB = 9
const SP = 32
const COMMA = 44
const COLON = 58
const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92
const DEL = 127

/** What the start line must begin with. HTTP/1.0 and HTTP/1.1 are all there is. */
const VERSION_PREFIX = Uint8Array.from('HTTP/1.', (letter) => letter.charCodeAt(0))
/** `HTTP/1.1 200 ` */
const STATUS_LINE_MIN_BYTES = 13

/** 15 digits are always below 2^53. */
const LENGTH_MAX_DIGITS = 15
/** 12 hexadecimal digits are 48 bits, always below 2^53. Leading zeros are digits too. */
const CHUNK_SIZE_MAX_DIGITS = 12

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

const TCHAR = new Uint8Array(256)
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") TCHAR[letter.charCodeAt(0)] = 1

/** VCHAR, obs-text, space, tab: what field values, reason phrases and chunk extensions are made of. */
function isText (byte: number): boolean {
  return (byte >= SP && byte !== DEL) || byte === TAB
}

function isSpace (byte: number): boolean {
  return byte === SP || byte === TAB
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
  return new FieldReader(status, minor === 1).read(bytes, lineAfter(bytes, position), end)
}

/** Checks the trailer section in [start, end), of the same form as the field lines of a head. Trailers mean nothing to this program. */
export function checkTrailers (bytes: Uint8Array, start: number, end: number): void {
  for (let position = start; position < end - 2;) position = readField(bytes, position, null)
}

/**
 * The size in a chunk line [start, end), where `end` is behind its CRLF. Extensions are checked and passed over. White space
 * around them, which the RFC calls bad and only lets a recipient tolerate, is refused.
 */
export function parseChunkLine (bytes: Uint8Array, start: number, end: number): number {
  let size = 0
  let position = start
  for (; ; position++) {
    const digit = hexDigit(bytes[position]!)
    if (digit < 0) break
    if (position - start === CHUNK_SIZE_MAX_DIGITS) throw invalid(`chunk size must have at most ${CHUNK_SIZE_MAX_DIGITS} digits`)
    size = size * 16 + digit
  }
  if (position === start) throw invalid('chunk size must be hexadecimal digits')
  while (bytes[position] === SEMICOLON) {
    position = tokenEnd(bytes, position + 1)
    if (bytes[position] !== EQUALS) continue
    position = bytes[position + 1] === QUOTE ? quotedEnd(bytes, position + 1) : tokenEnd(bytes, position + 1)
  }
  if (position !== end - 2) throw invalid('chunk size must be followed by CRLF or by extensions')
  return size
}

/** Where the token that begins at `start` ends. */
function tokenEnd (bytes: Uint8Array, start: number): number {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  if (position === start) throw invalid('chunk extension must have a name, and a value behind =')
  return position
}

/** Where the quoted string that begins at `start` ends, behind its second quote. A line end is no text, so it stops there at the latest. */
function quotedEnd (bytes: Uint8Array, start: number): number {
  let position = start + 1
  while (bytes[position] !== QUOTE) {
    if (bytes[position] === BACKSLASH) position++
    if (!isText(bytes[position]!)) throw invalid('chunk extension must end its quoted string')
    position++
  }
  return position + 1
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
    for (let position = start; position < end - 2;) position = readField(bytes, position, this)
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

  /** One field; the value is [start, end) without white space around it. */
  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    if (isToken(bytes, nameStart, nameEnd, 'content-length')) this.#onContentLength(bytes, start, end)
    else if (isToken(bytes, nameStart, nameEnd, 'transfer-encoding')) this.#onTransferEncoding(bytes, start, end)
    else if (isToken(bytes, nameStart, nameEnd, 'connection')) this.#onConnection(bytes, start, end)
  }

  #onContentLength (bytes: Uint8Array, start: number, end: number): void {
    if (this.#bodyBytes >= 0) throw invalid('Content-Length must not be repeated')
    if (start === end || end - start > LENGTH_MAX_DIGITS) throw invalid(`Content-Length must have 1 to ${LENGTH_MAX_DIGITS} digits`)
    this.#bodyBytes = 0
    for (let i = start; i < end; i++) {
      const digit = bytes[i]! - 48
      if (digit < 0 || digit > 9) throw invalid('Content-Length must be digits')
      this.#bodyBytes = this.#bodyBytes * 10 + digit
    }
  }

  #onTransferEncoding (bytes: Uint8Array, start: number, end: number): void {
    if (this.#isChunked || !isToken(bytes, start, end, 'chunked')) throw invalid('Transfer-Encoding must be chunked, and nothing else')
    this.#isChunked = true
  }

  /** A list of options between commas, with white space around them. */
  #onConnection (bytes: Uint8Array, start: number, end: number): void {
    let optionStart = start
    for (let i = start; i <= end; i++) {
      if (i < end && bytes[i] !== COMMA) continue
      let optionEnd = i
      while (optionStart < optionEnd && isSpace(bytes[optionStart]!)) optionStart++
      while (optionStart < optionEnd && isSpace(bytes[optionEnd - 1]!)) optionEnd--
      if (isToken(bytes, optionStart, optionEnd, 'close')) this.#hasClose = true
      if (isToken(bytes, optionStart, optionEnd, 'keep-alive')) this.#hasKeepAlive = true
      optionStart = i + 1
    }
  }
}

/** Reads the field line at `start` and returns the position of the next line. */
function readField (bytes: Uint8Array, start: number, reader: FieldReader | null): number {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  const nameEnd = position
  if (nameEnd === start) throw invalid('field line must begin with a name (folded lines are not accepted)')
  if (bytes[position] !== COLON) throw invalid('field name must be a token, directly followed by a colon')
  position++
  while (isSpace(bytes[position]!)) position++
  const valueStart = position
  while (isText(bytes[position]!)) position++
  const next = lineAfter(bytes, position)
  while (position > valueStart && isSpace(bytes[position - 1]!)) position--
  reader?.onField(bytes, start, nameEnd, valueStart, position)
  return next
}

/** `position` must be at the CRLF of its line: anything else that stops a scan is a control character. */
function lineAfter (bytes: Uint8Array, position: number): number {
  if (bytes[position] !== CR || bytes[position + 1] !== LF) throw invalid('line holds a control character')
  return position + 2
}

/** Whether [start, end) is `token`, which is in lower case, without regard to case. */
function isToken (bytes: Uint8Array, start: number, end: number, token: string): boolean {
  if (end - start !== token.length) return false
  for (let i = 0; i < token.length; i++) {
    const byte = bytes[start + i]!
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== token.charCodeAt(i)) return false
  }
  return true
}

function hexDigit (byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
