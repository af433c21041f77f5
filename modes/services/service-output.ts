import { type Address, formatAddress } from '../../src/base/address.js'
import type { TunnelEvent } from '../../src/tunnel/tunnel.js'
import { type Cures, errorSentence } from '../options/cures.js'
import { LineOutput } from './line-output.js'
import { failOutput } from '../system/standard-output.js'

/** What the three long-running commands print: a line for each event, for people or for programs. */

let output: LineOutput | null = null

/**
 * Before the first line of a service. Where not even that can be written, the service ends: nobody knows where it
 * listens.
 */
export function openOutput (name: string, json: boolean): void {
  output = new LineOutput(process.stdout.fd, {
    dropped: (lines) => json
      ? JSON.stringify({ event: 'dropped', name, lines })
      : `${name}: ${lines} ${lines === 1 ? 'line was' : 'lines were'} dropped here: nobody read them in time`,
    onError: (error, lines) => {
      failOutput(name, error)
      if (lines === 0) process.kill(process.pid, 'SIGTERM')
    }
  })
  process.on('exit', () => { output?.end() })
}

/** One line of a service, for people or for programs. */
export function announce (json: boolean, event: Record<string, unknown>, sentence: string): void {
  output?.line(json ? JSON.stringify(event) : sentence)
}

interface Listening {
  readonly address: Address
  readonly addresses: readonly Address[]
}

/** How to reach a service: its URL, and of a name the addresses behind it, as data and in words. */
export function urlOf ({ address, addresses }: Listening): {
  data: { http: string; addresses?: string[] }
  words: string
} {
  const http = `http://${formatAddress(address)}`
  const all = addresses.map(formatAddress)
  return all.includes(formatAddress(address))
    ? { data: { http }, words: http }
    : { data: { http, addresses: all }, words: `${http} (${all.join(' and ')})` }
}

/** Prints what happens to the tunnel, or to the socket file of a service without one. */
export function tunnelEventPrinter (name: string, json: boolean, cures: Cures): (event: TunnelEvent) => void {
  return (event) => {
    const error = 'error' in event ? event.error : null
    const count = 'count' in event ? { count: event.count } : {}
    const message = error === null ? '' : errorSentence(error, cures)
    announce(json,
      { event: event.kind, ...(error === null ? {} : { code: error.code, message }), ...count },
      `${name}: ${SENTENCES[event.kind]}${error === null ? '' : `: ${message}`}${timesOf(event)}`)
  }
}

function timesOf (event: TunnelEvent): string {
  return 'count' in event && event.count > 1 ? ` (${event.count} times since the last line)` : ''
}

const SENTENCES: Readonly<Record<TunnelEvent['kind'], string>> = {
  attached: 'attached',
  draining: 'the other side is shutting down',
  detached: 'detached',
  refused: 'link refused',
  waiting: 'waiting for a host',
  'turned-away': 'client turned away',
  'origin-unreachable': 'origin unreachable',
  'origin-reachable': 'origin reachable again',
  restored: 'the socket file was removed by somebody, and has been made again',
  unreachable: 'the socket file was removed by somebody, and cannot be made again'
}
