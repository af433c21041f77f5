import type { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import { Histogram } from '../metrics/histogram.js'
import type { RoundResult } from '../result/run-result.js'

/** The replicate is a round, never a request: what differs between rounds is what a figure can be trusted to. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  /** How many rounds it is taken over, at least 1. */
  readonly rounds: number
}

/** null for no values. The median of an even number of values is the mean of the middle two. */
export function spreadOf (values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b)
  const [min, max] = [sorted[0], sorted[sorted.length - 1]]
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  if (min === undefined || max === undefined || lower === undefined || upper === undefined) return null
  return { median: (lower + upper) / 2, min, max, rounds: sorted.length }
}

/** Throughput of one round. */
export interface RoundRate {
  readonly round: number
  /** Verified responses per second of the window. */
  readonly ratePerSec: number
}

/** Verified responses per second of a window. */
export function ratePerSecOf ({ counts, windowMs }: Pick<RoundResult, 'counts' | 'windowMs'>): number {
  return counts.ok / (windowMs / 1_000)
}

export function rateOf (round: RoundResult): RoundRate {
  return { round: round.round, ratePerSec: ratePerSecOf(round) }
}

/**
 * Response times of a round: from when each request should have been sent in an open loop, from when it was in a closed
 * one.
 */
export function responseTimesOf (round: Pick<RoundResult, 'response' | 'latency'>): HistogramSnapshot {
  return round.response ?? round.latency
}

export function isOpenLoop ({ response = null }: Pick<RoundResult, 'response'>): boolean {
  return response !== null
}

/**
 * Throughput of one arm as a share of another's, taken within each round and only then summarized: what disturbs the
 * machine for a minute hits both arms of a round and cancels out. Rounds that only one of them has, and rounds in which
 * the reference answered nothing, have no ratio. null when none is left.
 */
export function rateRatio (rates: readonly RoundRate[], reference: readonly RoundRate[]): Spread | null {
  const referenceByRound = new Map(reference.map(({ round, ratePerSec }) => [round, ratePerSec]))
  const ratios: number[] = []
  for (const { round, ratePerSec } of rates) {
    const referencePerSec = referenceByRound.get(round) ?? 0
    if (referencePerSec > 0) ratios.push(ratePerSec / referencePerSec)
  }
  return spreadOf(ratios)
}

/** What tables show. */
export const PERCENTILES = [50, 90, 99, 99.9] as const

/** A rate is carried where so much of what was offered is answered: the rest may be what the window's end cuts off. */
export const ACHIEVED_MIN = 0.99

/**
 * Below so many samples a percentile is one or two outliers and not a property of what was measured: it is withheld.
 */
export const SAMPLES_NEEDED: ReadonlyMap<number, number> = new Map([[50, 1], [90, 100], [99, 1_000], [99.9, 10_000]])

/** A percentile in nanoseconds; null where `SAMPLES_NEEDED` withholds it. */
export function percentileOrNull (
  histogram: Pick<HistogramSnapshot, 'count' | 'percentileNs'>,
  percentile: number
): number | null {
  const samplesNeeded = SAMPLES_NEEDED.get(percentile) ?? 1
  return histogram.count < samplesNeeded ? null : histogram.percentileNs(percentile)
}

/** Percentiles come from the merged histogram: averaged percentiles mean nothing. */
export function mergeHistograms (parts: readonly HistogramSnapshot[]): Histogram {
  const merged = new Histogram()
  for (const part of parts) part.addTo(merged)
  return merged
}

/** CPU time in microseconds per response. */
export interface CpuPerResponse {
  readonly userUs: number
  readonly systemUs: number
}

/**
 * CPU time per response of each role: the sum over the rounds that know it, divided by the responses of these rounds.
 * null for a role that appears but cannot be told (the system does not say, or there was no response).
 */
export function cpuPerResponse (rounds: readonly RoundResult[]): ReadonlyMap<string, CpuPerResponse | null> {
  const roles = new Map<string, CpuPerResponse | null>()
  for (const role of new Set(rounds.flatMap(round => Object.keys(round.cpu)))) {
    let [userUs, systemUs, responses] = [0, 0, 0]
    for (const round of rounds) {
      const usage = Object.hasOwn(round.cpu, role) ? round.cpu[role] : undefined
      if (usage === undefined || usage === null) continue
      userUs += usage.userUs
      systemUs += usage.systemUs
      responses += round.allResponses
    }
    roles.set(role, responses === 0 ? null : { userUs: userUs / responses, systemUs: systemUs / responses })
  }
  return roles
}
