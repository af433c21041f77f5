import { formatMs, formatRatio, formatRps } from '../base/units.js'
import { isJudged, siblingOf, type CellSummary } from '../analysis/run-figures.js'
import { type RunSummary } from './run-summary.js'
import { rateRatio } from '../analysis/statistics.js'
import { describeCell, describeConnections } from '../analysis/phrases.js'

export const Verdict = { GOOD: 'good', WARNING: 'warning', BAD: 'bad', NOT_MEASURED: 'not measured' } as const
export type Verdict = typeof Verdict[keyof typeof Verdict]

export interface Judgement {
  readonly verdict: Verdict
  /** The worst cell and its figures, or why there are none. */
  readonly figures: string
}

/** One expectation of a tunnel. Every rule is judged at its worst cell. */
export interface Rule {
  /** What is expected, as a statement. */
  readonly name: string
  /** Why it is expected, and where the limits come from. */
  readonly reason: string
  readonly judge: (summary: RunSummary) => Judgement
}

/** A cell with the one number its rule looks at. */
interface Candidate {
  readonly cell: CellSummary
  readonly value: number
  readonly figures: string
}

interface Grading {
  /** Cells the rule applies to, measured or not. */
  readonly cells: readonly CellSummary[]
  /** null: this cell cannot be judged. */
  readonly measure: (cell: CellSummary) => Candidate | null
  readonly worst: 'lowest' | 'highest'
  readonly grade: (value: number) => Verdict
  /** Why nothing could be judged, when nothing could. */
  readonly otherwise: string
}

function judgeWorst ({ cells, measure, worst, grade, otherwise }: Grading): Judgement {
  const candidates = cells.map(measure).filter(candidate => candidate !== null)
  const [first, ...others] = candidates
  if (first === undefined) return { verdict: Verdict.NOT_MEASURED, figures: otherwise }
  const found = others.reduce((a, b) => (worst === 'lowest' ? b.value < a.value : b.value > a.value) ? b : a, first)
  const coverage = candidates.length < cells.length ? ` Judged on ${candidates.length} of ${cells.length} cells.` : ''
  return { verdict: grade(found.value), figures: `${describeCell(found.cell)}: ${found.figures}.${coverage}` }
}

/**
 * What off-the-shelf TCP proxies in the tunnel's place (haproxy, nginx stream) came to in their worst cells: 0.20× to
 * 0.24× for large responses on two cores, 0.26× to 0.48× elsewhere (docs/PERFORMANCE.md).
 */
const WORSE_THAN_A_PROXY = 0.25

function throughputRule (path: string, keeps: number, name: string, reason: string): Rule {
  return {
    name,
    reason: `${reason} Below ${formatRatio(WORSE_THAN_A_PROXY)} is bad: ` +
      'an ordinary TCP proxy comes to that at its worst.',
    judge: (summary) =>
      judgeWorst({
        cells: summary.cells.filter((cell) => cell.path === path),
        measure: (cell) =>
          cell.ratio === null
            ? null
            : { cell, value: cell.ratio.median, figures: `${formatRatio(cell.ratio.median)} of direct HTTP` },
        worst: 'lowest',
        grade: (value) => (value >= keeps ? Verdict.GOOD : value >= WORSE_THAN_A_PROXY ? Verdict.WARNING : Verdict.BAD),
        otherwise: `No ${path} cell has a round together with direct HTTP.`
      })
  }
}

const shmBeatsStream: Rule = {
  name: 'shm is faster than stream',
  reason:
    'Shared memory saves copies through the kernel; where it is slower it is probably misconfigured (too few slots, ' +
    'for example). Below 0.50× is bad.',
  judge: (summary) =>
    judgeWorst({
      cells: summary.cells.filter((cell) => cell.path === 'shm'),
      measure: (cell) => {
        const stream = summary.cells.find(
          (other) => other.path === 'stream' && other.size === cell.size && other.concurrency === cell.concurrency
        )
        const ratio = stream === undefined ? null : rateRatio(cell.rates, stream.rates)
        return ratio === null ? null : { cell, value: ratio.median, figures: `${formatRatio(ratio.median)} of stream` }
      },
      worst: 'lowest',
      grade: (value) => (value >= 1 ? Verdict.GOOD : value >= 0.5 ? Verdict.WARNING : Verdict.BAD),
      otherwise: 'No shm cell has a round together with stream.'
    })
}

/** p99 of a cell as a multiple of the reference's at the same load. */
function measureP99 (summary: RunSummary, cell: CellSummary): Candidate | null {
  const directNs = siblingOf(summary, cell, summary.reference)?.p99Ns ?? null
  if (cell.p99Ns === null || directNs === null || directNs === 0) return null
  const value = cell.p99Ns / directNs
  return {
    cell,
    value,
    figures: `p99 ${formatMs(cell.p99Ns)} ms, ${formatRatio(value)} of direct HTTP (${formatMs(directNs)} ms)`
  }
}

const P99_OTHERWISE = 'needs p99 of a tunnel and of direct HTTP at the same load, each from at least 1,000 samples.'

const lowLoadLatency: Rule = {
  name: 'p99 stays below 2× direct HTTP at 1 and 8 connections',
  reason:
    'Few connections build no queue, so p99 shows the path itself, and a tunnel about doubles its hops. Above 10× is ' +
    'bad: hops do not explain that.',
  judge: (summary) =>
    judgeWorst({
      cells: summary.cells.filter((cell) => isJudged(cell) && (cell.concurrency === 1 || cell.concurrency === 8)),
      measure: (cell) => measureP99(summary, cell),
      worst: 'highest',
      grade: (value) => (value < 2 ? Verdict.GOOD : value <= 10 ? Verdict.WARNING : Verdict.BAD),
      otherwise: `This ${P99_OTHERWISE} Concurrency 1 or 8 must be among those measured.`
    })
}

export const headOfLineBlocking: Rule = {
  name: 'p99 stays within 10× direct HTTP at every concurrency',
  reason:
    'A longer tail means that responses wait for others that have nothing to do with them (head-of-line blocking). ' +
    'Above 100× is bad: a stall, not a queue.',
  judge: (summary) =>
    judgeWorst({
      cells: summary.cells.filter(isJudged),
      measure: (cell) => measureP99(summary, cell),
      worst: 'highest',
      grade: (value) => (value <= 10 ? Verdict.GOOD : value <= 100 ? Verdict.WARNING : Verdict.BAD),
      otherwise: `This ${P99_OTHERWISE}`
    })
}

/** Throughput of an arm at its highest measured concurrency as a share of its own best at a lower one. */
function keptAtTop (
  summary: RunSummary,
  cell: CellSummary
): { kept: number; best: CellSummary; bestPerSec: number } | null {
  const measured = summary.cells.filter(
    (other) =>
      other.arm === cell.arm && other.size === cell.size && other.concurrency < cell.concurrency && other.rps !== null
  )
  const best = measured.reduce<CellSummary | undefined>(
    (a, b) => (a !== undefined && (a.rps?.median ?? 0) >= (b.rps?.median ?? 0) ? a : b),
    undefined
  )
  const bestPerSec = best?.rps?.median ?? 0
  return best === undefined || cell.rps === null || bestPerSec === 0
    ? null
    : { kept: cell.rps.median / bestPerSec, best, bestPerSec }
}

const COLLAPSE = 0.5

export const throughputCollapse: Rule = {
  name: 'RPS does not collapse at high concurrency',
  reason:
    'Below half of its own best at fewer connections, a tunnel suffers from contention or an exhausted pool, unless ' +
    'direct HTTP falls as far. Below a tenth is bad.',
  judge: (summary) => {
    const top = Math.max(...summary.cells.map((cell) => cell.concurrency))
    return judgeWorst({
      cells: summary.cells.filter((cell) => isJudged(cell) && cell.concurrency === top),
      measure: (cell) => {
        const direct = siblingOf(summary, cell, summary.reference)
        const [own, reference] = [keptAtTop(summary, cell), direct === undefined ? null : keptAtTop(summary, direct)]
        if (own === null || cell.rps === null || reference === null) return null
        const figures = `${formatRps(cell.rps.median)} RPS is ${formatRatio(own.kept)} of its best, ` +
          `${formatRps(own.bestPerSec)} RPS at ${describeConnections(own.best.concurrency)}; direct HTTP keeps ` +
          `${formatRatio(reference.kept)}`
        // A machine that is out of breath itself says nothing about the tunnel: such a cell counts as keeping up.
        return { cell, value: reference.kept < COLLAPSE ? Math.max(own.kept, COLLAPSE) : own.kept, figures }
      },
      worst: 'lowest',
      grade: (value) => (value >= COLLAPSE ? Verdict.GOOD : value >= 0.1 ? Verdict.WARNING : Verdict.BAD),
      otherwise: 'This needs a tunnel and direct HTTP, both at the highest concurrency and at a lower one.'
    })
  }
}

export const RULES: readonly Rule[] = [
  throughputRule('stream', 0.7, 'stream loses at most 30 % of RPS',
    'A Unix socket adds two local hops, which should cost 10 % to 30 %.'),
  throughputRule('shm', 0.85, 'shm loses at most 15 % of RPS',
    'Shared memory adds hand-overs but no copies through the kernel, which should cost 5 % to 15 %.'),
  shmBeatsStream,
  lowLoadLatency,
  throughputCollapse,
  headOfLineBlocking
]
