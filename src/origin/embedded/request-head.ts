import { METHODS } from 'node:http'
import {
  CR,
  DEL,
  hasOption,
  isToken,
  LF,
  parseChunkLine as parseChunk,
  parseContentLength,
  readFields,
  SP,
  tokenEnd
} from '../../base/http-grammar.js'

/** What node:http knows, in capitals. CONNECT is left out: what follows it is no HTTP, and nothing here takes it. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== 'CONNECT'))

/**
 * HTTP/1.1 request heads (RFC 9112), over bytes that lie whole in one array: as strict as the grammar of fields, and
 * with a status for each refusal.
 */

export interface RequestHead {
  readonly method: string
  /** As sent. */
  readonly target: string
  /** The client would send another request on this connection. */
  readonly keepAlive: boolean
  /** It speaks HTTP/1.0, and so has to be told that the connection stays. */
  readonly isHttp10: boolean
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

function refusal (rule: string, status = 400): RequestRefusal {
  return new RequestRefusal(status, rule)
}

/** Parses request line and fields in [start, end), where `end` is behind the empty line. Throws RequestRefusal. */
export function parseRequestHead (bytes: Uint8Array, start: number, end: number): RequestHead {
  let position = tokenEnd(bytes, start)
  if (position === start || bytes[position] !== SP) throw refusal('it must begin with a method and a space')
  const method = latin1(bytes, start, position)
  const targetStart = ++position
  while (bytes[position]! > SP && bytes[position]! < DEL) position++
  if (position === targetStart || bytes[position] !== SP) {
    throw refusal('its target must be visible ASCII characters and end with a space')
  }
  const target = latin1(bytes, targetStart, position)
  const versionStart = position + 1
  const lineEnd = bytes.indexOf(CR, versionStart)
  const version = latin1(bytes, versionStart, lineEnd)
  if (bytes[lineEnd + 1] !== LF || !/^HTTP\/\d\.\d$/.test(version)) {
    throw refusal('its version must be HTTP/1.1 or HTTP/1.0')
  }
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') throw refusal('its version must be HTTP/1.1 or HTTP/1.0', 505)
  if (!KNOWN_METHODS.has(method)) throw refusal('its method must be a known one, in capitals, and not CONNECT', 501)
  return new RequestFields(method, target, version === 'HTTP/1.1').read(bytes, lineEnd + 2, end)
}

/** Checks the trailer section in [start, end). Throws RequestRefusal. */
export function checkTrailers (bytes: Uint8Array, start: number, end: number): void {
  readFields(bytes, start, end, TRAILERS, refusal)
}

/** A program that adds trailers to the head would find another length for the body (RFC 9110 section 6.5.1). */
const TRAILERS = {
  onField (bytes: Uint8Array, nameStart: number, nameEnd: number): void {
    for (const framing of ['content-length', 'transfer-encoding']) {
      if (isToken(bytes, nameStart, nameEnd, framing)) throw refusal(`a trailer must not be ${framing}`)
    }
  }
}

/** The size in a chunk line [start, end), where `end` is behind its CRLF. Throws RequestRefusal. */
export function parseChunkLine (bytes: Uint8Array, start: number, end: number): number {
  return parseChunk(bytes, start, end, refusal)
}

/** Collects the fields that frame a message or change how it is answered. */
class RequestFields {
  readonly #method: string
  readonly #target: string
  readonly #isHttp11: boolean
  #bodyBytes = -1
  #codings: string | null = null
  #hasClose = false
  #hasKeepAlive = false
  #hasHost = false
  #expectsContinue = false
  #contentType: string | null = null

  constructor (method: string, target: string, isHttp11: boolean) {
    this.#method = method
    this.#target = target
    this.#isHttp11 = isHttp11
  }

  read (bytes: Uint8Array, start: number, end: number): RequestHead {
    readFields(bytes, start, end, this, refusal)
    const isChunked = this.#codings !== null
    if (isChunked && this.#bodyBytes >= 0) throw refusal('Content-Length and Transfer-Encoding exclude each other')
    if (isChunked && !this.#isHttp11) throw refusal('Transfer-Encoding does not exist in HTTP/1.0')
    if (this.#isHttp11 && !this.#hasHost) throw refusal('HTTP/1.1 must have a Host field')
    return {
      method: this.#method,
      target: this.#target,
      keepAlive: (this.#isHttp11 || this.#hasKeepAlive) && !this.#hasClose,
      isHttp10: !this.#isHttp11,
      isChunked,
      bodyBytes: Math.max(0, this.#bodyBytes),
      expectsContinue: this.#isHttp11 && this.#expectsContinue,
      contentType: this.#contentType
    }
  }

  onField (bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    switch (nameEnd - nameStart) {
      case 4:
        if (isToken(bytes, nameStart, nameEnd, 'host')) this.#onHost()
        break
      case 6:
        if (isToken(bytes, nameStart, nameEnd, 'expect')) this.#onExpect(bytes, start, end)
        break
      case 10:
        if (isToken(bytes, nameStart, nameEnd, 'connection')) this.#onConnection(bytes, start, end)
        break
      case 12:
        if (isToken(bytes, nameStart, nameEnd, 'content-type')) this.#contentType = latin1(bytes, start, end)
        break
      case 14:
        if (isToken(bytes, nameStart, nameEnd, 'content-length')) {
          this.#bodyBytes = parseContentLength(bytes, start, end, this.#bodyBytes, refusal)
        }
        break
      case 17:
        if (isToken(bytes, nameStart, nameEnd, 'transfer-encoding')) {
          this.#onTransferEncoding(latin1(bytes, start, end).toLowerCase())
        }
    }
  }

  #onConnection (bytes: Uint8Array, start: number, end: number): void {
    this.#hasClose ||= hasOption(bytes, start, end, 'close')
    this.#hasKeepAlive ||= hasOption(bytes, start, end, 'keep-alive')
  }

  #onHost (): void {
    if (this.#hasHost) throw refusal('Host must not be repeated')
    this.#hasHost = true
  }

  #onExpect (bytes: Uint8Array, start: number, end: number): void {
    if (!isToken(bytes, start, end, '100-continue')) throw refusal('Expect must be 100-continue', 417)
    this.#expectsContinue = true
  }

  #onTransferEncoding (codings: string): void {
    if (this.#codings !== null) throw refusal('Transfer-Encoding must not be repeated')
    if (codings !== 'chunked') {
      throw refusal('Transfer-Encoding must be chunked, and nothing else', /[\t ,]chunked$/.test(codings) ? 501 : 400)
    }
    this.#codings = codings
  }
}

function latin1 (bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
