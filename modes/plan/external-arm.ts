import { type Address, tcpAddress } from '../../src/base/address.js'
import type { ExternalArm } from '../../src/result/run-result.js'
import { usageError } from './usage-error.js'

/** Arms that are programs from outside: `NAME=URL` or `NAME=URL,start=COMMAND`. */

const START = ',start='
const ORIGIN = '{origin}'
const PORT = '{port}'

const RULE =
  'must be NAME=URL or NAME=URL,start=COMMAND, for example haproxy=http://127.0.0.1:{port},start="haproxy -f my.cfg"'

/**
 * Checks everything that can be checked before it is started. `taken`: names that mean something already. Throws
 * ERR_TUNNEL_USAGE.
 */
export function parseExternalArm (text: string, taken: readonly string[]): ExternalArm {
  const at = text.indexOf('=')
  const [name, rest] = [text.slice(0, at), text.slice(at + 1)]
  if (at < 1 || rest === '') throw usageError('arm', text, RULE)
  if (!/^[a-z0-9][a-z0-9_.-]{0,31}$/i.test(name)) {
    throw usageError('arm', text, 'must begin with a name of at most 32 letters, digits, dots, hyphens and underscores')
  }
  if (taken.includes(name)) {
    throw usageError('arm', text, `must not be named ${name}: there is such an arm already; choose another name`)
  }
  const cut = rest.indexOf(START)
  const url = cut < 0 ? rest : rest.slice(0, cut)
  const start = cut < 0 ? null : rest.slice(cut + START.length)
  if (start?.trim() === '') throw usageError('arm', text, RULE)
  if (start === null && url.includes(PORT)) {
    throw usageError(
      'arm',
      text,
      `has ${PORT} in its URL, which is for a program that is started: add ,start=COMMAND, or write the port`
    )
  }
  targetOf({ name, url, start }, 1)
  return { name, url, start }
}

/** Where the arm's program listens, with `port` for `{port}`. Throws ERR_TUNNEL_USAGE. */
export function targetOf ({ name, url: template }: ExternalArm, port: number): Address & { kind: 'tcp' } {
  const fail = (rule: string): never => { throw usageError('arm', `${name}=${template}`, rule) }
  let url: URL
  try {
    url = new URL(template.replaceAll(PORT, String(port)))
  } catch {
    return fail('must have a URL with a host and a port, for example http://127.0.0.1:8080')
  }
  if (url.protocol !== 'http:') fail('must have a URL that begins with http://')
  if (url.href !== `http://${url.host}/`) {
    fail('must have a URL of a host and a port only: what is asked for is the same in every arm')
  }
  if (url.port === '0') fail('must name a port from 1 to 65535')
  return tcpAddress(url.hostname, url.port === '' ? 80 : Number(url.port)) as Address & { kind: 'tcp' }
}

/** The command with `{origin}` (host:port of the origin) and `{port}` filled in. */
export function commandOf (start: string, origin: string, port: number): string {
  return start.replaceAll(ORIGIN, origin).replaceAll(PORT, String(port))
}
