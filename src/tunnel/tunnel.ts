import { ErrorCode, TunnelError } from '../base/errors.js'
import type { EngineCounters, SocketFileEvent } from '../engine/engine.js'
import { checkLimit, HelloLimit } from '../mux/hello.js'
import type { Session, SessionCounters, SessionOptions } from '../mux/session.js'
import { emptyTransportCounters, type TransportCounters } from '../transport/transport.js'

/** What host and plugin share: limits, events, statistics. */
export interface TunnelLimits {
  /** Any of the session's limits; see `SessionOptions` for meanings and defaults. */
  readonly limits?: Partial<Omit<SessionOptions, 'role'>>
}

export interface DrainOptions {
  /** How long connections at hand may go on, in ms. 0 resets them at once. */
  readonly drainMs?: number
}

export type TunnelEvent =
  /** A handshake succeeded: traffic flows. */
  | { readonly kind: 'attached' }
  /** The peer drains: it takes no new connections. */
  | { readonly kind: 'draining' }
  /** An attached peer is gone; null: in good order. */
  | { readonly kind: 'detached', readonly error: TunnelError | null }
  /** A link ended before its handshake was done. */
  | { readonly kind: 'refused', readonly error: TunnelError }
  /** Plugin: no host answers at the address; it is tried again. Once per outage. */
  | { readonly kind: 'waiting', readonly error: TunnelError }
  /**
   * Host: its socket file had vanished and has been made again (`restored`), or cannot be made again
   * (`unreachable`, once per outage).
   */
  | SocketFileEvent

export interface TunnelStats {
  /** Sockets to clients (host) or to the origin (plugin) that exist now. */
  sockets: number
  /** Channels that exist now. */
  channels: number
  /** Clients reset because no plugin was attached or a table was full. */
  clientsTurnedAway: number
  roundTripNs: number | null
  /** Shared memory: slots of this side's pool that nobody holds now; null: there is none. */
  freeSlots: number | null
  /** Sums over all links so far. */
  counters: SessionCounters
  transport: TransportCounters
  /** Of this side's engine: what else uses the same one is in it. */
  engine: Pick<EngineCounters, 'spins' | 'spinHits' | 'spinUs'>
}

export function emptyTunnelStats (): TunnelStats {
  return {
    sockets: 0,
    channels: 0,
    clientsTurnedAway: 0,
    roundTripNs: null,
    freeSlots: null,
    counters: { channelsOpened: 0, channelsClosed: 0, channelsRejected: 0, creditStalls: 0, parkedReads: 0, creditFramesSent: 0, lateFrames: 0 },
    transport: emptyTransportCounters(),
    engine: { spins: 0, spinHits: 0, spinUs: 0 }
  }
}

/** All counters of a host or plugin in one: none of them ever falls. */
export function countersOf ({ counters, transport, engine }: TunnelStats): SessionCounters & TransportCounters & TunnelStats['engine'] {
  return { ...counters, ...transport, ...engine }
}

/** What of an engine's counters belongs to a tunnel, in whole µs. */
export function spinStats ({ spins, spinHits, spinUs }: EngineCounters): TunnelStats['engine'] {
  return { spins, spinHits, spinUs: Math.round(spinUs) }
}

/** Adds what `session` has counted so far. */
export function addSessionStats (stats: TunnelStats, session: Session): void {
  stats.channels += session.channelCount
  stats.roundTripNs = session.roundTripNs ?? stats.roundTripNs
  stats.freeSlots = session.freeSlots ?? stats.freeSlots
  addTo(stats.counters, session.counters)
  addTo(stats.transport, session.transportCounters)
}

function addTo<K extends string> (sum: Record<K, number>, more: Readonly<Record<K, number>>): void {
  for (const key of Object.keys(sum) as K[]) sum[key] += more[key]
}

export function checkSessionOptions (options: SessionOptions): SessionOptions {
  for (const name of Object.keys(HelloLimit) as Array<keyof typeof HelloLimit>) {
    checkLimit(name, options[name], (rule) => new TunnelError(ErrorCode.USAGE, `Cannot use this limit: ${rule}`))
  }
  return options
}
