import { readFileSync } from 'node:fs'
import { type Address, tcpAddress, unixAddress } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { CONNECT_TIMEOUT_MS, LONGEST_TIMER_MS } from '../../src/base/time-limit.js'
import { type EngineChoice, ENGINES } from '../../src/engine/create-engine.js'
import type { LoadJob } from '../../src/load/job.js'
import { requestBytes } from '../../src/load/http/request.js'
import { KNOWN_METHODS } from '../../src/origin/embedded/request-head.js'
import type { Flag, Given, Lists } from './cli.js'
import { ARRIVALS, MAX_LOAD_THREADS, MAX_SEED } from './measure-options.js'
import { durationOf, integerOf, oneOf, positiveOf, textOf } from './option-values.js'
import { usage } from '../plan/usage.js'

const MAX_CONNECTIONS = 20_000
const MAX_REQUESTS = 1_000_000_000
const MAX_RATE = 1_000_000

const STANDARD = {
  requests: '200',
  connections: '50',
  method: 'GET',
  timeout: '30s',
  warmup: '0s',
  arrivals: 'constant',
  seed: '1',
  threads: '1',
  engine: 'auto',
  'output-format': 'text'
} as const

/** Short letters are oha's where the meaning is the same. */
export const LOAD_FLAGS: Readonly<Record<string, Flag>> = {
  requests: {
    short: 'n',
    describe: `Requests to send, 1 to ${MAX_REQUESTS}; for nothing where --duration is given`,
    standard: STANDARD.requests
  },
  connections: {
    short: 'c',
    describe: `Keep-alive connections, 1 to ${MAX_CONNECTIONS}. Without --rate each sends its next request when the ` +
      'last one is answered',
    standard: STANDARD.connections
  },
  duration: {
    short: 'z',
    describe:
      'How long to send, for example 500ms, 10s or 1m30s; what is on its way at the end is cut off, ' +
      'and is no error',
    standard: 'until --requests are done'
  },
  rate: {
    short: 'q',
    describe: `Open loop: send so many requests per second, above 0 and up to ${MAX_RATE}, over all connections, ` +
      'whatever the server does',
    standard: 'none: a closed loop'
  },
  arrivals: {
    describe: 'With --rate: constant (evenly spaced) or poisson (at random, as from many clients)',
    standard: STANDARD.arrivals
  },
  seed: {
    describe: `Of poisson arrivals, 0 to ${MAX_SEED}: the same seed gives the same plan`,
    standard: STANDARD.seed
  },
  'max-connections': {
    describe: 'With --rate: open more connections, up to so many, when a request is due and all are busy',
    standard: 'as --connections'
  },
  method: { short: 'm', describe: 'HTTP method; get is GET', standard: STANDARD.method },
  header: {
    short: 'H',
    describe: 'Header field "Name: value"; may be given several times',
    standard: 'none',
    isList: true
  },
  accept: { short: 'A', describe: 'Value of the Accept field', standard: 'none' },
  'content-type': { short: 'T', describe: 'Value of the Content-Type field', standard: 'none' },
  host: { describe: 'Value of the Host field', standard: 'from the URL' },
  data: { short: 'd', describe: 'Body of every request, as text', standard: 'none' },
  'body-file': { short: 'D', describe: 'Body of every request, from a file; - is standard input', standard: 'none' },
  timeout: {
    short: 't',
    describe: 'A response that is not whole after so long is an error; 0s waits for ever',
    standard: STANDARD.timeout
  },
  'expect-status': {
    describe: 'The status of a good response, 200 to 999; any other is an error. Redirects are not followed',
    standard: 'any from 200 to 299'
  },
  'expect-sha256': {
    describe: 'SHA-256 of the body of a good response, in hexadecimal; any other body is an error',
    standard: 'none: a body has to be whole'
  },
  warmup: { describe: 'Load before the measurement that does not count; with --duration', standard: STANDARD.warmup },
  threads: {
    describe: `Threads that generate the load, 1 to ${MAX_LOAD_THREADS}; never more than connections`,
    standard: STANDARD.threads
  },
  'unix-socket': {
    describe: 'Connect to this Unix socket; the URL then gives the path and the Host field only',
    standard: 'none'
  },
  engine: {
    describe:
      'What moves bytes between sockets and the program: epoll (system calls; Linux with koffi), node (node:net), or ' +
      'auto, which is epoll where it loads',
    standard: STANDARD.engine
  },
  'output-format': { describe: 'text, or json in the format of oha', standard: STANDARD['output-format'] },
  json: { short: 'j', describe: 'As --output-format=json', isSwitch: true },
  output: { short: 'o', describe: 'Write the result to this file; - is standard output', standard: 'standard output' },
  'no-tui': { describe: 'No line that tells how it is getting on, which else is shown on a terminal', isSwitch: true },
  'latency-correction': {
    describe: 'Taken for compatibility: with --rate latency is always from the intended start',
    isSwitch: true
  }
}

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
export function resolveLoadOptions (url: string, given: Given, lists: Lists, input?: Uint8Array): LoadOptions {
  const { target: urlTarget, path, host } = parseUrl(url)
  const target =
    given['unix-socket'] === undefined
      ? urlTarget
      : unixAddress(textOf('unix-socket', given['unix-socket'], '/tmp/server.sock'))
  const extent = extentOf(given)
  const connections = integerOf('connections', given.connections ?? STANDARD.connections, 1, MAX_CONNECTIONS)
  // A connection without a request would only be opened.
  const concurrency = Math.min(connections, extent.requests ?? Infinity)
  const timeoutMs = durationOf('timeout', given.timeout ?? STANDARD.timeout, 0)
  const job: LoadJob = {
    target,
    path,
    method: methodOf(textOf('method', given.method ?? STANDARD.method, 'POST')),
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
    threads: integerOf('threads', given.threads ?? STANDARD.threads, 1, MAX_LOAD_THREADS),
    stalledReaders: 0,
    stalledPath: '/'
  }
  // Refuses what cannot be sent before anything is connected.
  requestBytes(job)
  const format = oneOf('output-format', given['output-format'] ?? STANDARD['output-format'], ['text', 'json'])
  return {
    job,
    engine: oneOf('engine', given.engine ?? STANDARD.engine, ENGINES),
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

function headersOf (given: Given, lists: Lists): Array<[string, string]> {
  const headers = (lists.header ?? []).map((text): [string, string] => {
    const [, name, value] = /^([^:]*):\s*(.*?)\s*$/s.exec(text) ?? []
    if (name === undefined || value === undefined) {
      throw usage('header', text, 'must be a name, a colon and a value, for example "Accept: text/html"')
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
    throw usage('body-file', given['body-file'], 'excludes --data: give one of them')
  }
  if (given.data !== undefined) return { body: Buffer.from(String(given.data)) }
  if (given['body-file'] === undefined) return {}
  if (given['body-file'] === STANDARD_STREAM && input !== undefined) return { body: input }
  try {
    return { body: readFileSync(String(given['body-file'])) }
  } catch (error) {
    throw usage('body-file', given['body-file'], `must name a file that can be read: ${(error as Error).message}`)
  }
}

function sha256Of (given: Given): string | null {
  const text = given['expect-sha256']
  if (text === undefined) return null
  if (!/^[0-9a-f]{64}$/i.test(String(text))) {
    throw usage('expect-sha256', text, 'must be 64 hexadecimal digits, as sha256sum prints them')
  }
  return String(text).toLowerCase()
}

function paceOf (given: Given, concurrency: number): LoadJob['pace'] {
  if (given.rate === undefined) {
    const flag = ['arrivals', 'seed', 'max-connections'].find((name) => given[name] !== undefined)
    if (flag !== undefined) throw usage(flag, given[flag], 'is for an open loop: leave it out, or give --rate')
    return { kind: 'closed' }
  }
  return {
    kind: 'open',
    ratePerSec: positiveOf('rate', given.rate, MAX_RATE),
    arrivals: oneOf('arrivals', given.arrivals ?? STANDARD.arrivals, ARRIVALS),
    seed: integerOf('seed', given.seed ?? STANDARD.seed, 0, MAX_SEED),
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
      warmupMs: durationOf('warmup', given.warmup ?? STANDARD.warmup, 0),
      durationMs: durationOf('duration', given.duration, 50)
    }
  }
  if (given.warmup !== undefined) {
    throw usage('warmup', given.warmup, 'needs --duration: with a number of requests every one counts')
  }
  return {
    warmupMs: 0,
    // Until all are sent.
    durationMs: LONGEST_TIMER_MS,
    requests: integerOf('requests', given.requests ?? STANDARD.requests, 1, MAX_REQUESTS)
  }
}
