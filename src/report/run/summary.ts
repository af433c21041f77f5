import { formatBytes, formatCount, formatDuration, formatRatio } from '../../base/units.js'
import { describeMachine } from '../../judge/context-notes.js'
import { renderValidity, renderWarnings } from './findings-text.js'
import { billPlotOf, billSentences, billTableOf, cpuBillTableOf, HOW_CPU_ADDS_UP, HOW_THE_BILL_ADDS_UP } from './bill-table.js'
import { equalLoadRounds } from '../../analysis/equal-load.js'
import { equalLoadTableOf, HOW_EQUAL_LOAD } from './equal-load-table.js'
import { bulletList, escapeMarkdown, renderMarkdownTable } from '../markdown.js'
import { answersOf } from './reading.js'
import type { RunInput, RunResult, SegmentOptions } from '../../result/run-result.js'
import { RULES } from '../../judge/rules.js'
import { summarizeRun, type RunSummary } from '../../judge/run-summary.js'
import { HOW_SYSTEM_CALLS_COUNT, systemCallTableOf } from './system-call-table.js'
import { tablesOfSize } from '../tables.js'
import { HOW_TUNNELS_COUNT, tunnelTableOf } from './tunnel-table.js'

/** SUMMARY.md of a run: the same text for the same result, always. Ends with a line break. `summary` saves making it again. */
export function renderSummary (result: RunResult, summary: RunSummary = summarizeRun(result)): string {
  return [
    '# HTTP tunnel benchmark',
    whatRan(result),
    '## Validity',
    renderValidity(summary.findings, { command: 'run', marked: 'Their cells' }),
    ...[...summary.sizes.keys()].flatMap(size => renderSize(summary, size)),
    // Drawn when the run is over.
    ...(result.finishedAt !== null && billPlotOf(summary) !== null ? ['![What each step adds to the p50 of direct HTTP](bill.svg)'] : []),
    '## Reading the results',
    HOW_TO_READ,
    ...answersOf(summary).flatMap(({ question, sentences }) => [`### ${question}`, bulletList(sentences.map(escapeMarkdown))]),
    '### Rules',
    renderRules(summary),
    '### Warnings',
    renderWarnings(summary.findings),
    '---',
    'Render this summary again from its `result.json`: `tunnel-bench report DIR`, where DIR is the directory of this file.'
  ].join('\n\n') + '\n'
}

const HOW_TO_READ = `RPS counts verified responses only: status 200, whole, every byte as expected. It is the median over the rounds, with the
slowest and the fastest round in parentheses. "RPS vs Baseline" compares an arm with direct HTTP in the same round and then
takes the median of these ratios: 0.31× means 31 requests in the time of 100. Percentiles come from the histograms of all
rounds merged. Load is a closed loop: a connection sends its next request when it has the last response, so once the
machine is busy latency is concurrency ÷ RPS, and a lower RPS shows again as a higher p50.`

function whatRan ({ startedAt, finishedAt, metadata, inputs }: RunResult): string {
  const { program, machine, versions, engine, server, options } = metadata
  const commit = program.commit === null ? '' : `, commit ${program.commit.slice(0, 12)}${program.dirty === true ? ' with changes' : ''}`
  const node = Object.hasOwn(versions, 'node') ? `Node.js ${versions.node?.replace(/^v/, '')}, ` : ''
  const external = options.generator === undefined || options.generator === 'own' ? '' : `; sent by ${options.generator} ${versions[options.generator] ?? ''}, which verifies no body`
  const load = `${options.loadThreads} load ${options.loadThreads === 1 ? 'thread' : 'threads'}`
  return bulletList([
    ['Date', `${formatDate(startedAt)}${finishedAt === null ? ', not finished' : ` to ${formatDate(finishedAt)}`}`],
    ...(inputs === undefined ? [] : [['Merged from', describeInputs(inputs)]]),
    ['Program', `${program.name} ${program.version}${commit}`],
    ['Machine', describeMachine(machine)],
    ['Runs on', `${node}${engine} engine, ${server} origin server (${options.server} asked for), roles in ${options.mode}`],
    ['Load', `${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'} of ${formatDuration(options.durationMs)} per cell, each after ${formatDuration(options.warmupMs)} of warm-up; ${load}, request timeout ${formatDuration(options.requestTimeoutMs)}${external}`],
    ['Matrix', `arms ${options.arms.join(', ')}; sizes ${options.sizes.join(', ')}; concurrency ${options.concurrency.join(', ')}; order of the arms random in every round, seed ${options.seed}${options.quick ? '; quick run' : ''}`],
    ...(equalLoadRounds(options) === 0
      ? []
      : [['Equal load', `${equalLoadRounds(options)} ${equalLoadRounds(options) === 1 ? 'round' : 'rounds'} per cell at ${formatRatio(options.equalLoad ?? 0).replace('×', '')} of the throughput of its slowest arm, ${options.arrivals ?? 'poisson'} arrivals`]]),
    ...(options.segment === null ? [] : [['Shared memory', describeSegment(options.segment)]])
  ].map(([label, text]) => `**${label}:** ${escapeMarkdown(text ?? '')}`))
}

/** Program and machine are shown of the first one; a warning says where others differ. */
function describeInputs (inputs: readonly RunInput[]): string {
  return `${inputs.length} runs: ${inputs.map(({ startedAt, metadata }) => `${formatDate(startedAt)} (${formatCount(metadata.options.rounds)} ${metadata.options.rounds === 1 ? 'round' : 'rounds'}, seed ${metadata.options.seed})`).join('; ')}`
}

export function describeSegment ({ slotBytes, slots, ringEntries, inlineBytes }: SegmentOptions): string {
  return `in each direction ${formatCount(slots)} slots of ${formatBytes(slotBytes)} and a ring of ${formatCount(ringEntries)} descriptors, which hold payloads up to ${formatCount(inlineBytes)} bytes themselves`
}

/** `2026-01-02 03:04:05 UTC` of an ISO 8601 time. */
export function formatDate (iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`
}

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
    ...(bill === null ? [] : ['### The bill', renderMarkdownTable(bill, 'padded'), bulletList(billSentences(summary, size).map(escapeMarkdown)), HOW_THE_BILL_ADDS_UP]),
    ...(cpuBill === null ? [] : [HOW_CPU_ADDS_UP, renderMarkdownTable(cpuBill, 'padded')]),
    ...(systemCalls === null ? [] : ['### System calls per response', renderMarkdownTable(systemCalls, 'padded'), HOW_SYSTEM_CALLS_COUNT]),
    ...(equal === null ? [] : ['### At equal load', HOW_EQUAL_LOAD, renderMarkdownTable(equal.table, 'padded'), ...(equal.notes.length > 0 ? [bulletList(equal.notes.map(escapeMarkdown))] : [])]),
    ...(tunnel === null ? [] : ['### What the tunnel did', renderMarkdownTable(tunnel, 'padded'), HOW_TUNNELS_COUNT])
  ]
}

function renderRules (summary: RunSummary): string {
  const rows = RULES.map(rule => {
    const { verdict, figures } = rule.judge(summary)
    return [rule.name, rule.reason, verdict, figures].map(escapeMarkdown)
  })
  return ['| Rule | Reason | Verdict | Figures |', '|:---|:---|:---|:---|', ...rows.map(row => `| ${row.join(' | ')} |`)].join('\n')
}
