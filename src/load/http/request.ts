import { formatAddress, type Address } from '../../base/address.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'

/** What a request says. */
export interface RequestParts {
  readonly target: Address
  /** Request target in origin form. */
  readonly path: string
  readonly method?: string | undefined
  readonly host?: string | undefined
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]> | undefined
  readonly body?: Uint8Array | undefined
}

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Without a body these say so; with the other methods no body is what a server expects (RFC 9110, section 8.6). */
const METHODS_WITH_BODY = ['POST', 'PUT', 'PATCH']
/** The generator frames requests itself; of these a second one would contradict it. */
const OWN_FIELDS = ['content-length', 'transfer-encoding']

/**
 * The bytes of one request, the same for every connection. Throws ERR_TUNNEL_USAGE for what could be read as another
 * request.
 */
export function requestBytes ({ target, path, method = 'GET', host, headers = [], body }: RequestParts): Buffer {
  // Whatever could end the request line would smuggle fields in.
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw usage(
      `request path ${JSON.stringify(path)}`,
      'it must begin with / and hold visible ASCII characters only: percent-encode the others'
    )
  }
  if (!TOKEN.test(method)) {
    throw usage(`use method ${JSON.stringify(method)}`, 'it must be a token, for example GET or POST')
  }
  if (method === 'CONNECT') {
    throw usage('use method CONNECT', 'it makes a tunnel, and has no response to measure: use another one')
  }
  const lines = [`${method} ${path} HTTP/1.1`]
  if (!headers.some(([name]) => name.toLowerCase() === 'host')) {
    lines.push(`Host: ${checkedValue('Host', host ?? (target.kind === 'tcp' ? formatAddress(target) : 'localhost'))}`)
  }
  for (const [name, value] of headers) {
    if (!TOKEN.test(name)) {
      throw usage(`send header field ${JSON.stringify(name)}`, 'its name must be a token, for example Accept')
    }
    if (OWN_FIELDS.includes(name.toLowerCase())) {
      throw usage(`send header field ${name}`, 'the program sets the length of the body: leave it out')
    }
    lines.push(`${name}: ${checkedValue(name, value)}`)
  }
  if (body !== undefined || METHODS_WITH_BODY.includes(method)) lines.push(`Content-Length: ${body?.length ?? 0}`)
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return body === undefined ? head : Buffer.concat([head, body])
}

/** Whether a request asks for the end of its connection. */
export function asksForClose (headers: RequestParts['headers'] = []): boolean {
  return headers.some(([name, value]) => /^connection$/i.test(name) && /(^|,)[\t ]*close[\t ]*(,|$)/i.test(value))
}

/** Whether sending a request twice does no more than sending it once (RFC 9110, section 9.2.2). */
export function isIdempotent (method = 'GET'): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'].includes(method)
}

function checkedValue (name: string, value: string): string {
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
    throw usage(
      `send header field ${name}: ${JSON.stringify(value)}`,
      'its value must hold no control characters, and none beyond Latin-1'
    )
  }
  return value
}

function usage (action: string, rule: string): TunnelError {
  return new TunnelError(ErrorCode.USAGE, `Cannot ${action}: ${rule}`)
}
