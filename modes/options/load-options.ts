import { readFileSync } from 'node:fs'
import { type Address, tcpAddress, unixAddress } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { CONNECT_TIMEOUT_MS, LONGEST_TIMER_MS } from '../../src/base/time-limit.js'
import { type EngineChoice, ENGINES } from '../../src/engine/create-engine.js'
import type { LoadJob } from '../../src/load/job.js'
import { requestBytes } from '../../src/load/http/request.js'
import { KNOWN_METHODS } from '../../src/origin/embedded/request-head.js'
import type { Given, GivenLists } from './flags.js'
import { LOAD_STANDARD, MAX_CONNECTIONS, MAX_RATE, MAX_REQUESTS } from './load-flags.js'
import { ARRIVALS, MAX_LOAD_THREADS, MAX_SEED } from './measure-options.js'
import { durationOf, integerOf, oneOf, positiveOf, textOf } from './option-values.js'
import { usageError } from '../plan/usage-error.js'

export interface LoadOptions {
  /** The job, but for where a host name leads. */
  readonly job: LoadJob
  readonly engine: EngineChoice
  readonly format: 'text' | 'json'
  /** null: standard output. */
  readonly output: string | null
  readonly showsProgress: boolean
}

/** What stands for standard input or output in the place of a file. */
export const STANDARD_STREAM = '-'

/**
 * Checks everything; throws ERR_TUNNEL_USAGE or ERR_TUNNEL_ADDRESS_INVALID. `input` is what standard input held, if
 * that is the body.
 */
export function resolveLoadOptions (url: string, given: Given, lists: GivenLists, input?: Uint8Array): LoadOptions {
  const { target: urlTarget, path, host } = parseUrl(url)
  const target =
    given['unix-socket'] === undefined
      ? urlTarget
      : unixAddress(textOf('unix-socket', given['unix-socket'], '/tmp/server.sock'))
  const extent = extentOf(given)
  const connections = integerOf('connections', given.connections ?? LOAD_STANDARD.connections, 1, MAX_CONNECTIONS)
  // A connection without a request would only be opened.
  const concurrency = Math.min(connections, extent.requests ?? Infinity)
  const timeoutMs = durationOf('timeout', given.timeout ?? LOAD_STANDARD.timeout, 0)
  const job: LoadJob = {
    target,
    path,
    method: methodOf(textOf('method', given.method ?? LOAD_STANDARD.method, 'POST')),
    host: given.host === undefined ? host : textOf('host', given.host, 'example.com'),
    headers: headersOf(given, lists),
    ...bodyOf(given, input),
    expect: {
      kind: 'response',
      status:
        given['expect-status'] === undefined ? null : integerOf('expect-status', given['expect-status'], 200, 999),
      sha256: sha256Of(given)
    },
    pace: paceOf(given, connections),
    concurrency,
    ...extent,
    requestTimeoutMs: timeoutMs === 0 ? Infinity : timeoutMs,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    threads: integerOf('threads', given.threads ?? LOAD_STANDARD.threads, 1, MAX_LOAD_THREADS),
    stalledReaders: 0,
    stalledPath: '/'
  }
  // Refuses what cannot be sent before anything is connected.
  requestBytes(job)
  const format = oneOf('output-format', given['output-format'] ?? LOAD_STANDARD['output-format'], ['text', 'json'])
  return {
    job,
    engine: oneOf('engine', given.engine ?? LOAD_STANDARD.engine, ENGINES),
    format: given.json === true ? 'json' : format,
    output: outputOf(given),
    showsProgress: given['no-tui'] !== true
  }
}

/** Only `http://` has a meaning here. */
export function parseUrl (text: string): { target: Address, path: string, host: string } {
  const fail = (rule: string): never => { throw new TunnelError(ErrorCode.USAGE, `Cannot load ${text}: ${rule}`) }
  const url = URL.canParse(text) ? new URL(text) : fail('a URL is needed, for example http://127.0.0.1:8080/path')
  if (url.protocol === 'https:') {
    fail('this generator speaks HTTP without TLS only: name the http:// address behind what ends TLS')
  }
  if (url.protocol !== 'http:') fail('a URL must begin with http://, for example http://127.0.0.1:8080/path')
  if (url.username !== '' || url.password !== '') {
    fail('credentials in the URL are not sent: use -H "Authorization: Basic ..."')
  }
  return {
    target: tcpAddress(url.hostname, url.port === '' ? 80 : Number(url.port)),
    path: `${url.pathname}${url.search}`,
    host: url.host
  }
}

function headersOf (given: Given, lists: GivenLists): Array<[string, string]> {
  const headers = (lists.header ?? []).map((text): [string, string] => {
    const [, name, value] = /^([^:]*):\s*(.*?)\s*$/s.exec(text) ?? []
    if (name === undefined || value === undefined) {
      throw usageError('header', text, 'must be a name, a colon and a value, for example "Accept: text/html"')
    }
    return [name, value]
  })
  for (const [flag, name] of [['accept', 'Accept'], ['content-type', 'Content-Type']] as const) {
    if (given[flag] !== undefined) headers.push([name, textOf(flag, given[flag], 'text/html')])
  }
  return headers
}

function outputOf ({ output }: Given): string | null {
  return output === undefined || output === STANDARD_STREAM ? null : textOf('output', output, 'result.json')
}

/** Methods are case-sensitive, and these are written in capitals: `post` is no method of any server. */
function methodOf (text: string): string {
  const capitals = text.toUpperCase()
  return KNOWN_METHODS.has(capitals) ? capitals : text
}

function bodyOf (given: Given, input: Uint8Array | undefined): { body?: Uint8Array } {
  if (given.data !== undefined && given['body-file'] !== undefined) {
    throw usageError('body-file', given['body-file'], 'excludes --data: give one of them')
  }
  if (given.data !== undefined) return { body: Buffer.from(String(given.data)) }
  if (given['body-file'] === undefined) return {}
  if (given['body-file'] === STANDARD_STREAM && input !== undefined) return { body: input }
  try {
    return { body: readFileSync(String(given['body-file'])) }
  } catch (error) {
    throw usageError('body-file', given['body-file'], `must name a file that can be read: ${(error as Error).message}`)
  }
}

function sha256Of (given: Given): string | null {
  const text = given['expect-sha256']
  if (text === undefined) return null
  if (!/^[0-9a-f]{64}$/i.test(String(text))) {
    throw usageError('expect-sha256', text, 'must be 64 hexadecimal digits, as sha256sum prints them')
  }
  return String(text).toLowerCase()
}

function paceOf (given: Given, concurrency: number): LoadJob['pace'] {
  if (given.rate === undefined) {
    const flag = ['arrivals', 'seed', 'max-connections'].find((name) => given[name] !== undefined)
    if (flag !== undefined) throw usageError(flag, given[flag], 'is for an open loop: leave it out, or give --rate')
    return { kind: 'closed' }
  }
  return {
    kind: 'open',
    ratePerSec: positiveOf('rate', given.rate, MAX_RATE),
    arrivals: oneOf('arrivals', given.arrivals ?? LOAD_STANDARD.arrivals, ARRIVALS),
    seed: integerOf('seed', given.seed ?? LOAD_STANDARD.seed, 0, MAX_SEED),
    maxConnections:
      given['max-connections'] === undefined
        ? concurrency
        : integerOf('max-connections', given['max-connections'], concurrency, MAX_CONNECTIONS)
  }
}

/** As with oha, a duration makes the number of requests be ignored. */
function extentOf (given: Given): Pick<LoadJob, 'warmupMs' | 'durationMs' | 'requests'> {
  if (given.duration !== undefined) {
    return {
      warmupMs: durationOf('warmup', given.warmup ?? LOAD_STANDARD.warmup, 0),
      durationMs: durationOf('duration', given.duration, 50)
    }
  }
  if (given.warmup !== undefined) {
    throw usageError('warmup', given.warmup, 'needs --duration: with a number of requests every one counts')
  }
  return {
    warmupMs: 0,
    // Until all are sent.
    durationMs: LONGEST_TIMER_MS,
    requests: integerOf('requests', given.requests ?? LOAD_STANDARD.requests, 1, MAX_REQUESTS)
  }
}
