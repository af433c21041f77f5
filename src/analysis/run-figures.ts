import { addCounts, emptyCounts, errorCount, type RequestCounts } from '../metrics/counts.js'
import { summarizeEqualLoad, type EqualLoadSummary } from './equal-load.js'
import type { CellResult, RoundResult, RunResult } from '../result/run-result.js'
import { summarizeTunnel, type TunnelSummary } from './tunnel-summary.js'
import {
  cpuPerResponse,
  mergeHistograms,
  percentileOrNull,
  rateOf,
  rateRatio,
  SAMPLES_NEEDED,
  spreadOf,
  type CpuPerResponse,
  type RoundRate,
  type Spread
} from './statistics.js'

/**
 * complete: every round is there; partial: some; failed: none, with a reason; missing: none, since the run ended
 * before.
 */
export type CellState = 'complete' | 'partial' | 'failed' | 'missing'

/** One arm at one size and concurrency, all rounds taken together. */
export interface CellSummary {
  readonly arm: string
  readonly path: string
  readonly transport: string
  readonly size: string
  readonly concurrency: number
  readonly state: CellState
  /** How many rounds the run, or the runs of a merged result, had in mind for this cell. */
  readonly plannedRounds: number
  readonly rounds: readonly RoundResult[]
  readonly failures: readonly string[]
  /** In the order of the result. */
  readonly rates: readonly RoundRate[]
  /** Requests per second over the rounds; null without a round. */
  readonly rps: Spread | null
  /**
   * Throughput as a share of the reference arm's, in the same rounds; null without a common round. The reference itself
   * has 1.
   */
  readonly ratio: Spread | null
  /** Service times in ns, all rounds merged; null when withheld for lack of samples. */
  readonly p50Ns: number | null
  readonly p90Ns: number | null
  readonly p99Ns: number | null
  readonly connectP50Ns: number | null
  /**
   * What the percentiles are taken from: responses of all rounds, or of the fullest one where an external generator
   * reported them round by round.
   */
  readonly latencySamples: number
  readonly counts: RequestCounts
  readonly errors: number
  /** By role. A role the arm does not use is absent, one that cannot be told is null. */
  readonly cpu: ReadonlyMap<string, CpuPerResponse | null>
  /** null where the arm has no tunnel, or nothing was counted. */
  readonly tunnel: TunnelSummary | null
  /** By role; null where they were not counted. */
  readonly systemCalls: NonNullable<CellResult['systemCalls']> | null
  /** The arm at the common rate of its size and concurrency; null where it was not measured so. */
  readonly equalLoad: EqualLoadSummary | null
  /** Distinct texts of all rounds. */
  readonly problems: readonly string[]
}

/** A run with every figure the reports show, none of them formatted. */
export interface RunFigures {
  readonly result: RunResult
  /** The arm that ratios are taken against: the first labelled `baseline`; null when the run has none. */
  readonly reference: string | null
  /** Every cell a run was asked for, measured or not, in the order sizes, concurrency, arms. */
  readonly cells: readonly CellSummary[]
  /** By size name, in order; null for the body length when no cell of that size exists. */
  readonly sizes: ReadonlyMap<string, number | null>
}

export function figuresOf (result: RunResult): RunFigures {
  const { arms, sizes, concurrency } = result.metadata.options
  const reference = arms.includes('baseline') ? 'baseline' : null
  const cells: CellSummary[] = []
  for (const size of sizes) {
    for (const connections of concurrency) {
      const found = new Map(
        result.cells
          .filter((cell) => cell.size === size && cell.concurrency === connections)
          .map((cell) => [cell.arm, cell])
      )
      const referenceCell = reference === null ? null : found.get(reference) ?? null
      for (const arm of arms) {
        const plannedRounds = plannedRoundsOf(result, arm, size, connections)
        if (plannedRounds === 0) continue
        const cell = found.get(arm) ?? missingCell(result, arm, size, connections)
        cells.push(summarizeCell(cell, referenceCell, plannedRounds))
      }
    }
  }
  const bodyBytes = new Map(sizes.map(size => [size, result.cells.find(cell => cell.size === size)?.bodyBytes ?? null]))
  return { result, reference, cells, sizes: bodyBytes }
}

function summarizeCell (cell: CellResult, reference: CellResult | null, plannedRounds: number): CellSummary {
  const { arm, path, transport, size, concurrency, rounds, failures } = cell
  const latency = mergeHistograms(rounds.map(round => round.latency))
  const connect = mergeHistograms(rounds.map(round => round.connect))
  const counts = emptyCounts()
  for (const round of rounds) addCounts(counts, round.counts)
  const rates = rounds.map(rateOf)
  return {
    arm,
    path,
    transport,
    size,
    concurrency,
    state:
      rounds.length >= plannedRounds
        ? 'complete'
        : rounds.length > 0
          ? 'partial'
          : failures.length > 0
            ? 'failed'
            : 'missing',
    plannedRounds,
    rounds,
    failures,
    rates,
    rps: spreadOf(rates.map((rate) => rate.ratePerSec)),
    ratio: rateRatio(rates, reference?.rounds.map(rateOf) ?? []),
    p50Ns: percentileOrNull(latency, 50) ?? reportedNs(rounds, 50),
    p90Ns: percentileOrNull(latency, 90) ?? reportedNs(rounds, 90),
    p99Ns: percentileOrNull(latency, 99) ?? reportedNs(rounds, 99),
    connectP50Ns: percentileOrNull(connect, 50),
    latencySamples:
      latency.count > 0
        ? latency.count
        : Math.max(0, ...rounds.map(({ reportedNs, counts }) => (reportedNs === undefined ? 0 : counts.ok))),
    counts,
    errors: errorCount(counts),
    cpu: cpuPerResponse(rounds),
    tunnel: summarizeTunnel(rounds),
    systemCalls: cell.systemCalls ?? null,
    equalLoad: summarizeEqualLoad(cell, reference),
    problems: [...new Set(rounds.flatMap((round) => round.problems))]
  }
}

/** 0: no run had it in mind, as with the corners of a matrix that is merged from two others. */
function plannedRoundsOf ({ inputs, metadata }: RunResult, arm: string, size: string, concurrency: number): number {
  return (inputs ?? [{ metadata }])
    .map((input) => input.metadata.options)
    .filter(
      (options) =>
        options.arms.includes(arm) && options.sizes.includes(size) && options.concurrency.includes(concurrency)
    )
    .reduce((sum, options) => sum + options.rounds, 0)
}

/**
 * What an external generator reported, where it gave no histogram to merge: the median of its rounds. Withheld where
 * single rounds had too few responses.
 */
function reportedNs (rounds: readonly RoundResult[], percentile: number): number | null {
  const enough = rounds.filter(({ counts }) => counts.ok >= (SAMPLES_NEEDED.get(percentile) ?? 1))
  return spreadOf(enough.flatMap(({ reportedNs }) => reportedNs?.[`p${percentile}`] ?? []))?.median ?? null
}

/** A cell the run never came to: it is shown as missing, not left out. */
function missingCell (result: RunResult, arm: string, size: string, concurrency: number): CellResult {
  const name = arm.replace(/#.*$/, '')
  const { path, transport } = result.cells.find(cell => cell.arm === arm) ?? { path: name, transport: name }
  return { arm, path, transport, size, bodyBytes: 0, concurrency, rounds: [], failures: [] }
}

/** The cell of another arm at the same size and concurrency. */
export function siblingOf (summary: RunFigures, cell: CellSummary, arm: string | null): CellSummary | undefined {
  return summary.cells.find(
    (other) => other.arm === arm && other.size === cell.size && other.concurrency === cell.concurrency
  )
}

/**
 * Tunnels that are judged: those to an origin over TCP, as direct HTTP asks it. All other paths (relays, Unix sockets,
 * an origin inside the plugin, programs from outside) are compared only.
 */
export function isJudged ({ path }: CellSummary): boolean {
  return path === 'stream' || path === 'shm'
}
