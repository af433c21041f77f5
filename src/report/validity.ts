import { addCounts, emptyCounts, errorCount } from '../metrics/counts.js'
import { CHECKS, type Check, type MeasuredCell } from './checks.js'
import type { Finding, RoundResult } from './result.js'
import type { CellSummary, RunFigures } from './run-summary.js'
import { describeCell, oneLine } from './words.js'

/**
 * With a connection for each request that may be on its way, and no more, a request waits for one: that is part of the response time, and no fault of
 * the generator.
 */
const NOT_AT_EQUAL_LOAD: ReadonlySet<string> = new Set(['SCHEDULE_LAG'])

/** At equal load an arm may turn out to be beyond what it can bear, or a short window to be one: readers should know, but the cell's closed loops stand. */
const WARNING_AT_EQUAL_LOAD: ReadonlySet<string> = new Set(['RATE_NOT_REACHED', 'DRIFT'])

/** What the checks find in closed loops and at equal load, and cells whose rounds failed. */
export function validityFindings ({ result, cells }: RunFigures): Finding[] {
  const { options } = result.metadata
  return cells.flatMap(cell => {
    const found = result.cells.find(({ arm, size, concurrency }) => cell.arm === arm && cell.size === size && cell.concurrency === concurrency)
    const common = { threads: Math.min(options.loadThreads, cell.concurrency), isOwnGenerator: (options.generator ?? 'own') === 'own' }
    const closed = found?.rounds ?? []
    const equal = found?.equalLoad?.rounds ?? []
    return [
      ...failureFinding(cell, cell.failures, false),
      ...(closed.length === 0 ? [] : CHECKS.flatMap(check => toFinding(check, cell, { ...common, cell, rounds: closed }))),
      ...failureFinding(cell, found?.equalLoad?.failures ?? [], true),
      ...(equal.length === 0 ? [] : equalLoadFindings(cell, { ...common, cell: { ...cell, ...totalsOf(equal) }, rounds: equal }))
    ]
  })
}

function equalLoadFindings (cell: CellSummary, measured: MeasuredCell): Finding[] {
  const found = CHECKS.filter(({ code }) => !NOT_AT_EQUAL_LOAD.has(code)).flatMap(check => toFinding(check, cell, measured))
  return found.map(finding => ({
    ...finding,
    severity: WARNING_AT_EQUAL_LOAD.has(finding.code) ? 'warning' : finding.severity,
    isEqualLoad: true,
    message: finding.message.replace(`${describeCell(cell)}: `, `${describeCell(cell)}, at equal load: `)
  }))
}

function totalsOf (rounds: readonly RoundResult[]): Pick<CellSummary, 'counts' | 'errors' | 'problems'> {
  const counts = emptyCounts()
  for (const round of rounds) addCounts(counts, round.counts)
  return { counts, errors: errorCount(counts), problems: [...new Set(rounds.flatMap(({ problems }) => problems))] }
}

function toFinding (check: Check, cell: CellSummary, measured: MeasuredCell): Finding[] {
  const found = check.find(measured, check.threshold)
  if (found === null) return []
  const { code, threshold, unit, cure } = check
  const { arm, size, concurrency } = cell
  return [{ code, severity: found.severity ?? 'invalid', arm, size, concurrency, round: found.round, figure: found.figure, threshold, unit, message: `${describeCell(cell)}: ${found.what}.`, cure }]
}

function failureFinding (cell: CellSummary, failures: readonly string[], isEqualLoad: boolean): Finding[] {
  const { arm, size, concurrency, state } = cell
  if (failures.length === 0) return []
  const what = isEqualLoad ? 'rounds at equal load are missing' : state === 'failed' ? 'failed' : 'rounds are missing'
  return [{
    code: 'ROUNDS_FAILED',
    severity: 'invalid',
    arm,
    size,
    concurrency,
    ...(isEqualLoad ? { isEqualLoad } : {}),
    round: null,
    figure: failures.length,
    threshold: 0,
    unit: 'rounds',
    message: `${describeCell(cell)}: ${what} (${failures.map(oneLine).join('; ')}).`,
    cure: 'Find out why a role failed, and measure again.'
  }]
}
