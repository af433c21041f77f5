import { whatRan } from '../what-ran.js'
import { renderValidity, renderWarnings } from './findings-text.js'
import {
  billPlotOf,
  billSentences,
  billTableOf,
  cpuBillTableOf,
  HOW_CPU_ADDS_UP,
  HOW_THE_BILL_ADDS_UP
} from './bill-table.js'
import { equalLoadTableOf, HOW_EQUAL_LOAD } from './equal-load-table.js'
import { bulletList, escapeMarkdown, renderMarkdownTable } from '../markdown.js'
import { answersOf } from './answers.js'
import type { RunResult } from '../../result/run-result.js'
import { RULES } from '../../judge/rules.js'
import { summarizeRun, type RunSummary } from '../../judge/run-summary.js'
import { HOW_SYSTEM_CALLS_COUNT, systemCallTableOf } from './system-call-table.js'
import { tablesOfSize } from '../tables.js'
import { HOW_TUNNELS_COUNT, tunnelTableOf } from './tunnel-table.js'

/**
 * SUMMARY.md of a run: the same text for the same result, always. Ends with a line break. `summary` saves making it
 * again.
 */
export function renderSummary (result: RunResult, summary: RunSummary = summarizeRun(result)): string {
  return (
    [
      '# HTTP tunnel benchmark',
      whatRan(result),
      '## Validity',
      renderValidity(summary.findings, { command: 'run', marked: 'Their cells' }),
      ...[...summary.sizes.keys()].flatMap((size) => renderSize(summary, size)),
      // Drawn when the run is over.
      ...(result.finishedAt !== null && billPlotOf(summary) !== null
        ? ['![What each step adds to the p50 of direct HTTP](bill.svg)']
        : []),
      '## Reading the results',
      HOW_TO_READ,
      ...answersOf(summary).flatMap(({ question, sentences }) => [
        `### ${question}`,
        bulletList(sentences.map(escapeMarkdown))
      ]),
      '### Rules',
      renderRules(summary),
      '### Warnings',
      renderWarnings(summary.findings),
      '---',
      'Render this summary again from its `result.json`: `tunnel-bench report DIR`, where DIR is the directory of ' +
      'this file.'
    ].join('\n\n') + '\n'
  )
}

const HOW_TO_READ = `RPS counts verified responses only: status 200, whole, every byte as expected. It is the median
over the rounds, with the slowest and the fastest round in parentheses. "RPS vs Baseline" compares an arm with direct
HTTP in the same round and then takes the median of these ratios: 0.31× means 31 requests in the time of 100.
Percentiles come from the histograms of all rounds merged. Load is a closed loop: a connection sends its next request
when it has the last response, so once the machine is busy latency is concurrency ÷ RPS, and a lower RPS shows again as
a higher p50.`

function renderSize (summary: RunSummary, size: string): string[] {
  const { title, main, detail, notes } = tablesOfSize(summary, size)
  const tunnel = tunnelTableOf(summary, size)
  const bill = billTableOf(summary, size)
  const cpuBill = cpuBillTableOf(summary, size)
  const systemCalls = systemCallTableOf(summary, size)
  const equal = equalLoadTableOf(summary, size)
  return [
    `## ${escapeMarkdown(title)}`,
    renderMarkdownTable(main, 'plain'),
    'Details. CPU is the time per response, user + system:',
    renderMarkdownTable(detail, 'padded'),
    ...(notes.length > 0 ? [bulletList(notes.map(escapeMarkdown))] : []),
    ...(bill === null
      ? []
      : [
          '### The bill',
          renderMarkdownTable(bill, 'padded'),
          bulletList(billSentences(summary, size).map(escapeMarkdown)),
          HOW_THE_BILL_ADDS_UP
        ]),
    ...(cpuBill === null ? [] : [HOW_CPU_ADDS_UP, renderMarkdownTable(cpuBill, 'padded')]),
    ...(systemCalls === null
      ? []
      : ['### System calls per response', renderMarkdownTable(systemCalls, 'padded'), HOW_SYSTEM_CALLS_COUNT]),
    ...(equal === null
      ? []
      : [
          '### At equal load',
          HOW_EQUAL_LOAD,
          renderMarkdownTable(equal.table, 'padded'),
          ...(equal.notes.length > 0 ? [bulletList(equal.notes.map(escapeMarkdown))] : [])
        ]),
    ...(tunnel === null ? [] : ['### What the tunnel did', renderMarkdownTable(tunnel, 'padded'), HOW_TUNNELS_COUNT])
  ]
}

function renderRules (summary: RunSummary): string {
  const rows = RULES.map(rule => {
    const { verdict, figures } = rule.judge(summary)
    return [rule.name, rule.reason, verdict, figures].map(escapeMarkdown)
  })
  return [
    '| Rule | Reason | Verdict | Figures |',
    '|:---|:---|:---|:---|',
    ...rows.map((row) => `| ${row.join(' | ')} |`)
  ].join('\n')
}
