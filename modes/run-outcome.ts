import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { withSeverity } from '../src/report/findings.js'
import type { RunSummary } from '../src/report/run-summary.js'

/**
 * What a run that came to its end ends with: 1 where a role failed, whatever is allowed, else 0. Throws ERR_TUNNEL_MEASUREMENT_INVALID (exit code 3)
 * where a finding makes it invalid and `allowInvalid` does not say that this is fine. `folder` is where the findings can be read.
 */
export function exitCodeOfRun ({ result, findings }: RunSummary, { folder, allowInvalid }: { readonly folder: string, readonly allowInvalid: boolean }): 0 | 1 {
  if (result.cells.some((cell) => cell.failures.length > 0 || (cell.equalLoad?.failures.length ?? 0) > 0)) return 1
  const codes = [...new Set(withSeverity(findings, 'invalid').map(({ code }) => code))]
  if (codes.length === 0 || allowInvalid) return 0
  throw new TunnelError(ErrorCode.MEASUREMENT_INVALID, `The measurement is invalid (${codes.join(', ')}): ${folder}/SUMMARY.md says what to do; --allow-invalid takes it as it is`)
}
