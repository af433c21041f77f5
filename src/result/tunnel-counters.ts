/**
 * What a host or a plugin counts, as a result holds it. The meanings are those of the tunnel's own counters of the same
 * names.
 */
export const TUNNEL_COUNTERS = [
  'framesSent', 'framesReceived',
  'payloadBytesSent', 'payloadBytesReceived',
  'zeroCopyBytesSent', 'zeroCopyBytesReceived',
  'copiedBytesSent', 'copiedBytesReceived',
  'flushes', 'exhausted',
  'doorbellsSent', 'doorbellsSaved', 'doorbellsMissed',
  'parkedReads', 'creditStalls'
] as const

/** Those that results of earlier versions do not have; then there was nothing to count. */
export const LATER_TUNNEL_COUNTERS = ['spins', 'spinHits', 'spinUs'] as const

export type TunnelCounters = Readonly<
  Record<(typeof TUNNEL_COUNTERS)[number], number> & Partial<Record<(typeof LATER_TUNNEL_COUNTERS)[number], number>>
>

/** Both ends of a tunnel over one measurement. */
export interface TunnelRound {
  readonly host: TunnelCounters
  readonly plugin: TunnelCounters
}

/** What was counted between two samples of counters that only grow. */
export function countersSince (after: TunnelCounters, before: TunnelCounters): TunnelCounters {
  return Object.fromEntries(
    [...TUNNEL_COUNTERS, ...LATER_TUNNEL_COUNTERS].map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)])
  ) as TunnelCounters
}
