/**
 * What HTTP/1.1 requests and responses have in common: field lines, and the lines of a chunked body (RFC 9112, RFC 9110
 * for field syntax), over bytes that lie whole in one array. Nothing is repaired: what two programs could read in two
 * ways is how requests are smuggled, and a measurement must not take a broken response for a good one. Whose message it
 * is says how it is refused: every breach throws what its `Refuse` makes of the rule.
 *
 * `isStrict: false` is for responses of servers that were not written here: what curl and Chromium both accept is
 * accepted, and read as they do (the table is in docs/BENCHMARKING.md).
 */
export type Refuse = (rule: string) => Error

/** Is told each field; the value is [start, end) without white space around it. */
export interface FieldHandler {
  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void
}

const TAB = 9
export const LF = 10
export const CR = 13
export const SP = 32
const QUOTE = 34
const COMMA = 44
const COLON = 58
const SEMICOLON = 59
const EQUALS = 61
const BACKSLASH = 92
export const DEL = 127

/** 15 digits are always below 2^53. */
const LENGTH_MAX_DIGITS = 15
/** 12 hexadecimal digits are 48 bits, always below 2^53. Leading zeros are digits too. */
const CHUNK_SIZE_MAX_DIGITS = 12

const CHUNK_SIZE_RULE = `a chunk size must have at most ${CHUNK_SIZE_MAX_DIGITS} digits`
const CHUNK_LINE_RULE = 'a chunk size must be followed by CRLF or by extensions'

/** A size that a further digit would make longer than that. */
const CHUNK_SIZE_MAX = 16 ** (CHUNK_SIZE_MAX_DIGITS - 1)

/** By byte: 1 for what a token is made of. */
const TCHAR = new Uint8Array(256)
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TCHAR[letter.charCodeAt(0)] = 1
}

/** VCHAR, obs-text, space, tab: what field values, reason phrases and quoted strings are made of. */
export function isText (byte: number): boolean {
  return (byte >= SP && byte !== DEL) || byte === TAB
}

export function isSpace (byte: number): boolean {
  return byte === SP || byte === TAB
}

/** Where the token that begins at `start` ends; `start` where there is none. */
export function tokenEnd (bytes: Uint8Array, start: number): number {
  let position = start
  while (TCHAR[bytes[position]!] === 1) position++
  return position
}

/** Whether [start, end) is `token`, which is in lower case, without regard to case. */
export function isToken (bytes: Uint8Array, start: number, end: number, token: string): boolean {
  if (end - start !== token.length) return false
  for (let i = 0; i < token.length; i++) {
    const byte = bytes[start + i]!
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== token.charCodeAt(i)) return false
  }
  return true
}

/**
 * Reads the field lines in [start, end), where `end` is behind the empty line. `handler` is null where nobody asks for
 * them, as with trailers.
 */
export function readFields (
  bytes: Uint8Array, start: number, end: number, handler: FieldHandler | null, refuse: Refuse, isStrict = true
): void {
  const emptyLine = end - (bytes[end - 2] === CR ? 2 : 1)
  for (let position = start; position < emptyLine;) position = readField(bytes, position, handler, refuse, isStrict)
}

/** Returns where the next line begins. */
function readField (
  bytes: Uint8Array, start: number, handler: FieldHandler | null, refuse: Refuse, isStrict: boolean
): number {
  let nameEnd = start
  while (TCHAR[bytes[nameEnd]!] === 1) nameEnd++
  if (nameEnd === start || bytes[nameEnd] !== COLON) {
    if (!isStrict) return readOddField(bytes, start, nameEnd, handler, refuse)
    if (nameEnd === start) throw refuse('a field line must begin with a name (folded lines are not accepted)')
    throw refuse('a field name must be a token, directly followed by a colon')
  }
  let valueStart = nameEnd + 1
  while (isSpace(bytes[valueStart]!)) valueStart++
  let position = valueStart
  while (isText(bytes[position]!)) position++
  if (!isStrict && !(bytes[position] === CR && bytes[position + 1] === LF && !isSpace(bytes[position + 2]!))) {
    return readOddField(bytes, start, nameEnd, handler, refuse)
  }
  const next = lineAfter(bytes, position, refuse)
  while (position > valueStart && isSpace(bytes[position - 1]!)) position--
  handler?.onField(bytes, start, nameEnd, valueStart, position)
  return next
}

/** A field with white space behind its name, over several lines, with control characters, or ended by a bare LF. */
function readOddField (
  bytes: Uint8Array, start: number, nameEnd: number, handler: FieldHandler | null, refuse: Refuse
): number {
  const colon = colonAfter(bytes, start, refuse)
  let valueStart = nameEnd
  while (isSpace(bytes[valueStart]!)) valueStart++
  // A line without a proper name says nothing.
  const isNamed = nameEnd > start && valueStart === colon
  const end = foldedEnd(bytes, colon + 1, refuse)
  const next = lineAfter(bytes, end, refuse, false)
  if (!isNamed || handler === null) return next
  // Ends of folded lines are white space. The field is copied, since its bytes belong to somebody else.
  const field = bytes.subarray(start, end).map((byte) => byte === CR || byte === LF ? SP : byte)
  valueStart = colon + 1 - start
  let valueEnd = field.length
  while (valueStart < valueEnd && isSpace(field[valueStart]!)) valueStart++
  while (valueEnd > valueStart && isSpace(field[valueEnd - 1]!)) valueEnd--
  handler.onField(field, 0, nameEnd - start, valueStart, valueEnd)
  return next
}

function colonAfter (bytes: Uint8Array, start: number, refuse: Refuse): number {
  if (isSpace(bytes[start]!)) throw refuse('a folded line must continue a field')
  let position = start
  while (bytes[position] !== COLON) {
    if (isLineEnd(bytes[position]!)) throw refuse('a field line must have a colon')
    position++
  }
  return position
}

/** What stops a lenient scan: the end of the line, and what no line may hold. */
function isLineEnd (byte: number): boolean {
  return byte === LF || byte === CR || byte === 0
}

/** Where the value that goes on at `position` ends. A line that begins with white space belongs to the one before. */
function foldedEnd (bytes: Uint8Array, start: number, refuse: Refuse): number {
  for (let position = start; ;) {
    while (!isLineEnd(bytes[position]!)) position++
    const next = lineAfter(bytes, position, refuse, false)
    if (!isSpace(bytes[next]!)) return position
    position = next
  }
}

/** Where the text that begins at `start`, such as a reason phrase, ends: with its line, or at what it must not hold. */
export function textEnd (bytes: Uint8Array, start: number, isStrict = true): number {
  let position = start
  while (isStrict ? isText(bytes[position]!) : !isLineEnd(bytes[position]!)) position++
  return position
}

/** `position` must be at the end of its line: anything else that stops a scan is a control character. */
export function lineAfter (bytes: Uint8Array, position: number, refuse: Refuse, isStrict = true): number {
  if (bytes[position] === CR && bytes[position + 1] === LF) return position + 2
  if (isStrict) throw refuse('a line must hold no control character, and end with CRLF')
  if (bytes[position] !== LF) throw refuse('a line must hold no NUL, and CR only at its end')
  return position + 1
}

/**
 * The value of Content-Length in [start, end). `before`: what an earlier field said, below 0 where there was none; a
 * second one is refused even where it says the same, unless `isStrict` is false: then fields and list members may
 * repeat one length.
 */
export function parseContentLength (
  bytes: Uint8Array, start: number, end: number, before: number, refuse: Refuse, isStrict = true
): number {
  if (isStrict) {
    if (before >= 0) throw refuse('Content-Length must not be repeated')
    return parseDigits(bytes, start, end, refuse)
  }
  let length = before
  for (let from = start; from <= end;) {
    let comma = from
    while (comma < end && bytes[comma] !== COMMA) comma++
    let to = comma
    while (from < to && isSpace(bytes[from]!)) from++
    while (from < to && isSpace(bytes[to - 1]!)) to--
    const value = parseDigits(bytes, from, to, refuse)
    if (length >= 0 && length !== value) {
      throw refuse(`Content-Length must not be repeated with another value: ${length} and ${value}`)
    }
    length = value
    from = comma + 1
  }
  return length
}

function parseDigits (bytes: Uint8Array, start: number, end: number, refuse: Refuse): number {
  if (start === end || end - start > LENGTH_MAX_DIGITS) {
    throw refuse(`Content-Length must have 1 to ${LENGTH_MAX_DIGITS} digits`)
  }
  let length = 0
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48
    if (digit < 0 || digit > 9) throw refuse('Content-Length must be digits')
    length = length * 10 + digit
  }
  return length
}

/**
 * Whether `option`, in lower case, is in the list [start, end): options between commas, with white space around them.
 */
export function hasOption (bytes: Uint8Array, start: number, end: number, option: string): boolean {
  let optionStart = start
  for (let i = start; i <= end; i++) {
    if (i < end && bytes[i] !== COMMA) continue
    let optionEnd = i
    while (optionStart < optionEnd && isSpace(bytes[optionStart]!)) optionStart++
    while (optionStart < optionEnd && isSpace(bytes[optionEnd - 1]!)) optionEnd--
    if (isToken(bytes, optionStart, optionEnd, option)) return true
    optionStart = i + 1
  }
  return false
}

/**
 * The size in a chunk line [start, end), where `end` is behind its line end. Extensions are checked and passed over.
 * White space around them, which the RFC calls bad and only lets a recipient tolerate, is refused. With `isStrict`
 * false it is not, and nothing behind a semicolon is looked at.
 */
export function parseChunkLine (
  bytes: Uint8Array, start: number, end: number, refuse: Refuse, isStrict = true
): number {
  let size = 0
  let position = start
  for (; ; position++) {
    const digit = hexDigit(bytes[position]!)
    if (digit < 0) break
    if (position - start >= CHUNK_SIZE_MAX_DIGITS && (isStrict || size >= CHUNK_SIZE_MAX)) throw refuse(CHUNK_SIZE_RULE)
    size = size * 16 + digit
  }
  if (position === start) throw refuse('a chunk size must be hexadecimal digits')
  if (bytes[position] === CR && position === end - 2) return size
  if (!isStrict) {
    while (isSpace(bytes[position]!)) position++
    if (bytes[position] === SEMICOLON || position === end - (bytes[end - 2] === CR ? 2 : 1)) return size
    throw refuse(CHUNK_LINE_RULE)
  }
  while (bytes[position] === SEMICOLON) {
    position = wordEnd(bytes, position + 1, refuse)
    if (bytes[position] !== EQUALS) continue
    position =
      bytes[position + 1] === QUOTE ? quotedEnd(bytes, position + 1, refuse) : wordEnd(bytes, position + 1, refuse)
  }
  if (position !== end - 2 || bytes[position] !== CR) throw refuse(CHUNK_LINE_RULE)
  return size
}

function wordEnd (bytes: Uint8Array, start: number, refuse: Refuse): number {
  const end = tokenEnd(bytes, start)
  if (end === start) throw refuse('a chunk extension must have a name, and a value behind =')
  return end
}

/**
 * Where the quoted string that begins at `start` ends, behind its second quote. A line end is no text, so it stops
 * there at the latest.
 */
function quotedEnd (bytes: Uint8Array, start: number, refuse: Refuse): number {
  let position = start + 1
  while (bytes[position] !== QUOTE) {
    if (bytes[position] === BACKSLASH) position++
    if (!isText(bytes[position]!)) throw refuse('a chunk extension must end its quoted string')
    position++
  }
  return position + 1
}

function hexDigit (byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
