import type { HistogramSnapshot } from '../../metrics/histogram-snapshot.js'
import type { CellResult, RoundResult, RunResult } from '../../result/run-result.js'
import { percentileOrNull, PERCENTILES, ratePerSecOf } from '../../analysis/statistics.js'
import { type Series, timesOf } from './series.js'

const SERIES: readonly Series[] = ['service', 'response', 'lag']

const CELL_COLUMNS = ['arm', 'path', 'transport', 'size', 'concurrency', 'round']

type Field = string | number | null | undefined

/**
 * One row per round of every cell: what became of its requests, its rate and its percentiles. Empty: not there, or
 * withheld for want of samples.
 */
export function renderRoundsCsv (result: RunResult): string {
  const columns = [
    ...CELL_COLUMNS,
    'position',
    'started_at',
    'window_ms',
    'rps',
    'sent',
    'ok',
    'bad_status',
    'mismatch',
    'timeout',
    'reset',
    'refused',
    'exhausted',
    'unfinished',
    'offered',
    'unsent',
    'body_bytes',
    ...SERIES.flatMap(latencyColumns)
  ]
  return renderCsv(columns, eachRound(result, (cell, round) => {
    const { sent, ok, badStatus, mismatch, timeout, reset, refused, exhausted = 0, unfinished } = round.counts
    return [
      [
        ...cellFields(cell, round),
        round.position,
        round.startedAt,
        round.windowMs,
        ratePerSecOf(round),
        sent,
        ok,
        badStatus,
        mismatch,
        timeout,
        reset,
        refused,
        exhausted,
        unfinished,
        round.offered,
        round.unsent,
        round.bodyBytes,
        ...SERIES.flatMap((series) => latencyFields(timesOf(round, series)))
      ]
    ]
  }))
}

/** One row per second of every round, by time of sending. Only the header where the result has no seconds. */
export function renderSecondsCsv (result: RunResult): string {
  const columns = [...CELL_COLUMNS, 'start_ms', 'length_ms', 'sent', 'ok', 'rps', ...latencyColumns('latency')]
  return renderCsv(
    columns,
    eachRound(result, (cell, round) =>
      (round.seconds ?? []).map(({ startMs, lengthMs, sent, ok, latency }) => [
        ...cellFields(cell, round),
        startMs,
        lengthMs,
        sent,
        ok,
        lengthMs === 0 ? null : ok / (lengthMs / 1_000),
        ...latencyFields(latency)
      ])
    )
  )
}

/**
 * The histograms themselves: one row per distinct value (the highest of those that the histogram cannot tell apart)
 * with its count.
 */
export function renderHistogramsCsv (result: RunResult): string {
  return renderCsv([...CELL_COLUMNS, 'series', 'value_ns', 'count'], eachRound(result, (cell, round) =>
    [...SERIES, 'connect' as const].flatMap(series => {
      const times = series === 'connect' ? round.connect : timesOf(round, series)
      return [...times?.recorded() ?? []].map(({ valueNs, count }) =>
        [...cellFields(cell, round), series, valueNs, count])
    })))
}

function eachRound (result: RunResult, rowsOf: (cell: CellResult, round: RoundResult) => Field[][]): Field[][] {
  return result.cells.flatMap(cell => cell.rounds.flatMap(round => rowsOf(cell, round)))
}

function cellFields (cell: CellResult, round: RoundResult): Field[] {
  return [cell.arm, cell.path, cell.transport, cell.size, cell.concurrency, round.round]
}

function latencyColumns (name: string): string[] {
  return [
    ...PERCENTILES.map((percentile) => `${name}_p${String(percentile).replace('.', '_')}_ns`),
    `${name}_mean_ns`,
    `${name}_max_ns`
  ]
}

function latencyFields (times: HistogramSnapshot | null): Field[] {
  if (times === null || times.count === 0) return [...PERCENTILES, 'mean', 'max'].map(() => null)
  return [...PERCENTILES.map((percentile) => percentileOrNull(times, percentile)), times.meanNs, times.maxNs]
}

/** RFC 4180, with line feeds. */
function renderCsv (columns: readonly string[], rows: readonly Field[][]): string {
  return [columns, ...rows].map(row => row.map(quoted).join(',')).join('\n') + '\n'
}

function quoted (field: Field): string {
  const text = String(field ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
