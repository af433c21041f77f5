import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { withSeverity } from '../../src/judge/findings.js'
import type { Finding } from '../../src/result/run-result.js'
import type { RunSummary } from '../../src/judge/run-summary.js'
import type { SweepResult } from '../../src/result/sweep-result.js'

export interface ExitCodeOptions {
  /** Where the findings can be read. */
  readonly folder: string
  readonly allowInvalid: boolean
}

/**
 * What a run that came to its end ends with: 1 where a role failed, whatever is allowed, else 0. Throws
 * ERR_TUNNEL_MEASUREMENT_INVALID (exit code 3) where a finding makes it invalid and `allowInvalid` does not say that
 * this is fine.
 */
export function exitCodeOfRun ({ result, findings }: RunSummary, options: ExitCodeOptions): 0 | 1 {
  return exitCodeOfFindings(
    result.cells.some((cell) => cell.failures.length > 0 || (cell.equalLoad?.failures.length ?? 0) > 0),
    findings,
    options
  )
}

/** The same of a sweep. */
export function exitCodeOfSweep ({ arms }: SweepResult, findings: readonly Finding[], options: ExitCodeOptions): 0 | 1 {
  return exitCodeOfFindings(
    arms.some(({ failures, points }) => failures.length > 0 || points.some((point) => point.failures.length > 0)),
    findings,
    options
  )
}

function exitCodeOfFindings (
  hasFailed: boolean,
  findings: readonly Finding[],
  { folder, allowInvalid }: ExitCodeOptions
): 0 | 1 {
  if (hasFailed) return 1
  const codes = [...new Set(withSeverity(findings, 'invalid').map(({ code }) => code))]
  if (codes.length === 0 || allowInvalid) return 0
  throw new TunnelError(
    ErrorCode.MEASUREMENT_INVALID,
    `The measurement is invalid (${codes.join(', ')}): ${folder}/SUMMARY.md says what to do; --allow-invalid takes ` +
    'it as it is'
  )
}
