import { CHECKS, type Check, type MeasuredCell } from './checks.js'
import type { CellResult, Finding, RoundResult } from './result.js'
import type { CellSummary, RunFigures } from './run-summary.js'
import { describeCell, oneLine } from './words.js'

/** What the checks find, and cells whose rounds failed. */
export function validityFindings ({ result, cells }: RunFigures): Finding[] {
  return cells.flatMap(cell => {
    const rounds = roundsOf(result.cells, cell)
    const measured: MeasuredCell = { cell, rounds, threads: Math.min(result.metadata.options.loadThreads, cell.concurrency) }
    const found = rounds.length === 0 ? [] : CHECKS.flatMap(check => toFinding(check, measured))
    return [...failureFinding(cell), ...found]
  })
}

function roundsOf (cells: readonly CellResult[], { arm, size, concurrency }: CellSummary): readonly RoundResult[] {
  return cells.find(cell => cell.arm === arm && cell.size === size && cell.concurrency === concurrency)?.rounds ?? []
}

function toFinding (check: Check, measured: MeasuredCell): Finding[] {
  const found = check.find(measured, check.threshold)
  if (found === null) return []
  const { code, threshold, unit, cure } = check
  const { arm, size, concurrency } = measured.cell
  return [{ code, severity: found.severity ?? 'invalid', arm, size, concurrency, round: found.round, figure: found.figure, threshold, unit, message: `${describeCell(measured.cell)}: ${found.what}.`, cure }]
}

function failureFinding (cell: CellSummary): Finding[] {
  const { arm, size, concurrency, failures, state } = cell
  if (failures.length === 0) return []
  const what = state === 'failed' ? 'failed' : 'rounds are missing'
  return [{
    code: 'ROUNDS_FAILED',
    severity: 'invalid',
    arm,
    size,
    concurrency,
    round: null,
    figure: failures.length,
    threshold: 0,
    unit: 'rounds',
    message: `${describeCell(cell)}: ${what} (${failures.map(oneLine).join('; ')}).`,
    cure: 'Find out why a role failed, and measure again.'
  }]
}
