import { formatCount, formatDuration, formatMs, formatRps } from '../base/units.js'
import { errorCount } from '../metrics/counts.js'
import type { RoundResult } from '../result/run-result.js'
import { percentileOrNull, ratePerSecOf, responseTimesOf } from '../analysis/statistics.js'
import { oneLine } from '../base/text.js'

/** Which measurement of a run. */
export interface MeasurementPlace {
  /** 1-based. */
  readonly number: number
  readonly total: number
  /** 0-based, as in the result; shown from 1. */
  readonly round: number
  readonly size: string
  readonly concurrency: number
  readonly arm: string
  /** The rate of an open loop; null or absent: a closed one. */
  readonly ratePerSec?: number | null
  /** Time the rest of the run is expected to take; null while nothing is known. */
  readonly leftMs: number | null
}

/** What came of a measurement: its figures, or why there are none. */
export type MeasurementOutcome =
  | { readonly kind: 'measured', readonly result: RoundResult }
  | { readonly kind: 'failed', readonly reason: string }

/**
 * One line per finished measurement, for output that is not a terminal: `[12/80] round 2 small c=64 stream  12,345 RPS
 * p50 1.24 ms  left 1m10s`.
 */
export function formatMeasurement (place: MeasurementPlace, outcome: MeasurementOutcome): string {
  const figures = outcome.kind === 'failed' ? [`failed: ${oneLine(outcome.reason)}`] : figuresOf(outcome.result)
  return [placeText(place), ...figures, ...leftText(place)].join('  ')
}

/** The one line that a terminal shows and overwrites, cut to less than `columns` so that it never wraps. */
export function formatStatus (place: MeasurementPlace, phase: string, columns: number): string {
  const percent = Math.floor((place.number - 1) / place.total * 100)
  const line = [placeText(place), phase, `${percent} % done`, ...leftText(place)].join('  ')
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`
}

function placeText ({ number, total, round, size, concurrency, arm, ratePerSec }: MeasurementPlace): string {
  const rate = ratePerSec === undefined || ratePerSec === null ? '' : ` at ${formatRps(ratePerSec)}/s`
  return `[${String(number).padStart(String(total).length)}/${total}] round ${round + 1} ${size} c=${concurrency} ` +
    `${arm}${rate}`
}

function figuresOf (result: RoundResult): string[] {
  const p50Ns = percentileOrNull(responseTimesOf(result), 50)
  const errors = errorCount(result.counts)
  return [
    `${formatRps(ratePerSecOf(result))} RPS`,
    ...(p50Ns === null ? [] : [`p50 ${formatMs(p50Ns)} ms`]),
    ...(errors === 0 ? [] : [`${formatCount(errors)} ${errors === 1 ? 'error' : 'errors'}`])
  ]
}

function leftText ({ leftMs }: MeasurementPlace): string[] {
  return leftMs === null ? [] : [`left ${formatDuration(Math.round(leftMs / 1_000) * 1_000)}`]
}
