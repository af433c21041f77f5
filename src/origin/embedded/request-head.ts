/**
 * The grammar of HTTP/1.1 request heads, trailer sections and chunk lines (RFC 9112, RFC 9110 for field syntax), over bytes that lie whole in
 * one array. Nothing is repaired: what two programs could read in two ways is how requests are smuggled, so it is refused.
 */
const TAB = 9
const LF = 10
const CR = 13
const SP = 32
const QUOTE = 34
const COMMA = 44
const COLON = 58
const SEMICOLON = 59
const EQUALS = 61
const BACKSLASH = 92
const DEL = 127

/** 15 digits are always below 2^53. */
const LENGTH_MAX_DIGITS = 15
/** 12 hexadecimal digits are 48 bits. */
const CHUNK_SIZE_MAX_DIGITS = 12

export interface RequestHead {
  readonly method: string
  /** As sent. */
  readonly target: string
  /** The client would send another request on this connection. */
  readonly keepAlive: boolean
  /** The body comes in chunks. */
  readonly isChunked: boolean
  /** Without chunks: bytes of the body. */
  readonly bodyBytes: number
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
  /** Of the body; null where the client did not say. */
  readonly contentType: string | null
}

/** A request that is answered with `status`, whatever it asked for, and with the end of its connection. */
export class RequestRefusal extends Error {
  readonly status: number

  constructor (status: number, rule: string) {
    super(`Cannot accept HTTP request: ${rule}\n`)
    this.name = 'RequestRefusal'
    this.status = status
  }
}

const TCHAR = new Uint8Array(256)
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") TCHAR[letter.charCodeAt(0)] = 1

function refusal (rule: string, status = 400): RequestRefusal {
  return new RequestRefusal(status, rule)
}

/** VCHAR, obs-text, space, tab. */
function isText (byte: number): boolean {
  return (byte >= SP && byte !== DEL) || byte === TAB
}

function isSpace (byte: number): boolean {
  return byte === SP || byte === TAB
}

/** Parses request line and fields in [start, end), where `end` is behind the empty line. Throws RequestRefusal. */
export function parseRequestHead (bytes: Uint8Array, start: number, end: number): RequestHead {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  if (position === start || bytes[position] !== SP) throw refusal('it must begin with a method and a space')
  const method = latin1(bytes, start, position)
  const targetStart = ++position
  while (bytes[position]! > SP && bytes[position]! < DEL) position++
  if (position === targetStart || bytes[position] !== SP) throw refusal('its target must be visible ASCII characters and end with a space')
  const target = latin1(bytes, targetStart, position)
  const versionStart = position + 1
  const lineEnd = bytes.indexOf(CR, versionStart)
  const version = latin1(bytes, versionStart, lineEnd)
  if (bytes[lineEnd + 1] !== LF || !/^HTTP\/\d\.\d$/.test(version)) throw refusal('its version must be HTTP/1.1 or HTTP/1.0')
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') throw refusal('its version must be HTTP/1.1 or HTTP/1.0', 505)
  return new FieldReader(method, target, version === 'HTTP/1.1').read(bytes, lineEnd + 2, end)
}

/** Checks the trailer section in [start, end). Throws RequestRefusal. */
export function checkTrailers (bytes: Uint8Array, start: number, end: number): void {
  for (let position = start; position < end - 2;) position = readField(bytes, position, null)
}

/** The size in a chunk line [start, end), where `end` is behind its CRLF. Extensions are checked and passed over. Throws RequestRefusal. */
export function parseChunkLine (bytes: Uint8Array, start: number, end: number): number {
  let size = 0
  let position = start
  for (; ; position++) {
    const digit = hexDigit(bytes[position]!)
    if (digit < 0) break
    if (position - start === CHUNK_SIZE_MAX_DIGITS) throw refusal(`a chunk size must have at most ${CHUNK_SIZE_MAX_DIGITS} digits`)
    size = size * 16 + digit
  }
  if (position === start) throw refusal('a chunk size must be hexadecimal digits')
  while (bytes[position] === SEMICOLON) {
    position = tokenEnd(bytes, position + 1)
    if (bytes[position] !== EQUALS) continue
    position = bytes[position + 1] === QUOTE ? quotedEnd(bytes, position + 1) : tokenEnd(bytes, position + 1)
  }
  if (position !== end - 2 || bytes[position] !== CR) throw refusal('a chunk size must be followed by CRLF or by extensions')
  return size
}

function tokenEnd (bytes: Uint8Array, start: number): number {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  if (position === start) throw refusal('a chunk extension must have a name, and a value behind =')
  return position
}

function quotedEnd (bytes: Uint8Array, start: number): number {
  let position = start + 1
  while (bytes[position] !== QUOTE) {
    if (bytes[position] === BACKSLASH) position++
    if (!isText(bytes[position]!)) throw refusal('a chunk extension must end its quoted string')
    position++
  }
  return position + 1
}

/** Collects the fields that frame a message or change how it is answered. */
class FieldReader {
  readonly #method: string
  readonly #target: string
  readonly #isHttp11: boolean
  #bodyBytes = -1
  #codings: string | null = null
  #hasClose = false
  #hasHost = false
  #expectsContinue = false
  #contentType: string | null = null

  constructor (method: string, target: string, isHttp11: boolean) {
    this.#method = method
    this.#target = target
    this.#isHttp11 = isHttp11
  }

  read (bytes: Uint8Array, start: number, end: number): RequestHead {
    for (let position = start; position < end - 2;) position = readField(bytes, position, this)
    const isChunked = this.#codings !== null
    if (isChunked && this.#bodyBytes >= 0) throw refusal('Content-Length and Transfer-Encoding exclude each other')
    if (isChunked && !this.#isHttp11) throw refusal('Transfer-Encoding does not exist in HTTP/1.0')
    if (this.#isHttp11 && !this.#hasHost) throw refusal('HTTP/1.1 must have a Host field')
    return {
      method: this.#method,
      target: this.#target,
      // HTTP/1.0 may ask for more requests on a connection; one each is always right.
      keepAlive: this.#isHttp11 && !this.#hasClose,
      isChunked,
      bodyBytes: Math.max(0, this.#bodyBytes),
      expectsContinue: this.#isHttp11 && this.#expectsContinue,
      contentType: this.#contentType
    }
  }

  /** One field; the value is [start, end) without white space around it. */
  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    switch (nameEnd - nameStart) {
      case 4: if (isToken(bytes, nameStart, nameEnd, 'host')) this.#onHost(); break
      case 6: if (isToken(bytes, nameStart, nameEnd, 'expect')) this.#onExpect(bytes, start, end); break
      case 10: if (isToken(bytes, nameStart, nameEnd, 'connection')) this.#onConnection(bytes, start, end); break
      case 12: if (isToken(bytes, nameStart, nameEnd, 'content-type')) this.#contentType = latin1(bytes, start, end); break
      case 14: if (isToken(bytes, nameStart, nameEnd, 'content-length')) this.#onContentLength(bytes, start, end); break
      case 17: if (isToken(bytes, nameStart, nameEnd, 'transfer-encoding')) this.#onTransferEncoding(latin1(bytes, start, end).toLowerCase())
    }
  }

  #onHost (): void {
    if (this.#hasHost) throw refusal('Host must not be repeated')
    this.#hasHost = true
  }

  #onExpect (bytes: Uint8Array, start: number, end: number): void {
    if (!isToken(bytes, start, end, '100-continue')) throw refusal('Expect must be 100-continue', 417)
    this.#expectsContinue = true
  }

  #onContentLength (bytes: Uint8Array, start: number, end: number): void {
    if (this.#bodyBytes >= 0) throw refusal('Content-Length must not be repeated')
    if (start === end || end - start > LENGTH_MAX_DIGITS) throw refusal(`Content-Length must have 1 to ${LENGTH_MAX_DIGITS} digits`)
    this.#bodyBytes = 0
    for (let i = start; i < end; i++) {
      const digit = bytes[i]! - 48
      if (digit < 0 || digit > 9) throw refusal('Content-Length must be digits')
      this.#bodyBytes = this.#bodyBytes * 10 + digit
    }
  }

  #onTransferEncoding (codings: string): void {
    if (this.#codings !== null) throw refusal('Transfer-Encoding must not be repeated')
    if (codings !== 'chunked') throw refusal('Transfer-Encoding must be chunked, and nothing else', /[\t ,]chunked$/.test(codings) ? 501 : 400)
    this.#codings = codings
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
      optionStart = i + 1
    }
  }
}

/** Reads the field line at `start` and returns the position of the next line. */
function readField (bytes: Uint8Array, start: number, reader: FieldReader | null): number {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  const nameEnd = position
  if (nameEnd === start) throw refusal('a field line must begin with a name (folded lines are not accepted)')
  if (bytes[position] !== COLON) throw refusal('a field name must be a token, directly followed by a colon')
  position++
  while (isSpace(bytes[position]!)) position++
  const valueStart = position
  while (isText(bytes[position]!)) position++
  if (bytes[position] !== CR || bytes[position + 1] !== LF) throw refusal('a line must hold no control character, and end with CRLF')
  const next = position + 2
  while (position > valueStart && isSpace(bytes[position - 1]!)) position--
  reader?.onField(bytes, start, nameEnd, valueStart, position)
  return next
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

function latin1 (bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
