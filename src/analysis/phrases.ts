import type { RequestCounts } from '../metrics/counts.js'
import { formatCount } from '../base/units.js'
import type { CellSummary } from './run-figures.js'

/** Words that several reports share. */

export function describeConnections (concurrency: number): string {
  return concurrency === 1 ? '1 connection' : `${formatCount(concurrency)} connections`
}

/** `stream, small responses, 64 connections`. */
export function describeCell (cell: CellSummary): string {
  return `${cell.arm}, ${describeLoad(cell)}`
}

/** `small responses, 64 connections`. */
export function describeLoad (cell: CellSummary): string {
  return `${cell.size} responses, ${describeConnections(cell.concurrency)}`
}

const ERROR_WORDS = [
  ['badStatus', 'bad status'],
  ['mismatch', 'wrong response'],
  ['timeout', 'timeout'],
  ['reset', 'reset'],
  ['refused', 'refused'],
  ['exhausted', 'without a local port or descriptor']
] as const satisfies ReadonlyArray<readonly [keyof RequestCounts, string]>

/** `12 reset, 3 timeout`; empty without errors. */
export function describeErrors (counts: RequestCounts): string {
  return ERROR_WORDS.flatMap(([kind, words]) =>
    (counts[kind] ?? 0) > 0 ? [`${formatCount(counts[kind] ?? 0)} ${words}`] : []
  ).join(', ')
}

/** `69 % less`, `5 % more`, `the same`: a ratio as a change. */
export function describeChange (ratio: number): string {
  const percent = (ratio - 1) * 100
  const size = Math.abs(percent)
  if (size < 0.5) return 'the same'
  // 99.97 % less is not "100 % less": something still arrives.
  const digits = ratio > 0 && size > 99 && percent < 0 ? String(Math.floor(size * 100) / 100) : formatCount(size)
  return `${digits} % ${percent < 0 ? 'less' : 'more'}`
}

/** `99.97 %`: never rounded to all or to nothing. `whole` is not 0. */
export function formatShare (part: number, whole: number): string {
  if (part === whole) return '100 %'
  const percent = Math.min(99.99, Math.floor(part / whole * 10_000) / 100)
  return percent === 0 && part > 0 ? '<0.01 %' : `${percent} %`
}
