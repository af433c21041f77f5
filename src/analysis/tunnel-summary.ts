import type { RoundResult } from '../result/run-result.js'
import type { TunnelCounters } from '../result/tunnel-counters.js'

/** One direction through a tunnel: responses go from the plugin to the host, requests the other way. */
export interface DirectionSummary {
  readonly direction: 'response' | 'request'
  /** Payload bytes that neither the sender nor the receiver copied. */
  readonly zeroCopyBytes: number
  /** Payload bytes that one of them copied, or both. */
  readonly copiedBytes: number
  /** Rung by the sender, and not needed since the receiver was awake. */
  readonly doorbellsSent: number
  readonly doorbellsSaved: number
  /** The receiver slept while something lay unread. */
  readonly doorbellsMissed: number
  /** The sender's claims that found no memory, reads that rested for it, and times it had no credit left. */
  readonly exhausted: number
  readonly parkedReads: number
  readonly creditStalls: number
  /** CPU time in which the sender's thread looked for work instead of sleeping, in µs; a part of the role's. */
  readonly spinUs: number
}

/** What a tunnel did in all rounds of a cell. */
export interface TunnelSummary {
  /** Over the same span as the counters. */
  readonly responses: number
  readonly directions: readonly [response: DirectionSummary, request: DirectionSummary]
}

/** null where no round has counters: the arm has no tunnel, or nothing was measured. */
export function summarizeTunnel (rounds: readonly RoundResult[]): TunnelSummary | null {
  const counted = rounds.flatMap(({ tunnel, allResponses }) => tunnel === null ? [] : [{ ...tunnel, allResponses }])
  if (counted.length === 0) return null
  return {
    responses: counted.reduce((sum, { allResponses }) => sum + allResponses, 0),
    directions: [
      sumDirections('response', counted.map(({ host, plugin }) => directionOf(plugin, host))),
      sumDirections('request', counted.map(({ host, plugin }) => directionOf(host, plugin)))
    ]
  }
}

type DirectionCounts = Omit<DirectionSummary, 'direction'>

/**
 * A byte is copied where either side copied it. Sides count bytes, not which ones, so of both figures the larger is
 * taken: it is exact as long as one side's copied bytes are among the other's. Bytes that were on their way when the
 * sides were sampled count on one of them only, and here not at all.
 */
function directionOf (sender: TunnelCounters, receiver: TunnelCounters): DirectionCounts {
  return {
    zeroCopyBytes: Math.min(sender.zeroCopyBytesSent, receiver.zeroCopyBytesReceived),
    copiedBytes: Math.max(sender.copiedBytesSent, receiver.copiedBytesReceived),
    doorbellsSent: sender.doorbellsSent,
    doorbellsSaved: sender.doorbellsSaved,
    doorbellsMissed: receiver.doorbellsMissed,
    exhausted: sender.exhausted,
    parkedReads: sender.parkedReads,
    creditStalls: sender.creditStalls,
    spinUs: sender.spinUs ?? 0
  }
}

function sumDirections (
  direction: DirectionSummary['direction'],
  rounds: readonly DirectionCounts[]
): DirectionSummary {
  const sum = {
    zeroCopyBytes: 0,
    copiedBytes: 0,
    doorbellsSent: 0,
    doorbellsSaved: 0,
    doorbellsMissed: 0,
    exhausted: 0,
    parkedReads: 0,
    creditStalls: 0,
    spinUs: 0
  }
  for (const round of rounds) {
    for (const name of Object.keys(sum) as Array<keyof DirectionCounts>) sum[name] += round[name]
  }
  return { direction, ...sum }
}
