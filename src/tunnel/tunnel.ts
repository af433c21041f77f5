import { callSafely, ErrorCode, TunnelError } from '../base/errors.js'
import { checkTimeLimitMs } from '../base/time-limit.js'
import type { EngineCounters, SocketFileEvent } from '../engine/engine.js'
import { checkLimit, HelloLimit } from '../mux/hello.js'
import { emptySessionCounters } from '../mux/session-handler.js'
import type { Session, SessionCounters, SessionOptions } from '../mux/session.js'
import { emptyTransportCounters, type TransportCounters } from '../transport/transport.js'

/** What host and plugin share: limits, events, statistics. */
export interface TunnelLimits {
  /** Any of the session's limits; see `SessionOptions` for meanings and defaults. */
  readonly limits?: Partial<Omit<SessionOptions, 'role'>>
}

export interface DrainOptions {
  /** How long connections at hand may go on, in ms. 0 resets them at once, `Infinity` waits for all of them. */
  readonly drainMs?: number
}

/**
 * What happens to a host or a plugin. `count`: such events since the last one that was told, this one included; the
 * first ones are told at once, then one a minute.
 */
export type TunnelEvent =
  /** A handshake succeeded: traffic flows. */
  | { readonly kind: 'attached' }
  /** The peer drains: it takes no new connections. */
  | { readonly kind: 'draining' }
  /** An attached peer is gone; null: in good order. */
  | { readonly kind: 'detached', readonly error: TunnelError | null }
  /** A link ended before its handshake was done. */
  | { readonly kind: 'refused', readonly error: TunnelError, readonly count: number }
  /**
   * Host: a client was reset, for want of a plugin (ERR_TUNNEL_NOT_ATTACHED) or since as many as may be are there
   * (ERR_TUNNEL_LIMIT).
   */
  | { readonly kind: 'turned-away', readonly error: TunnelError, readonly count: number }
  /**
   * Plugin: no host answers at the address, or none that can serve now; it is tried again. Once per outage and reason.
   */
  | { readonly kind: 'waiting', readonly error: TunnelError }
  /** Plugin: no connection to the origin, so the client is reset. Once per outage and reason. */
  | { readonly kind: 'origin-unreachable', readonly error: TunnelError, readonly count: number }
  /** Plugin: the origin takes connections again. */
  | { readonly kind: 'origin-reachable' }
  /**
   * Host: its socket file had vanished and has been made again (`restored`), or cannot be made again
   * (`unreachable`, once per outage).
   */
  | SocketFileEvent

/** Told in the order in which it happens. What it throws ends up uncaught (`throwLater()`); the tunnel goes on. */
export type TunnelEventHandler = (event: TunnelEvent) => void

export function safeHandler (onEvent: TunnelEventHandler = () => {}): TunnelEventHandler {
  return (event) => { callSafely(() => { onEvent(event) }) }
}

export interface TunnelStats {
  /** Sockets to clients (host) or to the origin (plugin) that exist now. */
  sockets: number
  /** Channels that exist now. */
  channels: number
  /** Clients reset because no plugin was attached, a table was full, or descriptors had run out. */
  clientsTurnedAway: number
  /** Of the link that is attached now; null: there is none, or no PING was answered yet. */
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
    counters: emptySessionCounters(),
    transport: emptyTransportCounters(),
    engine: { spins: 0, spinHits: 0, spinUs: 0 }
  }
}

/** All counters of a host or plugin in one: none of them ever falls. */
export function countersOf ({
  counters,
  transport,
  engine
}: TunnelStats): SessionCounters & TransportCounters & TunnelStats['engine'] {
  return { ...counters, ...transport, ...engine }
}

/** What of an engine's counters belongs to a tunnel, in whole µs. */
export function spinStats ({ spins, spinHits, spinUs }: EngineCounters): TunnelStats['engine'] {
  return { spins, spinHits, spinUs: Math.round(spinUs) }
}

/** Adds what `session` has counted so far. */
export function addSessionStats (stats: TunnelStats, session: Session): void {
  stats.channels += session.channelCount
  addTo(stats.counters, session.counters)
  addTo(stats.transport, session.transportCounters)
}

/** What is so now, of the link that is attached. */
export function setLinkState (stats: TunnelStats, session: Session | null): void {
  stats.roundTripNs = session?.wasAttached === true ? session.roundTripNs : null
  stats.freeSlots = session?.wasAttached === true ? session.freeSlots : null
}

function addTo<K extends string> (sum: Record<K, number>, more: Readonly<Record<K, number>>): void {
  for (const key of Object.keys(sum) as K[]) sum[key] += more[key]
}

const TIME_LIMITS = ['helloTimeoutMs', 'pingIntervalMs', 'pingTimeoutMs'] as const

/** The options as the session takes them. Throws ERR_TUNNEL_USAGE. */
export function checkSessionOptions (options: SessionOptions): SessionOptions {
  for (const name of Object.keys(HelloLimit) as Array<keyof typeof HelloLimit>) {
    checkLimit(name, options[name], (rule) => new TunnelError(ErrorCode.USAGE, `Cannot use this limit: ${rule}`))
  }
  return { ...options, ...Object.fromEntries(TIME_LIMITS.map((name) => [name, checkTimeLimitMs(name, options[name])])) }
}
