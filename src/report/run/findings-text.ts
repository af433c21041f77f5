import { formatCount } from '../../base/units.js'
import { describeFinding, withSeverity } from '../../judge/findings.js'
import { bulletList, escapeMarkdown } from '../markdown.js'
import type { Finding } from '../../result/run-result.js'
import { INVALID_MARK } from '../tables.js'

/**
 * The section before any table: whoever reads figures that were refused should know. `marked`: what is marked in the
 * tables.
 */
export function renderValidity (
  findings: readonly Finding[],
  { command, marked }: { readonly command: 'run' | 'sweep'; readonly marked: string }
): string {
  const [invalid, warnings] = [withSeverity(findings, 'invalid'), withSeverity(findings, 'warning')]
  const below =
    warnings.length === 0
      ? 'There are no warnings.'
      : `${warnings.length === 1 ? 'One warning stands' : `${formatCount(warnings.length)} warnings stand`} at the end.`
  if (invalid.length === 0) return `Nothing was found that makes these figures invalid. ${below}`
  return [
    `**These figures are invalid**, and \`tunnel-bench ${command}\` refused them. ${marked} say "${INVALID_MARK}" in ` +
    `the tables. ${below}`,
    bulletList(invalid.map((finding) => `\`${finding.code}\` ${escapeMarkdown(describeFinding(finding))}`))
  ].join('\n\n')
}

export function renderWarnings (findings: readonly Finding[]): string {
  return (
    bulletList(withSeverity(findings, 'warning').map((finding) => escapeMarkdown(describeFinding(finding)))) || 'None.'
  )
}

/** What makes figures invalid, for a terminal; null where nothing does. */
export function invalidText (findings: readonly Finding[]): string | null {
  const invalid = withSeverity(findings, 'invalid').map(finding => `  ${finding.code} ${describeFinding(finding)}`)
  return invalid.length === 0 ? null : `Invalid\n\n${invalid.join('\n')}`
}
