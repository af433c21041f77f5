import { mergeHistograms } from '../../analysis/statistics.js'
import type { HistogramSnapshot } from '../../metrics/histogram-snapshot.js'
import type { Histogram } from '../../metrics/histogram.js'
import type { CellResult, RoundResult } from '../../result/run-result.js'

/**
 * What of a response was timed. `service`: sent to last byte; `response`: intended start to last byte; `lag`: intended
 * start to sent.
 */
export type Series = 'service' | 'response' | 'lag'

const FIELDS = { service: 'latency', response: 'response', lag: 'lag' } as const

/** Only an open loop has `response` and `lag`. */
export function timesOf (round: RoundResult, series: Series): HistogramSnapshot | null {
  return round[FIELDS[series]] ?? null
}

/**
 * The series that any round of the cell has, the leading one first: response time in an open loop, service time in a
 * closed one.
 */
export function seriesOf (cell: Pick<CellResult, 'rounds'>): Series[] {
  return (['response', 'service', 'lag'] as const).filter((series) =>
    cell.rounds.some((round) => timesOf(round, series) !== null)
  )
}

/** All rounds of the cell added up. */
export function mergeSeries (cell: Pick<CellResult, 'rounds'>, series: Series): Histogram {
  return mergeHistograms(cell.rounds.flatMap((round) => timesOf(round, series) ?? []))
}
