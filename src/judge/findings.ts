import type { Finding, Severity } from '../result/run-result.js'
import type { CellSummary, RunFigures } from '../analysis/run-figures.js'
import { validityFindings } from './validity.js'
import { warningFindings } from './warnings.js'

/** Everything that speaks against a run, what makes it invalid first. Empty for a clean one. */
export function findingsOf (figures: RunFigures): Finding[] {
  return worstFirst([...validityFindings(figures), ...warningFindings(figures)])
}

export function worstFirst (findings: readonly Finding[]): Finding[] {
  return (['invalid', 'warning'] as const).flatMap(severity => withSeverity(findings, severity))
}

export function withSeverity (findings: readonly Finding[], severity: Severity): Finding[] {
  return findings.filter(finding => finding.severity === severity)
}

/** Closed loops and rounds at equal load are judged apart. */
export function isInvalid (
  findings: readonly Finding[],
  { arm, size, concurrency }: Pick<CellSummary, 'arm' | 'size' | 'concurrency'>,
  isEqualLoad = false
): boolean {
  return findings.some(
    (finding) =>
      finding.severity === 'invalid' &&
      (finding.isEqualLoad ?? false) === isEqualLoad &&
      finding.arm === arm &&
      finding.size === size &&
      finding.concurrency === concurrency
  )
}

/** What was found and what to do, as text. */
export function describeFinding ({ message, cure }: Finding): string {
  return `${message} ${cure}`
}
