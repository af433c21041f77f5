import { type Address, formatAddress, unixAddress } from '../src/base/address.js'
import { ENGINES } from '../src/engine/create-engine.js'
import { TRANSPORTS } from '../src/transport/transport-kinds.js'
import type { TunnelEvent } from '../src/tunnel/tunnel.js'
import type { Flag, Given } from './cli.js'
import { durationOf, oneOf, portOf, SPIN_DESCRIPTION, spinOf, textOf } from './option-values.js'

/** Options and output that the three long-running commands share. */

const STANDARD = { port: '4000', host: '127.0.0.1', server: 'auto', engine: 'auto', transport: 'stream', drain: '2s' } as const

export const SERVICE_FLAGS = {
  transport: { describe: 'How frames travel between host and plugin, the same on both sides: stream (through the Unix socket) or shm (shared memory; Linux, needs koffi)', standard: STANDARD.transport },
  addr: { describe: 'Path of the Unix socket between host and plugin (required)' },
  port: { describe: 'TCP port to listen on; 0 takes any free one, which is printed', standard: STANDARD.port },
  host: { describe: 'Address to listen on; of a name, all its addresses that are here, which are printed; 0.0.0.0 opens the port to the network', standard: STANDARD.host },
  server: { describe: 'Origin server: uws (uWebSockets.js), node (node:http), or auto, which is uws where it loads', standard: STANDARD.server },
  engine: { describe: 'What moves bytes between sockets and the program: epoll (system calls; Linux with koffi), node (node:net), or auto, which is epoll where it loads', standard: STANDARD.engine },
  'spin-us': { describe: SPIN_DESCRIPTION, standard: 'auto' },
  drain: { describe: 'How long SIGTERM and the first Ctrl-C let connections at hand go on, for example 500ms or 10s; 0s cuts them at once', standard: STANDARD.drain },
  stats: { describe: 'Print the counters of the tunnel so often, for example 1s; at least 100ms', standard: 'never' },
  json: { describe: 'Print every event as one JSON object per line instead of sentences', isSwitch: true }
} as const satisfies Record<string, Flag>

/** The checked value of each; throws ERR_TUNNEL_USAGE or ERR_TUNNEL_ADDRESS_INVALID. */
export const valueOf = {
  transport: ({ transport = STANDARD.transport }: Given) => oneOf('transport', transport, TRANSPORTS),
  addr: ({ addr }: Given): Address & { kind: 'unix' } => unixAddress(textOf('addr', addr,
    'tunnel.sock')) as Address & { kind: 'unix' },
  port: ({ port = STANDARD.port }: Given) => portOf('port', port),
  host: ({ host = STANDARD.host }: Given) => textOf('host', host, STANDARD.host),
  server: ({ server = STANDARD.server }: Given) => oneOf('server', server, ['auto', 'uws', 'node']),
  engine: ({ engine = STANDARD.engine }: Given) => oneOf('engine', engine, ENGINES),
  spin: (given: Given) => spinOf(given['spin-us'], valueOf.engine(given)),
  statsMs: ({ stats }: Given) => stats === undefined ? null : durationOf('stats', stats, 100),
  drainMs: ({ drain = STANDARD.drain }: Given) => durationOf('drain', drain, 0)
} as const

/** One line that says that the service is up, for people or for programs. */
export function announce (json: boolean, event: Record<string, unknown>, sentence: string): void {
  console.log(json ? JSON.stringify(event) : sentence)
}

interface Listening {
  readonly address: Address
  readonly addresses: readonly Address[]
}

/** How to reach a service: its URL, and of a name the addresses behind it, as data and in words. */
export function urlOf ({ address, addresses }: Listening): { data: { http: string, addresses?: string[] }, words: string } {
  const http = `http://${formatAddress(address)}`
  const all = addresses.map(formatAddress)
  return all.includes(formatAddress(address))
    ? { data: { http }, words: http }
    : { data: { http, addresses: all }, words: `${http} (${all.join(' and ')})` }
}

/** Prints what happens to the tunnel, or to the socket file of a service without one. */
export function tunnelEventPrinter (name: string, json: boolean): (event: TunnelEvent) => void {
  return (event) => {
    const error = 'error' in event ? event.error : null
    announce(json,
      { event: event.kind, ...(error === null ? {} : { code: error.code, message: error.message }) },
      `${name}: ${SENTENCES[event.kind]}${error === null ? '' : `: ${error.message}`}`)
  }
}

const SENTENCES: Readonly<Record<TunnelEvent['kind'], string>> = {
  attached: 'attached',
  draining: 'the other side is shutting down',
  detached: 'detached',
  refused: 'link refused',
  waiting: 'waiting for a host',
  restored: 'the socket file was removed by somebody, and has been made again',
  unreachable: 'the socket file was removed by somebody, and cannot be made again'
}
