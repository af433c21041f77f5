import type { CellResult, EqualLoadResult, RoundResult, RunOptions } from '../result/run-result.js'
import {
  mergeHistograms, percentileOrNull, PERCENTILES, ratePerSecOf, responseTimesOf, SAMPLES_NEEDED, spreadOf, type Spread
} from './statistics.js'

/**
 * Every arm of a cell at one common rate, in an open loop: where latency is a property of the arm, and not of how fast
 * it answers a load that waits for it.
 */

/** The roles come warm from the cell's closed loops. */
const WARMUP_MAX_MS = 100

/**
 * How many rounds each cell has at equal load: half as many as in a closed loop, rounded up; 0 where it was left out.
 */
export function equalLoadRounds ({ rounds, equalLoad = 0 }: Pick<RunOptions, 'rounds' | 'equalLoad'>): number {
  return equalLoad === 0 ? 0 : Math.ceil(rounds / 2)
}

export function equalLoadWarmupMs ({ warmupMs }: Pick<RunOptions, 'warmupMs'>): number {
  return Math.min(warmupMs, WARMUP_MAX_MS)
}

/**
 * The rate for the cells of one size and concurrency: this fraction of what the slowest arm did in its closed loops
 * (median of the rounds), cut to three digits. Arms that answered nothing have no say. null when none is left.
 */
export function commonRateOf (cells: readonly CellResult[], fraction: number): number | null {
  const rates = cells
    .flatMap((cell) => spreadOf(cell.rounds.map(ratePerSecOf))?.median ?? [])
    .filter((rate) => rate > 0)
  return rates.length === 0 ? null : cutToThreeDigits(Math.min(...rates) * fraction)
}

function cutToThreeDigits (value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 2)
  // The inner rounding undoes what binary fractions do to 0.3 / 0.001.
  return Number((Math.floor(Number((value / unit).toPrecision(12))) * unit).toPrecision(12))
}

/** One arm at the common rate. */
export interface EqualLoadSummary extends EqualLoadResult {
  /** Verified responses per second over the rounds; null without a round. */
  readonly rps: Spread | null
  /** Response times in ns by percentile, all rounds merged; null where withheld. */
  readonly percentilesNs: ReadonlyMap<number, number | null>
  /**
   * What the arm adds to the reference, in ns by percentile; null for the reference itself, and where it cannot be
   * told.
   */
  readonly addedNs: ReadonlyMap<number, Spread | null>
  /**
   * Requests that were answered right, or were on their way at the end, as a share of all that were offered; null
   * without a round.
   */
  readonly achieved: number | null
}

/** null where the cell was not measured at equal load. `reference`: the reference arm's cell; null without one. */
export function summarizeEqualLoad (cell: CellResult, reference: CellResult | null): EqualLoadSummary | null {
  if (cell.equalLoad === undefined) return null
  const { rounds } = cell.equalLoad
  const merged = mergeHistograms(rounds.map(responseTimesOf))
  const others = reference === null || reference === cell ? [] : reference.equalLoad?.rounds ?? []
  return {
    ...cell.equalLoad,
    rps: spreadOf(rounds.map(ratePerSecOf)),
    percentilesNs: new Map(PERCENTILES.map(percentile => [percentile, percentileOrNull(merged, percentile)])),
    addedNs: new Map(PERCENTILES.map(percentile => [percentile, addedNs(rounds, others, percentile)])),
    achieved: rounds.length === 0 ? null : achievedOf(rounds)
  }
}

/** Requests of the warm-up that are sent inside the window can make it more than all. */
function achievedOf (rounds: readonly RoundResult[]): number {
  const sum = (valueOf: (round: RoundResult) => number): number =>
    rounds.reduce((total, round) => total + valueOf(round), 0)
  const offered = sum(round => round.offered ?? 0)
  return offered === 0 ? 1 : Math.min(1, sum(({ counts }) => counts.ok + counts.unfinished) / offered)
}

/**
 * The difference of a percentile to the reference arm's, within each round that both have, and then the median. Where
 * single rounds have too few responses for the percentile, the difference of the merged rounds: then it has no range.
 * null where even these are too few.
 */
export function addedNs (
  rounds: readonly RoundResult[],
  reference: readonly RoundResult[],
  percentile: number
): Spread | null {
  const needed = SAMPLES_NEEDED.get(percentile) ?? 1
  const referenceByRound = new Map(reference.map((round) => [round.round, round]))
  const pairs = rounds.flatMap((round) => {
    const other = referenceByRound.get(round.round)
    return other === undefined ? [] : [[responseTimesOf(round), responseTimesOf(other)] as const]
  })
  const inRound = pairs.flatMap(([own, base]) =>
    own.count < needed || base.count < needed ? [] : [own.percentileNs(percentile) - base.percentileNs(percentile)]
  )
  if (inRound.length > 0) return spreadOf(inRound)
  const own = percentileOrNull(mergeHistograms(pairs.map(([own]) => own)), percentile)
  const base = percentileOrNull(mergeHistograms(pairs.map(([, base]) => base)), percentile)
  return own === null || base === null ? null : spreadOf([own - base])
}
