import { formatAddedUs, formatCount, formatDuration, formatMs, formatRatio, formatRps } from '../../base/units.js'
import { drawTable } from '../console-tables.js'
import { addedNs } from '../../analysis/equal-load.js'
import { describeFinding, withSeverity } from '../../judge/findings.js'
import { invalidText, renderValidity, renderWarnings } from '../run/findings-text.js'
import { renderMarkdownTable } from '../markdown.js'
import type { Finding } from '../../result/run-result.js'
import {
  mergeHistograms, percentileOrNull, PERCENTILES, ratePerSecOf, responseTimesOf, spreadOf
} from '../../analysis/statistics.js'
import { whatSwept } from '../what-ran.js'
import { isInvalidInSweep, supportOf, supportText, sweepFindings } from '../../judge/sweep-findings.js'
import { sweepPlotOf } from './sweep-plot.js'
import { kneeRateOf } from '../../analysis/sweep-rates.js'
import type { Knee, SweepArm, SweepResult } from '../../result/sweep-result.js'
import { figure, INVALID_MARK, msText, NOT_USED, spreadText, text, WITHHELD, type Table } from '../tables.js'
import { formatShare } from '../../analysis/phrases.js'

/**
 * SUMMARY.md of a sweep: the same text for the same result, always. Ends with a line break. `findings` saves finding
 * them again.
 */
export function renderSweep (result: SweepResult, findings: readonly Finding[] = sweepFindings(result)): string {
  const { p99BoundMs, precision } = result.metadata.options
  return (
    [
      '# HTTP tunnel benchmark: latency against load',
      whatSwept(result),
      '## Validity',
      renderValidity(findings, { command: 'sweep', marked: 'Their knees and rates' }),
      '## Knees',
      `The highest rate at which p99 of the response times is at most ${formatDuration(p99BoundMs)}, at least 99 % of
what was offered is answered right, and nothing fails. A rate counts when two probes of it agree. The search ends when
the next rate that broke the bound is at most ${formatCount(precision * 100)} % higher, and both said the same when they
were asked again. The last columns tell how many of their probes agree.`,
      renderMarkdownTable(kneeTable(result, findings), 'padded'),
      '## Latency at common rates',
      `All arms are sent the same plan (an open loop). Times are response times: from when a request should have been
sent to the last byte. Beyond an arm's knee they grow with the length of the measurement. *Added* is the difference to
direct HTTP in the same round: the median, with the range.`,
      ...(result.ratesPerSec.length === 0
        ? ['Not measured.']
        : [renderMarkdownTable(curveTable(result, findings), 'padded')]),
      ...(sweepPlotOf(result) === null ? [] : ['![Response time against load](sweep.svg)']),
      '### Warnings',
      renderWarnings(findings),
      '---',
      'Render this summary again from its `sweep.json`: `tunnel-bench report DIR`, where DIR is the directory of ' +
        'this file.'
    ].join('\n\n') + '\n'
  )
}

/** The tables for a terminal, and below them what speaks against them. Ends with a line break. */
export function renderSweepConsole (result: SweepResult, findings: readonly Finding[] = sweepFindings(result)): string {
  const [invalid, warnings] = [invalidText(findings), withSeverity(findings, 'warning')]
  return (
    [
      'Knees',
      drawTable(kneeTable(result, findings)),
      ...(result.ratesPerSec.length === 0
        ? []
        : [
            'Response times at common rates; added: to the baseline of the same round',
            drawTable(curveTable(result, findings))
          ]),
      ...(invalid === null ? [] : [invalid]),
      ...(warnings.length === 0
        ? []
        : [`Warnings\n\n${warnings.map((finding) => `  ${finding.code} ${describeFinding(finding)}`).join('\n')}`])
    ].join('\n\n') + '\n'
  )
}

function referenceOf (result: SweepResult): SweepArm | null {
  return result.arms.find(({ arm }) => arm === 'baseline') ?? null
}

function kneeTable (result: SweepResult, findings: readonly Finding[]): Table {
  const reference = kneeRateOf(referenceOf(result)?.knee ?? null)
  return {
    columns: [
      text('Transport'),
      figure('Knee (RPS)'),
      figure('Knee vs Baseline'),
      figure('Closed loop (RPS)'),
      figure('Probes'),
      figure('Met at the knee'),
      figure('Broken above')
    ],
    rows: result.arms.map(({ arm, knee, closedPerSec, probes }) => {
      const rate = kneeRateOf(knee)
      const { met, broken } = supportOf(knee)
      return [
        arm,
        marked(kneeText(knee), isInvalidInSweep(findings, arm)),
        rate === null || reference === null ? WITHHELD : formatRatio(rate / reference),
        closedPerSec === null ? WITHHELD : formatRps(closedPerSec),
        formatCount(probes.length),
        ...[met, broken].map((end) => (end === null ? NOT_USED : supportText(end)))
      ]
    })
  }
}

const marked = (words: string, isInvalid: boolean): string => isInvalid ? `${words}, ${INVALID_MARK}` : words

export function kneeText (knee: Knee | null): string {
  if (knee === null) return WITHHELD
  if (knee.kind === 'found') return formatRps(knee.ratePerSec)
  return knee.kind === 'below' ? `below ${formatRps(knee.lowestPerSec)}` : `above ${formatRps(knee.highestPerSec)}`
}

function curveTable (result: SweepResult, findings: readonly Finding[]): Table {
  const reference = referenceOf(result)
  const added = reference === null ? [] : [50, 99]
  return {
    columns: [
      figure('Offered (RPS)'), text('Transport'), figure('Achieved (RPS)'),
      ...PERCENTILES.map(percentile => figure(`p${percentile} (ms)`)),
      ...added.map(percentile => figure(`Added p${percentile} (µs)`))
    ],
    rows: result.ratesPerSec.flatMap(ratePerSec => result.arms.map(arm => {
      const [point, base] = [arm, reference].map(one => one?.points.find(point => point.ratePerSec === ratePerSec))
      const rounds = point?.rounds ?? []
      const merged = mergeHistograms(rounds.map(responseTimesOf))
      const rps = spreadOf(rounds.map(ratePerSecOf))
      return [
        formatRps(ratePerSec),
        arm.arm,
        marked(rps === null ? WITHHELD : formatRps(rps.median), isInvalidInSweep(findings, arm.arm, ratePerSec)),
        ...PERCENTILES.map((percentile) => msText(percentileOrNull(merged, percentile))),
        ...added.map((percentile) =>
          arm === reference ? '' : spreadText(addedNs(rounds, base?.rounds ?? [], percentile), formatAddedUs)
        )
      ]
    }))
  }
}

/** `baseline  p99 1.24 ms  100 %  met`: one probe, for progress. */
export function probeText ({ p99Ns, achieved, errors, isMet }: SweepArm['probes'][number]): string {
  return [
    p99Ns === null ? 'p99 withheld' : `p99 ${formatMs(p99Ns)} ms`,
    `${formatShare(achieved, 1)} achieved`,
    ...(errors === 0 ? [] : [`${formatCount(errors)} errors`]),
    isMet ? 'met' : 'broken'
  ].join('  ')
}
