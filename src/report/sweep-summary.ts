import { formatAddedUs, formatBytes, formatCount, formatDuration, formatMs, formatRatio, formatRps } from '../base/units.js'
import { drawTable } from './console-tables.js'
import { addedNs, PERCENTILES, responseOf } from './equal-load.js'
import type { Knee } from './knee-search.js'
import { bulletList, escapeMarkdown, renderMarkdownTable } from './markdown.js'
import { mergeHistograms, percentileOrNull, rateOf, spreadOf } from './statistics.js'
import { describeSegment, formatDate } from './summary.js'
import { sweepPlotOf } from './sweep-plot.js'
import { kneeRateOf } from './sweep-rates.js'
import type { SweepArm, SweepPoint, SweepResult } from './sweep-result.js'
import { figure, msText, spreadText, text, WITHHELD, type Table } from './tables.js'
import { describeErrors, endSentence, formatShare, oneLine } from './words.js'
import { addCounts, emptyCounts, errorCount } from '../metrics/counts.js'

/** Beyond that the generator had no time left: the rate may be its own limit and not the arm's. */
const BUSY_MAX = 0.95

/** SUMMARY.md of a sweep: the same text for the same result, always. Ends with a line break. */
export function renderSweep (result: SweepResult): string {
  const notes = notesOf(result)
  return [
    '# HTTP tunnel benchmark: latency against load',
    whatRan(result),
    '## Knees',
    `The highest rate at which p99 of the response times is at most ${formatDuration(result.metadata.options.p99BoundMs)}, at least 99 % of what was offered is answered right, and nothing fails. A rate counts
when two probes of it agree. The search ends when the next rate that broke the bound is at most ${formatCount(result.metadata.options.precision * 100)} % higher.`,
    renderMarkdownTable(kneeTable(result), 'padded'),
    '## Latency at common rates',
    `All arms are sent the same plan (an open loop). Times are response times: from when a request should have been sent to the last byte. Beyond an arm's knee
they grow with the length of the measurement. *Added* is the difference to direct HTTP in the same round: the median, with the range.`,
    ...(result.ratesPerSec.length === 0 ? ['Not measured.'] : [renderMarkdownTable(curveTable(result), 'padded')]),
    ...(sweepPlotOf(result) === null ? [] : ['![Response time against load](sweep.svg)']),
    ...(notes.length === 0 ? [] : ['## Notes', bulletList(notes.map(escapeMarkdown))]),
    '---',
    'Render this summary again from its `sweep.json`: `tunnel-bench report DIR`, where DIR is the directory of this file.'
  ].join('\n\n') + '\n'
}

/** The tables for a terminal. Ends with a line break. */
export function renderSweepConsole (result: SweepResult): string {
  const notes = notesOf(result)
  return [
    'Knees', drawTable(kneeTable(result)),
    ...(result.ratesPerSec.length === 0 ? [] : ['Response times at common rates; added: to the baseline of the same round', drawTable(curveTable(result))]),
    ...(notes.length === 0 ? [] : [notes.map(note => `  ${note}`).join('\n')])
  ].join('\n\n') + '\n'
}

function whatRan ({ startedAt, finishedAt, metadata }: SweepResult): string {
  const { program, machine, versions, engine, server, options } = metadata
  return bulletList([
    ['Date', `${formatDate(startedAt)}${finishedAt === null ? ', not finished' : ` to ${formatDate(finishedAt)}`}`],
    ['Program', `${program.name} ${program.version}${program.commit === null ? '' : `, commit ${program.commit.slice(0, 12)}${program.dirty === true ? ' with changes' : ''}`}`],
    ['Machine', `${machine.cpuModel}, ${machine.cpus} ${machine.cpus === 1 ? 'CPU' : 'CPUs'}, ${formatBytes(machine.memoryBytes)} of memory, ${machine.os} ${machine.kernel} ${machine.arch}`],
    ['Runs on', `Node.js ${versions.node ?? 'unknown'}, ${engine} engine, ${server} origin server, roles in ${options.mode}`],
    ['Load', `${options.size} responses; ${formatCount(options.connections)} connections${options.maxConnections > options.connections ? `, up to ${formatCount(options.maxConnections)}` : ''}; ${options.arrivals} arrivals; ${formatDuration(options.durationMs)} each after ${formatDuration(options.warmupMs)} of warm-up; ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'} of each rate; ${options.loadThreads} load ${options.loadThreads === 1 ? 'thread' : 'threads'}; seed ${options.seed}`],
    ...(options.segment === null ? [] : [['Shared memory', describeSegment(options.segment)]])
  ].map(([label, words]) => `**${label}:** ${escapeMarkdown(words ?? '')}`))
}

function referenceOf (result: SweepResult): SweepArm | null {
  return result.arms.find(({ arm }) => arm === 'baseline') ?? null
}

function kneeTable (result: SweepResult): Table {
  const reference = kneeRateOf(referenceOf(result)?.knee ?? null)
  return {
    columns: [text('Transport'), figure('Knee (RPS)'), figure('Knee vs Baseline'), figure('Closed loop (RPS)'), figure('Probes')],
    rows: result.arms.map(({ arm, knee, closedPerSec, probes }) => {
      const rate = kneeRateOf(knee)
      return [
        arm,
        kneeText(knee),
        rate === null || reference === null ? WITHHELD : formatRatio(rate / reference),
        closedPerSec === null ? WITHHELD : formatRps(closedPerSec),
        formatCount(probes.length)
      ]
    })
  }
}

export function kneeText (knee: Knee | null): string {
  if (knee === null) return WITHHELD
  if (knee.kind === 'found') return formatRps(knee.ratePerSec)
  return knee.kind === 'below' ? `below ${formatRps(knee.lowestPerSec)}` : `above ${formatRps(knee.highestPerSec)}`
}

function curveTable (result: SweepResult): Table {
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
      const merged = mergeHistograms(rounds.map(responseOf))
      const rps = spreadOf(rounds.map(round => rateOf(round).ratePerSec))
      return [
        formatRps(ratePerSec),
        arm.arm,
        rps === null ? WITHHELD : formatRps(rps.median),
        ...PERCENTILES.map(percentile => msText(percentileOrNull(merged, percentile))),
        ...added.map(percentile => arm === reference ? '' : spreadText(addedNs(rounds, base?.rounds ?? [], percentile), formatAddedUs))
      ]
    }))
  }
}

function notesOf (result: SweepResult): string[] {
  return [
    ...(result.finishedAt === null ? ['The sweep did not finish: this is what it had until then.'] : []),
    ...result.arms.flatMap(arm => [
      ...arm.failures.map(reason => `${arm.arm}: ${endSentence(oneLine(reason))}`),
      ...(arm.knee === null && arm.probes.length > 0 ? [`${arm.arm}: its knee was not found: the search did not come to its end.`] : []),
      ...busyNotes(arm),
      ...arm.points.flatMap(point => pointNotes(arm, point))
    ])
  ]
}

function busyNotes ({ arm, knee, probes }: SweepArm): string[] {
  if (knee?.kind !== 'found') return []
  const busy = spreadOf(probes.filter(({ ratePerSec }) => ratePerSec === knee.brokenAtPerSec).flatMap(probe => probe.busy ?? []))
  if (busy === null || busy.median < BUSY_MAX) return []
  return [`${arm}: at ${formatRps(knee.brokenAtPerSec)}/s the load generator itself worked ${formatShare(Math.min(1, busy.median), 1)} of the time: the knee may be its own, and the arm's higher. More --load-threads would tell.`]
}

function pointNotes ({ arm }: SweepArm, { ratePerSec, rounds, failures }: SweepPoint): string[] {
  const counts = emptyCounts()
  for (const round of rounds) addCounts(counts, round.counts)
  const errors = errorCount(counts)
  return [
    ...failures.map(reason => `${arm} at ${formatRps(ratePerSec)}/s: ${endSentence(oneLine(reason))}`),
    ...(errors === 0 ? [] : [`${arm} at ${formatRps(ratePerSec)}/s: ${formatCount(errors)} of ${formatCount(counts.sent)} requests failed (${describeErrors(counts)}).`])
  ]
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
