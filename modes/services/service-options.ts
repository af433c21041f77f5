import { type Address, unixAddress } from '../../src/base/address.js'
import { ENGINES } from '../../src/engine/create-engine.js'
import { HelloLimit } from '../../src/mux/hello.js'
import { DEFAULT_SESSION_OPTIONS } from '../../src/mux/session.js'
import { SERVERS } from '../../src/origin/origin.js'
import { TRANSPORTS } from '../../src/transport/transport-kinds.js'
import type { Cures } from '../options/cures.js'
import type { Flag, Given } from '../options/flags.js'
import {
  durationOf, integerOf, oneOf, portOf, SERVER_DESCRIPTION, SPIN_DESCRIPTION, spinOf, textOf
} from '../options/option-values.js'

/** Options that the three long-running commands share. */

const STANDARD = {
  port: '4000',
  host: '127.0.0.1',
  server: 'lab',
  engine: 'auto',
  transport: 'stream',
  maxConnections: String(DEFAULT_SESSION_OPTIONS.maxChannels),
  drain: '2s'
} as const

export const SERVICE_FLAGS = {
  transport: {
    describe:
      'How frames travel between host and plugin, the same on both sides: stream (through the Unix socket) or shm ' +
      '(shared memory; Linux, needs koffi)',
    standard: STANDARD.transport
  },
  addr: { describe: 'Path of the Unix socket between host and plugin (required)' },
  port: { describe: 'TCP port to listen on; 0 takes any free one, which is printed', standard: STANDARD.port },
  host: {
    describe:
      'Address to listen on; of a name, all its addresses that are here, which are printed; ' +
      '0.0.0.0 opens the port to the network',
    standard: STANDARD.host
  },
  server: { describe: SERVER_DESCRIPTION, standard: STANDARD.server },
  engine: {
    describe:
      'What moves bytes between sockets and the program: epoll (system calls; Linux with koffi), node (node:net), or ' +
      'auto, which is epoll where it loads',
    standard: STANDARD.engine
  },
  'spin-us': { describe: SPIN_DESCRIPTION, standard: 'auto' },
  'max-connections': {
    describe:
      `Connections at one time, ${HelloLimit.maxChannels.join(' to ')}; the smaller number of host and plugin ` +
      'counts, and ' +
      'further clients are reset',
    standard: STANDARD.maxConnections
  },
  drain: {
    describe:
      'How long SIGTERM, SIGHUP and the first Ctrl-C let connections at hand go on, for example 500ms or 10s; 0s ' +
      'cuts them at once',
    standard: STANDARD.drain
  },
  stats: { describe: 'Print the counters of the tunnel so often, for example 1s; at least 100ms', standard: 'never' },
  json: { describe: 'Print every event as one JSON object per line instead of sentences', isSwitch: true }
} as const satisfies Record<string, Flag>

/** What helps where a service cannot have what it needs. */
export const SERVICE_CURES = {
  engine: '--engine=node',
  server: '--server=node',
  transport: '--transport=stream on both sides',
  'same-transport': '--transport',
  segment: '--slots or --slot-bytes of the host',
  connections: '--max-connections of both',
  port: '--port=0 takes any free one',
  path: '--addr'
} as const satisfies Cures

/** The checked value of each; throws ERR_TUNNEL_USAGE or ERR_TUNNEL_ADDRESS_INVALID. */
export const valueOf = {
  transport: ({ transport = STANDARD.transport }: Given) => oneOf('transport', transport, TRANSPORTS),
  addr: ({ addr }: Given): Address & { kind: 'unix' } => unixAddress(textOf('addr', addr,
    'tunnel.sock')) as Address & { kind: 'unix' },
  port: ({ port = STANDARD.port }: Given) => portOf('port', port),
  host: ({ host = STANDARD.host }: Given) => textOf('host', host, STANDARD.host),
  server: ({ server = STANDARD.server }: Given) => oneOf('server', server, SERVERS),
  engine: ({ engine = STANDARD.engine }: Given) => oneOf('engine', engine, ENGINES),
  spin: (given: Given) => spinOf(given['spin-us'], valueOf.engine(given)),
  maxConnections: ({ 'max-connections': given = STANDARD.maxConnections }: Given) =>
    integerOf('max-connections', given, ...HelloLimit.maxChannels),
  statsMs: ({ stats }: Given) => stats === undefined ? null : durationOf('stats', stats, 100),
  drainMs: ({ drain = STANDARD.drain }: Given) => durationOf('drain', drain, 0)
} as const
