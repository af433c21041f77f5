import { unixAddress } from '../src/base/address.js'
import type { TunnelEvent } from '../src/tunnel/tunnel.js'
import { TRANSPORTS, usage } from './arms.js'

/** Options and output that the three long-running commands share. */

export const portOption = (port: number, flag: string) => ({
  type: 'number',
  default: port,
  describe: 'TCP port to listen on; 0 takes any free one',
  coerce: (value: unknown) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 65_535) throw usage(flag, value, 'must be an integer from 0 (any free port) to 65535')
    return value
  }
} as const)

export const hostOption = { type: 'string', default: '127.0.0.1', describe: 'Address to listen on; 0.0.0.0 opens the port to the network' } as const

export const serverOption = { type: 'string', choices: ['auto', 'uws', 'node'], default: 'auto', describe: 'Origin server: uWebSockets.js, node:http, or the first where it loads' } as const

export const jsonOption = { type: 'boolean', default: false, describe: 'Print one JSON object per event instead of sentences' } as const

export const transportOption = { type: 'string', choices: TRANSPORTS, default: 'stream', describe: 'How frames travel between host and plugin; the same on both sides' } as const

export const addrOption = {
  type: 'string',
  demandOption: true,
  describe: 'Path of the Unix socket between host and plugin',
  coerce: (value: unknown) => {
    if (typeof value !== 'string') throw usage('addr', value, 'must be a path, for example /tmp/tunnel.sock')
    unixAddress(value)
    return value
  }
} as const

export const drainOption = { type: 'number', default: 2000, describe: 'How long SIGTERM lets connections at hand go on, in ms' } as const

/** One line that says that the service is up, for people or for programs. */
export function announce (json: boolean, event: Record<string, unknown>, sentence: string): void {
  console.log(json ? JSON.stringify(event) : sentence)
}

/** Prints what happens to the tunnel. */
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
  waiting: 'waiting for a host'
}
