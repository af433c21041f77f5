import { equalLoadTableOf } from './run/equal-load-table.js'
import { invalidText } from './run/findings-text.js'
import type { RunSummary } from '../judge/run-summary.js'
import { alignRows, tablesOfSize, type Table } from './tables.js'

/**
 * The tables of SUMMARY.md for a terminal: plain text, aligned, no colours, and below them what makes figures invalid.
 * Ends with a line break.
 */
export function renderConsoleTables (summary: RunSummary): string {
  const sections = [...summary.sizes.keys()].map(size => {
    const { title, main, detail, notes } = tablesOfSize(summary, size)
    const parts = [title, drawTable(main), 'Details. CPU is the time per response, user + system:', drawTable(detail)]
    const equal = equalLoadTableOf(summary, size)
    if (equal !== null) {
      parts.push(
        'At equal load. Response times; added: to the baseline of the same round:',
        drawTable(equal.table),
        ...equal.notes.map((note) => `  ${note}`)
      )
    }
    if (notes.length > 0) parts.push(notes.map(note => `  ${note}`).join('\n'))
    return parts.join('\n\n')
  })
  const invalid = invalidText(summary.findings)
  if (invalid !== null) sections.push(invalid)
  return `${sections.join('\n\n')}\n`
}

/** Columns two spaces apart, a line under the header. */
export function drawTable (table: Table): string {
  const [header = [], ...rows] = alignRows(table)
  const underline = header.map(cell => '─'.repeat(cell.length))
  return [header, underline, ...rows].map(row => `  ${row.join('  ')}`.trimEnd()).join('\n')
}
