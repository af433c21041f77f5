import { formatAddedUs, formatCount, formatRps } from '../../base/units.js'
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
  const cells = summary.cells.filter((cell) => cell.size === size && cell.equalLoad !== null)
  if (cells.length === 0) return null
  const hasReference = summary.reference !== null
  const rows = cells.map((cell) => {
    const { ratePerSec, rps, percentilesNs, addedNs } = cell.equalLoad!
    const added = (percentile: number): string =>
      cell.arm === summary.reference ? '' : spreadText(addedNs.get(percentile) ?? null, formatAddedUs)
    return [
      cell.arm,
      formatCount(cell.concurrency),
      formatRps(ratePerSec),
      rps === null
        ? 'failed'
        : `${formatRps(rps.median)}${isInvalid(summary.findings, cell, true) ? `, ${INVALID_MARK}` : ''}`,
      ...PERCENTILES.map((percentile) => msText(percentilesNs.get(percentile) ?? null)),
      ...(hasReference ? PERCENTILES.map(added) : [])
    ]
  })
  const table = {
    columns: [
      text('Transport'),
      figure('Concurrency'),
      figure('Offered (RPS)'),
      figure('Achieved (RPS)'),
      ...PERCENTILES.map((percentile) => figure(`p${percentile} (ms)`)),
      ...(hasReference ? PERCENTILES.map((percentile) => figure(`Added p${percentile} (µs)`)) : [])
    ],
    rows
  }
  const needs = PERCENTILES.filter((percentile) => percentile > 50)
    .map((percentile) => `p${percentile} needs ${formatCount(SAMPLES_NEEDED.get(percentile) ?? 0)}`)
    .join(', ')
  const failures = cells.flatMap((cell) =>
    cell.equalLoad!.failures.length === 0
      ? []
      : [
          `${describeCell(cell)}, at equal load: ` +
          `${cell.equalLoad!.failures.map((reason) => endSentence(oneLine(reason))).join(' ')}`
        ]
  )
  return {
    table,
    notes: [
      ...(rows.some((row) => row.includes(WITHHELD))
        ? [`A dash (${WITHHELD}) means withheld for too few responses (${needs}).`]
        : []),
      ...(hasReference
        ? [
            'An added figure without a range is of all rounds merged: a single round has too few responses for it, ' +
            'or there was only one.'
          ]
        : []),
      ...failures
    ]
  }
}
