import { formatAddedUs, formatCount, formatRps } from '../../base/units.js'
import type { EqualLoadSummary } from '../../analysis/equal-load.js'
import type { CellSummary } from '../../analysis/run-figures.js'
import { isInvalid } from '../../judge/findings.js'
import type { RunSummary } from '../../judge/run-summary.js'
import { PERCENTILES, SAMPLES_NEEDED } from '../../analysis/statistics.js'
import { figure, msText, INVALID_MARK, spreadText, text, WITHHELD, type Table } from '../tables.js'
import { endSentence, oneLine } from '../../base/text.js'
import { describeCell } from '../../analysis/phrases.js'

export const HOW_EQUAL_LOAD = `All arms of a row's concurrency are sent the same number of requests per second by one
plan (an open loop), so no arm makes its own load easier by being slow. Times are response times: from when a request
should have been sent, with any wait for a free connection, to the last byte. *Added* is the difference to direct HTTP
in the same round: the median of these differences, with the smallest and the largest in parentheses.`

/** Response times of every arm at the common rate of its size and concurrency; null where none was measured so. */
export function equalLoadTableOf (
  summary: RunSummary,
  size: string
): { readonly table: Table; readonly notes: readonly string[] } | null {
  const cells = summary.cells.filter((cell): cell is AtEqualLoad => cell.size === size && cell.equalLoad !== null)
  if (cells.length === 0) return null
  const columns = [
    text('Transport'),
    figure('Concurrency'),
    figure('Offered (RPS)'),
    figure('Achieved (RPS)'),
    ...PERCENTILES.map((percentile) => figure(`p${percentile} (ms)`)),
    ...(summary.reference === null ? [] : PERCENTILES.map((percentile) => figure(`Added p${percentile} (µs)`)))
  ]
  const rows = cells.map((cell) => rowOf(summary, cell))
  return { table: { columns, rows }, notes: notesOf(summary, cells, rows.some((row) => row.includes(WITHHELD))) }
}

type AtEqualLoad = CellSummary & { readonly equalLoad: EqualLoadSummary }

function rowOf ({ reference, findings }: RunSummary, cell: AtEqualLoad): string[] {
  const { ratePerSec, rps, percentilesNs, addedNs } = cell.equalLoad
  const mark = isInvalid(findings, cell, true) ? `, ${INVALID_MARK}` : ''
  const added = (percentile: number): string =>
    cell.arm === reference ? '' : spreadText(addedNs.get(percentile) ?? null, formatAddedUs)
  return [
    cell.arm,
    formatCount(cell.concurrency),
    formatRps(ratePerSec),
    rps === null ? 'failed' : `${formatRps(rps.median)}${mark}`,
    ...PERCENTILES.map((percentile) => msText(percentilesNs.get(percentile) ?? null)),
    ...(reference === null ? [] : PERCENTILES.map(added))
  ]
}

function notesOf ({ reference }: RunSummary, cells: readonly AtEqualLoad[], hasDashes: boolean): string[] {
  const needs = PERCENTILES.filter((percentile) => percentile > 50)
    .map((percentile) => `p${percentile} needs ${formatCount(SAMPLES_NEEDED.get(percentile) ?? 0)}`)
    .join(', ')
  return [
    ...(hasDashes ? [`A dash (${WITHHELD}) means withheld for too few responses (${needs}).`] : []),
    ...(reference === null
      ? []
      : ['An added figure without a range is of all rounds merged: a single round has too few responses for it, ' +
          'or there was only one.']),
    ...cells.filter(({ equalLoad }) => equalLoad.failures.length > 0).map((cell) => {
      const reasons = cell.equalLoad.failures.map((reason) => endSentence(oneLine(reason)))
      return `${describeCell(cell)}, at equal load: ${reasons.join(' ')}`
    })
  ]
}
