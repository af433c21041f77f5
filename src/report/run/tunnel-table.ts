import { formatCount, formatSignificant } from '../../base/units.js'
import type { CellSummary } from '../../analysis/run-figures.js'
import type { RunSummary } from '../../judge/run-summary.js'
import { figure, NOT_USED, type Table, text, WITHHELD } from '../tables.js'
import type { DirectionSummary, TunnelSummary } from '../../analysis/tunnel-summary.js'
import { formatShare } from '../../analysis/phrases.js'

/** Two rows for each cell whose tunnel was sampled; null where none was. */
export function tunnelTableOf (summary: RunSummary, size: string): Table | null {
  const rows = summary.cells.filter(cell => cell.size === size).flatMap(cell => {
    const { tunnel } = cell
    return tunnel === null ? [] : tunnel.directions.map(direction => rowOf(cell, tunnel, direction))
  })
  return rows.length === 0 ? null : { columns: COLUMNS, rows }
}

const COLUMNS = [
  text('Transport'), figure('Concurrency'), text('Direction'),
  figure('tunnel_zero_copy_bytes'), figure('tunnel_copied_bytes'), figure('Zero copy'),
  figure('Doorbells sent'), figure('Doorbells saved'), figure('Doorbells missed'),
  figure('Claims refused'), figure('Parked reads'), figure('Credit stalls'), figure('Spinning (µs)')
]

function rowOf (cell: CellSummary, { responses }: TunnelSummary, counts: DirectionSummary): string[] {
  const {
    direction,
    zeroCopyBytes,
    copiedBytes,
    doorbellsSent,
    doorbellsSaved,
    doorbellsMissed,
    exhausted,
    parkedReads,
    creditStalls,
    spinUs
  } = counts
  const bytes = zeroCopyBytes + copiedBytes
  const perThousand = (count: number): string =>
    responses === 0 ? WITHHELD : formatSignificant((count / responses) * 1_000)
  const doorbells = [perThousand(doorbellsSent), perThousand(doorbellsSaved), formatCount(doorbellsMissed)]
  return [
    cell.arm,
    formatCount(cell.concurrency),
    direction,
    formatCount(zeroCopyBytes),
    formatCount(copiedBytes),
    bytes === 0 ? WITHHELD : formatShare(zeroCopyBytes, bytes),
    ...(cell.transport === 'shm' ? doorbells : doorbells.map(() => NOT_USED)),
    formatCount(exhausted),
    formatCount(parkedReads),
    formatCount(creditStalls),
    responses === 0 ? WITHHELD : (spinUs / responses).toFixed(1)
  ]
}

/** What stands below the table. */
export const HOW_TUNNELS_COUNT = `"Copied" means copied in user space, by the program, on one side of the tunnel or on
both; a stream's bytes are copied twice by the kernel on top, into the socket and out of it, which these counters do
not show, and shared memory's are not. Bytes are payload with HTTP heads, all rounds together, over connecting, warm-up
and window; a frame counts only when both sides had counted it by the time they were sampled. Doorbells sent and saved
are per 1,000 requests; a stream has none. Doorbells missed are those of the direction's receiver; all else is its
sender's: claims refused found no free slot or buffer. Spinning is CPU time per response in which that side looked for
work instead of sleeping; it is part of the side's CPU above.`
