import { formatBytes, formatCount, formatMs, formatRatio, formatRps } from '../base/units.js'
import { isInvalid } from '../judge/findings.js'
import type { CellSummary } from '../analysis/run-figures.js'
import type { RunSummary } from '../judge/run-summary.js'
import { SAMPLES_NEEDED, type Spread } from '../analysis/statistics.js'
import { endSentence, oneLine } from '../base/text.js'
import { describeCell, describeErrors } from '../analysis/phrases.js'

/** A table as data: SUMMARY.md and the terminal draw the same one. Cells are plain text of one line. */
export interface Table {
  readonly columns: readonly Column[]
  readonly rows: ReadonlyArray<readonly string[]>
}

export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
}

/** Everything about one response size. */
export interface SizeTables {
  readonly title: string
  readonly main: Table
  readonly detail: Table
  /** What stands below the tables: explains dashes, partial and failed cells. */
  readonly notes: readonly string[]
}

/** Not measured, or withheld. */
export const WITHHELD = '—'
export const NOT_USED = 'n/a'

/** Beside the figures of a cell that something makes invalid. */
export const INVALID_MARK = 'invalid'

/** In the order in which a request passes them; any other role follows. */
const ROLE_ORDER = ['load', 'relay', 'front', 'back', 'external', 'host', 'plugin', 'origin']

export const text = (title: string): Column => ({ title, align: 'left' })
export const figure = (title: string): Column => ({ title, align: 'right' })

/** Rows with every cell padded to the width of its column, header first. */
export function alignRows ({ columns, rows }: Table): string[][] {
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map(row => row[at]?.length ?? 0)))
  return [columns.map(({ title }) => title), ...rows].map(row => row.map((cell, at) =>
    columns[at]?.align === 'right' ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
}

export function tablesOfSize (summary: RunSummary, size: string): SizeTables {
  const cells = summary.cells.filter(cell => cell.size === size)
  const roles = rolesOf(cells)
  return {
    title: titleOf(size, summary.sizes.get(size) ?? null),
    main: {
      columns: [
        text('Transport'),
        figure('Concurrency'),
        figure('RPS'),
        figure('p50 (ms)'),
        figure('p99 (ms)'),
        figure('RPS vs Baseline')
      ],
      rows: cells.map((cell) => [
        cell.arm,
        formatCount(cell.concurrency),
        rpsText(cell, summary),
        msText(cell.p50Ns),
        msText(cell.p99Ns),
        cell.arm === summary.reference && cell.ratio !== null ? formatRatio(1) : spreadText(cell.ratio, formatRatio)
      ])
    },
    detail: {
      columns: [
        text('Transport'),
        figure('Concurrency'),
        figure('p90 (ms)'),
        figure('Connect p50 (ms)'),
        text('Errors (requests)'),
        ...roles.map((role) => figure(`CPU ${role} (µs)`))
      ],
      rows: cells.map((cell) => [
        cell.arm,
        formatCount(cell.concurrency),
        msText(cell.p90Ns),
        msText(cell.connectP50Ns),
        cell.rps === null ? WITHHELD : errorText(cell),
        ...roles.map((role) => cpuText(cell, role))
      ])
    },
    notes: [...legend(cells, roles), ...cells.flatMap((cell) => incompleteNotes(cell))]
  }
}

function titleOf (size: string, bodyBytes: number | null): string {
  const name = `${size.charAt(0).toUpperCase()}${size.slice(1)} responses`
  return bodyBytes === null ? name : `${name} (${bodyBytes < 1024 ? `${bodyBytes} bytes` : formatBytes(bodyBytes)})`
}

function rolesOf (cells: readonly CellSummary[]): string[] {
  return inRoleOrder(cells.flatMap(cell => [...cell.cpu.keys()]))
}

/** Each once. */
export function inRoleOrder (roles: readonly string[]): string[] {
  const rank = (role: string): number => ROLE_ORDER.includes(role) ? ROLE_ORDER.indexOf(role) : ROLE_ORDER.length
  return [...new Set(roles)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rpsText (cell: CellSummary, { findings }: RunSummary): string {
  if (cell.state === 'failed') return 'failed'
  if (cell.state === 'missing') return 'not measured'
  const rps = spreadText(cell.rps, formatRps)
  const rounds = cell.state === 'partial' ? `, ${cell.rates.length} of ${cell.plannedRounds} rounds` : ''
  return `${rps}${rounds}${isInvalid(findings, cell) ? `, ${INVALID_MARK}` : ''}`
}

/** The median, and the range where there is more than one round. */
export function spreadText (spread: Spread | null, format: (value: number) => string): string {
  if (spread === null) return WITHHELD
  const range =
    spread.rounds > 1 ? ` (${format(spread.min).replace('×', '')}–${format(spread.max).replace('×', '')})` : ''
  return `${format(spread.median)}${range}`
}

export function msText (durationNs: number | null): string {
  return durationNs === null ? WITHHELD : formatMs(durationNs)
}

function errorText (cell: CellSummary): string {
  return cell.errors === 0
    ? '0'
    : `${formatCount(cell.errors)} of ${formatCount(cell.counts.sent)}: ${describeErrors(cell.counts)}`
}

function cpuText (cell: CellSummary, role: string): string {
  const usage = cell.cpu.get(role)
  if (usage === undefined) return cell.rps === null ? WITHHELD : NOT_USED
  return usage === null ? WITHHELD : `${usage.userUs.toFixed(1)} + ${usage.systemUs.toFixed(1)}`
}

function legend (cells: readonly CellSummary[], roles: readonly string[]): string[] {
  const measured = cells.filter(cell => cell.rps !== null)
  const dashes =
    measured.length < cells.length ||
    cells.some(
      (cell) =>
        [cell.p50Ns, cell.p90Ns, cell.p99Ns, cell.connectP50Ns].includes(null) ||
        cell.ratio === null ||
        [...cell.cpu.values()].includes(null)
    )
  const unused = measured.some(cell => roles.some(role => !cell.cpu.has(role)))
  const needs = [90, 99]
    .map((percentile) => `p${percentile} needs ${formatCount(SAMPLES_NEEDED.get(percentile) ?? 0)}`)
    .join(', ')
  return [
    ...(dashes
      ? [`A dash (${WITHHELD}) means not measured, or withheld because there are too few responses for it (${needs}).`]
      : []),
    ...(unused ? [`${NOT_USED} means that the arm has no such role.`] : [])
  ]
}

function incompleteNotes (cell: CellSummary): string[] {
  const reasons = cell.failures.map(oneLine)
  const state = {
    complete: 'complete, but not without trouble.',
    partial: `${cell.rates.length} of ${cell.plannedRounds} rounds.`,
    failed: 'failed.',
    missing: 'not measured.'
  }[cell.state]
  if (cell.state === 'complete' && reasons.length === 0) return []
  const reason = reasons.length > 0 ? reasons.map(endSentence).join(' ') : 'The run ended before.'
  return [`${describeCell(cell)}: ${state} ${reason}`]
}
