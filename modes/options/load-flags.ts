import type { Flag } from './flags.js'
import { MAX_LOAD_THREADS, MAX_SEED } from './measure-options.js'

/** The options of `load`, as --help shows them. */

export const MAX_CONNECTIONS = 20_000
export const MAX_REQUESTS = 1_000_000_000
export const MAX_RATE = 1_000_000

export const LOAD_STANDARD = {
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
    standard: LOAD_STANDARD.requests
  },
  connections: {
    short: 'c',
    describe: `Keep-alive connections, 1 to ${MAX_CONNECTIONS}. Without --rate each sends its next request when the ` +
      'last one is answered',
    standard: LOAD_STANDARD.connections
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
    standard: LOAD_STANDARD.arrivals
  },
  seed: {
    describe: `Of poisson arrivals, 0 to ${MAX_SEED}: the same seed gives the same plan`,
    standard: LOAD_STANDARD.seed
  },
  'max-connections': {
    describe: 'With --rate: open more connections, up to so many, when a request is due and all are busy',
    standard: 'as --connections'
  },
  method: { short: 'm', describe: 'HTTP method; get is GET', standard: LOAD_STANDARD.method },
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
    standard: LOAD_STANDARD.timeout
  },
  'expect-status': {
    describe: 'The status of a good response, 200 to 999; any other is an error. Redirects are not followed',
    standard: 'any from 200 to 299'
  },
  'expect-sha256': {
    describe: 'SHA-256 of the body of a good response, in hexadecimal; any other body is an error',
    standard: 'none: a body has to be whole'
  },
  warmup: {
    describe: 'Load before the measurement that does not count; with --duration',
    standard: LOAD_STANDARD.warmup
  },
  threads: {
    describe: `Threads that generate the load, 1 to ${MAX_LOAD_THREADS}; never more than connections`,
    standard: LOAD_STANDARD.threads
  },
  'unix-socket': {
    describe: 'Connect to this Unix socket; the URL then gives the path and the Host field only',
    standard: 'none'
  },
  engine: {
    describe:
      'What moves bytes between sockets and the program: epoll (system calls; Linux with koffi), node (node:net), or ' +
      'auto, which is epoll where it loads',
    standard: LOAD_STANDARD.engine
  },
  'output-format': { describe: 'text, or json in the format of oha', standard: LOAD_STANDARD['output-format'] },
  json: { short: 'j', describe: 'As --output-format=json', isSwitch: true },
  output: { short: 'o', describe: 'Write the result to this file; - is standard output', standard: 'standard output' },
  'no-tui': { describe: 'No line that tells how it is getting on, which else is shown on a terminal', isSwitch: true },
  'latency-correction': {
    describe: 'Taken for compatibility: with --rate latency is always from the intended start',
    isSwitch: true
  }
}
