import { LARGE_BODY_BYTES, SMALL_BODY } from '../base/content.js'
import { type Body, contentBody } from './body.js'

/** Longest body of `GET /bytes/N`: 1 GiB. */
export const BYTES_MAX = 1_073_741_824

/** Longest body that `POST /echo` takes: 256 MiB, held in memory until the response is sent. */
export const ECHO_MAX_BYTES = 268_435_456

/** A response that is known as soon as the request's head is. */
export interface FixedAnswer {
  readonly kind: 'fixed'
  readonly status: number
  /** Name, value, name, value … without Content-Length: uWebSockets.js writes that one itself. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array
}

/** What to do with a request. `content` and `echo` are answered with status 200. */
export type Answer =
  | FixedAnswer
  | { readonly kind: 'content', readonly contentType: string, readonly body: Body }
  | { readonly kind: 'echo' }

export const TEXT = 'text/plain'
export const BINARY = 'application/octet-stream'

const ENDPOINTS = `GET /small, GET /large, GET /health, GET /bytes/N (N from 0 to ${BYTES_MAX}), POST /echo`
const BYTES_PATH = '/bytes/'
/** Enough of what a client sent to recognise it. */
const QUOTE_CHARS = 60

function fixed (status: number, contentType: string, body: string | Uint8Array, ...headers: string[]): FixedAnswer {
  return { kind: 'fixed', status, headers: ['Content-Type', contentType, ...headers], body }
}

const okText = Buffer.from(SMALL_BODY).toString('latin1')

/** What benchmarks request: answers to GET and HEAD, by path. Both servers prepare them once, before they listen. */
export const FIXED_ROUTES: ReadonlyMap<string, FixedAnswer> = new Map([
  ['/small', fixed(200, TEXT, okText)],
  ['/health', fixed(200, TEXT, okText)],
  ['/large', fixed(200, BINARY, contentBody(LARGE_BODY_BYTES).viewAt(0))]
])

/**
 * The answer to a body above `ECHO_MAX_BYTES`. The rest of such a body is not worth reading, so the connection ends
 * with it.
 */
export const ECHO_TOO_LARGE = fixed(
  413,
  TEXT,
  `Cannot echo this body: it has more than ${ECHO_MAX_BYTES} bytes, the limit: send a shorter one\n`,
  'Connection',
  'close'
)

/**
 * The route table of every origin.
 *
 * @param method As sent, for example `GET`. A HEAD request gets the answer to GET; leaving out its body is the server's
 *   part.
 * @param target As sent, with or without a query, which is ignored.
 */
export function route (method: string, target: string): Answer {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (path === '/echo') return method === 'POST' ? { kind: 'echo' } : notAllowed(method, path, 'POST')

  const known = FIXED_ROUTES.get(path)
  if (known === undefined && !path.startsWith(BYTES_PATH)) {
    return fixed(404, TEXT, `Cannot find ${quote(path)}: the endpoints are ${ENDPOINTS}\n`)
  }
  if (method !== 'GET' && method !== 'HEAD') return notAllowed(method, path, 'GET, HEAD')
  return known ?? bytesAnswer(path.slice(BYTES_PATH.length))
}

function bytesAnswer (text: string): Answer {
  const bytes = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : NaN
  if (bytes <= BYTES_MAX) return { kind: 'content', contentType: BINARY, body: contentBody(bytes) }
  return fixed(
    400,
    TEXT,
    `Cannot serve ${quote(text)} bytes: the number must be an integer from 0 to ${BYTES_MAX}, without leading zeros\n`
  )
}

function notAllowed (method: string, path: string, allow: string): FixedAnswer {
  return fixed(405, TEXT, `Cannot answer ${quote(`${method} ${path}`)}: the methods are ${allow}\n`, 'Allow', allow)
}

function quote (text: string): string {
  return JSON.stringify(text.length > QUOTE_CHARS ? `${text.slice(0, QUOTE_CHARS)}…` : text)
}
