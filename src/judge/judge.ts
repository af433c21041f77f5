import { addCounts, emptyCounts, errorCount } from '../metrics/counts.js'
import type { MeasuredCell } from './check.js'
import { CHECKS } from './checks.js'
import type { Finding, RoundResult, Severity } from '../result/run-result.js'
import type { CellSummary } from '../analysis/run-figures.js'
import { oneLine } from '../base/text.js'

/** What findings are about, and its name in their messages. */
export interface Subject extends Pick<Finding, 'arm' | 'size' | 'concurrency' | 'isEqualLoad' | 'ratePerSec'> {
  readonly name: string
}

/**
 * Where figures are of a kind for which a check, by its code, is more or less than elsewhere; null: it says nothing
 * there.
 */
export type Exceptions = Readonly<Partial<Record<string, Severity | null>>>

/** What the checks find in some rounds. */
export function judge (measured: MeasuredCell, { name, ...subject }: Subject, exceptions: Exceptions = {}): Finding[] {
  return CHECKS.flatMap(({ code, threshold, unit, cure, find }) => {
    const exception = exceptions[code]
    const found = exception === null ? null : find(measured, threshold)
    if (found === null) return []
    return [
      {
        code,
        severity: exception ?? found.severity ?? 'invalid',
        ...subject,
        round: found.round,
        figure: found.figure,
        threshold,
        unit,
        message: `${name}: ${found.what}.`,
        cure
      }
    ]
  })
}

/** `what`: which measurements are missing, for example `rounds are missing`. */
export function failureFindings ({ name, ...subject }: Subject, failures: readonly string[], what: string): Finding[] {
  if (failures.length === 0) return []
  return [{
    code: 'ROUNDS_FAILED',
    severity: 'invalid',
    ...subject,
    round: null,
    figure: failures.length,
    threshold: 0,
    unit: 'rounds',
    message: `${name}: ${what} (${failures.map(oneLine).join('; ')}).`,
    cure: 'Find out why a role failed, and measure again.'
  }]
}

/** What the checks want to know of some rounds as a whole. */
export function totalsOf (rounds: readonly RoundResult[]): Pick<CellSummary, 'counts' | 'errors' | 'problems'> {
  const counts = emptyCounts()
  for (const round of rounds) addCounts(counts, round.counts)
  return { counts, errors: errorCount(counts), problems: [...new Set(rounds.flatMap(({ problems }) => problems))] }
}
