import { formatCount, formatMs, formatRatio, formatRps } from '../../base/units.js'
import { headOfLineBlocking, throughputCollapse, Verdict, type Judgement } from '../../judge/rules.js'
import { isJudged, siblingOf, type CellSummary } from '../../analysis/run-figures.js'
import { type RunSummary } from '../../judge/run-summary.js'
import { rateRatio, spreadOf, type Spread } from '../../analysis/statistics.js'
import { listWords } from '../../base/text.js'
import { describeChange, describeConnections, describeErrors, describeLoad } from '../../analysis/phrases.js'

/** A question of the benchmark with the sentences that answer it from the figures of a run. Plain text. */
export interface Answer {
  readonly question: string
  readonly sentences: readonly string[]
}

export function answersOf (summary: RunSummary): Answer[] {
  return [
    { question: 'What does the tunnel cost against direct HTTP?', sentences: costSentences(summary) },
    {
      question: 'How does that cost change with concurrency, size and transport?',
      sentences: changeSentences(summary)
    },
    { question: 'Does it misbehave under load?', sentences: loadSentences(summary) }
  ]
}

/** A cell with its share of direct HTTP. */
type Compared = CellSummary & { readonly ratio: Spread, readonly rps: Spread }

function comparedCells (summary: RunSummary, arm: string): Compared[] {
  return summary.cells.filter((cell): cell is Compared => cell.arm === arm && cell.ratio !== null && cell.rps !== null)
}

function tunnelArms (summary: RunSummary): string[] {
  return [...new Set(summary.cells.filter(isJudged).map(cell => cell.arm))]
}

function costSentences (summary: RunSummary): string[] {
  const arms = tunnelArms(summary)
  if (arms.length === 0) return ['This run cannot tell: it has no tunnel arm.']
  if (summary.reference === null) return ['This run cannot tell: it has no baseline arm to compare with.']
  return [...arms.flatMap(arm => armCost(summary, arm)), ...noiseSentences(summary)]
}

function armCost (summary: RunSummary, arm: string): string[] {
  const cells = comparedCells(summary, arm).sort((a, b) => a.ratio.median - b.ratio.median)
  const [worst, best] = [cells[0], cells[cells.length - 1]]
  if (worst === undefined || best === undefined) {
    return [`Nothing can be said about ${arm}: no round has both it and a working direct HTTP.`]
  }
  const range = formatRange({ min: worst.ratio.median, max: best.ratio.median })
  const places =
    cells.length === 1
      ? exchange(summary, worst)
      : `at worst ${exchange(summary, worst)}; at best ${exchange(summary, best)}`
  const reach = `${arm} reaches ${range} of the throughput of direct HTTP: ${places}.`
  return [reach, ...latencySentence(summary, cells), ...cpuSentence(cells)]
}

/** `0.22× to 0.31×`, or one figure where both ends read the same. */
function formatRange ({ min, max }: { readonly min: number, readonly max: number }): string {
  const [from, to] = [formatRatio(min), formatRatio(max)]
  return from === to ? from : `${from} to ${to}`
}

/** `14,100 instead of 45,500 RPS, 69 % less (small responses, 8 connections)`. */
function exchange (summary: RunSummary, cell: Compared): string {
  const directPerSec = siblingOf(summary, cell, summary.reference)?.rps?.median ?? 0
  return `${formatRps(cell.rps.median)} instead of ${formatRps(directPerSec)} RPS, ` +
    `${describeChange(cell.ratio.median)} (${describeLoad(cell)})`
}

/** Only one request at a time shows the path: with more of them latency follows from throughput. */
function latencySentence (summary: RunSummary, cells: readonly Compared[]): string[] {
  const cell = cells
    .filter((cell) => cell.concurrency === 1)
    .sort((a, b) => sizeRank(summary, a) - sizeRank(summary, b))[0]
  const directNs = cell === undefined ? null : siblingOf(summary, cell, summary.reference)?.p50Ns ?? null
  if (cell === undefined || cell.p50Ns === null || directNs === null) return []
  return [
    `With one connection, ${cell.arm} needs ${formatMs(cell.p50Ns)} ms instead of ${formatMs(directNs)} ms for a ` +
    `request (p50, ${cell.size} responses).`
  ]
}

function cpuSentence (cells: readonly Compared[]): string[] {
  const cell = [...cells].sort((a, b) => b.concurrency - a.concurrency || b.rps.median - a.rps.median)[0]
  const [host, plugin] = [cell?.cpu.get('host'), cell?.cpu.get('plugin')]
  if (cell === undefined || !host || !plugin) return []
  const [hostUs, pluginUs] = [host.userUs + host.systemUs, plugin.userUs + plugin.systemUs]
  return [
    `A response through ${cell.arm} costs ${hostUs.toFixed(1)} µs of CPU in the host and ${pluginUs.toFixed(1)} µs ` +
    `in the plugin (${describeLoad(cell)}).`
  ]
}

function sizeRank (summary: RunSummary, cell: CellSummary): number {
  return [...summary.sizes.keys()].indexOf(cell.size)
}

/** The same arm measured twice: what it differs from itself is what no comparison can resolve. */
function noiseSentences (summary: RunSummary): string[] {
  const again = [
    ...new Set(
      summary.cells
        .filter((cell) => cell.transport === 'baseline' && cell.arm !== summary.reference)
        .map((cell) => cell.arm)
    )
  ]
  return again.flatMap(arm => {
    const rounds = spreadOf(comparedCells(summary, arm).flatMap(cell => [cell.ratio.min, cell.ratio.max]))
    return rounds === null
      ? []
      : [
          `Direct HTTP measured a second time (${arm}) reaches ${formatRange(rounds)} of itself from round to round: ` +
          'a difference no larger than that is noise.'
        ]
  })
}

function changeSentences (summary: RunSummary): string[] {
  const arms = tunnelArms(summary).filter(arm => comparedCells(summary, arm).length > 0)
  if (arms.length === 0) return ['This run cannot tell: no tunnel was measured together with direct HTTP.']
  return [...concurrencySentences(summary, arms), ...sizeSentences(summary, arms), ...transportSentences(summary, arms)]
}

function concurrencySentences (summary: RunSummary, arms: readonly string[]): string[] {
  const { concurrency } = summary.result.metadata.options
  if (concurrency.length < 2) {
    return [`Concurrency: only ${describeConnections(concurrency[0] ?? 0)} measured, so no change with it can be seen.`]
  }
  return arms.flatMap(arm => [...summary.sizes.keys()].flatMap(size => {
    const cells = comparedCells(summary, arm)
      .filter((cell) => cell.size === size)
      .sort((a, b) => a.concurrency - b.concurrency)
    if (cells.length === 0) return []
    const steps = cells.map(
      (cell, at) =>
        `${formatRatio(cell.ratio.median)} at ` +
        `${at === 0 ? describeConnections(cell.concurrency) : formatCount(cell.concurrency)}`
    )
    return [`Concurrency: with ${size} responses ${arm} reaches ${listWords(steps)} of direct HTTP.`]
  }))
}

function sizeSentences (summary: RunSummary, arms: readonly string[]): string[] {
  const sizes = [...summary.sizes.keys()]
  if (sizes.length < 2) {
    return [`Size: only ${sizes[0] ?? 'no'} responses were measured, so no change with it can be seen.`]
  }
  return arms.flatMap(arm => {
    const shares = sizes.flatMap(size => {
      const spread = spreadOf(
        comparedCells(summary, arm)
          .filter((cell) => cell.size === size)
          .map((cell) => cell.ratio.median)
      )
      return spread === null ? [] : [`${formatRatio(spread.median)} with ${size} responses`]
    })
    return shares.length < 2 ? [] : [`Size: over all concurrencies the median of ${arm} is ${listWords(shares)}.`]
  })
}

function transportSentences (summary: RunSummary, arms: readonly string[]): string[] {
  const [first, ...others] = arms
  if (first === undefined || others.length === 0) {
    return [`Transport: ${first ?? 'none'} is the only one measured, so there is nothing to compare it with.`]
  }
  return others.flatMap(arm => {
    const ratios = comparedCells(summary, arm).flatMap(
      (cell) => rateRatio(cell.rates, siblingOf(summary, cell, first)?.rates ?? [])?.median ?? []
    )
    const spread = spreadOf(ratios)
    if (spread === null) return []
    const faster = ratios.filter(ratio => ratio > 1).length
    return [
      `Transport: ${arm} reaches ${formatRange(spread)} of the throughput of ${first} and is faster in ${faster} of ` +
      `${ratios.length} ${ratios.length === 1 ? 'cell' : 'cells'}.`
    ]
  })
}

function loadSentences (summary: RunSummary): string[] {
  const tunnels = summary.cells.filter(isJudged)
  const measured = tunnels.filter(cell => cell.rps !== null)
  const broken = tunnels.filter(cell => cell.state === 'failed' || cell.state === 'partial')
  if (measured.length === 0 && broken.length === 0) return ['This run cannot tell: no tunnel was measured.']
  const judgements = [
    { label: 'Throughput at the highest concurrency', judgement: throughputCollapse.judge(summary) },
    { label: 'Latency spikes and head-of-line blocking', judgement: headOfLineBlocking.judge(summary) }
  ]
  const errors = measured.reduce((sum, cell) => sum + cell.errors, 0)
  const trouble = errors > 0 || broken.length > 0 || judgements.some(({ judgement }) => isTrouble(judgement))
  const gaps =
    judgements.some(({ judgement }) => judgement.verdict === Verdict.NOT_MEASURED) || measured.length < tunnels.length
  const lead = trouble ? 'Yes, there are signs of it.' : gaps ? 'Not as far as this run can tell.' : 'No sign of it.'
  return [
    lead,
    ...(measured.length > 0 ? [errorSentence(measured, errors)] : []),
    ...(broken.length > 0
      ? [
          `Incomplete: rounds are missing in ${broken.length} of ${tunnels.length} tunnel cells (reasons below their ` +
          'tables).'
        ]
      : []),
    ...judgements.map(({ label, judgement }) => `${label} (${judgement.verdict}): ${judgement.figures}`)
  ]
}

function isTrouble ({ verdict }: Judgement): boolean {
  return verdict === Verdict.WARNING || verdict === Verdict.BAD
}

function errorSentence (cells: readonly CellSummary[], errors: number): string {
  const sent = cells.reduce((sum, cell) => sum + cell.counts.sent, 0)
  if (errors === 0) return `Errors: none of the ${formatCount(sent)} requests through a tunnel failed.`
  const worst = [...cells].sort((a, b) => b.errors - a.errors)[0]
  const place =
    worst === undefined ? '' : `; most with ${worst.arm}, ${describeLoad(worst)}: ${describeErrors(worst.counts)}`
  return `Errors: ${formatCount(errors)} of ${formatCount(sent)} requests through a tunnel failed${place}.`
}
