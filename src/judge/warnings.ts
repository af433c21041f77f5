import { isDeepStrictEqual } from 'node:util'
import { formatCount, formatRps } from '../base/units.js'
import {
  designNotes,
  machineNotes,
  type Note,
  originNotes,
  unfinishedNotes,
  warning,
  withheldWarnings
} from './context-notes.js'
import type { Finding } from '../result/run-result.js'
import type { CellSummary, RunFigures } from '../analysis/run-figures.js'
import { COUNT_CURE } from '../analysis/system-calls.js'
import { oneLine } from '../base/text.js'
import { describeCell } from '../analysis/phrases.js'

/** The fastest round over the slowest, from which on a median hides something. */
const WIDE_SPREAD = 1.5

/**
 * What a reader must know before trusting a figure, though the figure says what it says. Empty when there is nothing.
 */
export function warningFindings (figures: RunFigures): Finding[] {
  return [
    ...runWarnings(figures),
    ...figures.cells.flatMap((cell) => cellWarnings(cell)),
    ...withheldWarnings(measuredCells(figures))
  ]
}

function runWarnings (figures: RunFigures): Finding[] {
  const { result, reference, cells } = figures
  const { metadata } = result
  const { options } = metadata
  const unmeasured = cells.filter(cell => cell.state === 'missing').length
  return [
    ...unfinishedNotes(result, 'run'),
    ...(unmeasured === 0
      ? []
      : [
          {
            code: 'CELLS_MISSING',
            figure: unmeasured,
            threshold: 0,
            unit: 'cells',
            message: `${unmeasured} of ${cells.length} cells were not measured.`,
            cure: 'Let it run to its end.'
          }
        ]),
    ...(options.quick
      ? [
          {
            code: 'QUICK_RUN',
            message: 'This was a quick run: it shows that everything works, and its figures are rough.',
            cure: 'Run without --quick.'
          }
        ]
      : []),
    ...designNotes(options.rounds, reference !== null),
    ...originNotes(metadata),
    ...systemCallNotes(figures),
    ...(options.generator === undefined || options.generator === 'own'
      ? []
      : [
          {
            code: 'EXTERNAL_GENERATOR',
            message: `The load was sent by ${options.generator} and not by this program: bodies were not verified, ` +
              `and what ${options.generator} does not tell is missing.`,
            cure: 'Use it to check the own generator, and take figures from --generator=own.'
          }
        ]),
    ...machineNotes(metadata),
    ...inputNotes(figures)
  ].map((note) => warning(note))
}

function measuredCells ({ cells }: RunFigures): Array<{ name: string, samples: number }> {
  return cells
    .filter((cell) => cell.rps !== null)
    .map((cell) => ({ name: describeCell(cell), samples: cell.latencySamples }))
}

/** Of a run that is over: until then they are still to come. */
function systemCallNotes ({ result, cells }: RunFigures): Note[] {
  if (result.metadata.options.countSystemCalls !== true || result.finishedAt === null) return []
  const measured = cells.filter(cell => cell.rps !== null)
  const uncounted = measured.filter(cell => cell.systemCalls === null).length
  return uncounted === 0
    ? []
    : [
        {
          code: 'SYSCALLS_NOT_COUNTED',
          figure: uncounted,
          threshold: 0,
          unit: 'cells',
          message: `System calls were not counted in ${uncounted} of ${measured.length} cells.`,
          cure: `To have them, ${COUNT_CURE}.`
        }
      ]
}

/**
 * Of a merged result: rounds of several machines or programs are rounds of the same thing only as far as these are
 * alike.
 */
function inputNotes ({ result }: RunFigures): Note[] {
  const [first, ...others] = (result.inputs ?? []).map(({ metadata: { machine, program, versions } }) => ({
    machine,
    program: [program.version, program.commit, versions]
  }))
  const differs = (part: 'machine' | 'program'): boolean =>
    others.some((other) => !isDeepStrictEqual(other[part], first?.[part]))
  const hadEqualLoad = (result.inputs ?? []).some(({ metadata }) => (metadata.options.equalLoad ?? 0) > 0)
  return [
    ...(hadEqualLoad
      ? [
          {
            code: 'EQUAL_LOAD_LEFT_OUT',
            message:
              'The merged runs were measured at equal load, too, each at rates of its own: that is not in the merged ' +
              'result.',
            cure: 'See the reports of the runs.'
          }
        ]
      : []),
    ...(differs('machine')
      ? [
          {
            code: 'MACHINES_DIFFER',
            message:
              'The merged runs are of different machines: RPS and latency are a mixture of them; ratios are taken ' +
              'within one.',
            cure: 'Trust the ratios only, or report each machine by itself.'
          }
        ]
      : []),
    ...(differs('program')
      ? [
          {
            code: 'PROGRAMS_DIFFER',
            message: 'The merged runs are of different versions of the program or of what it runs on.',
            cure: 'Merge runs of one version.'
          }
        ]
      : [])
  ]
}

function cellWarnings (cell: CellSummary): Finding[] {
  const name = describeCell(cell)
  const notes: Note[] = []
  if (cell.state === 'partial' && cell.failures.length === 0) {
    notes.push({
      code: 'ROUNDS_MISSING',
      figure: cell.rates.length,
      threshold: cell.plannedRounds,
      unit: 'rounds',
      message: `${name}: rounds are missing.`,
      cure: 'Let it run to its end.'
    })
  }
  if (cell.errors === 0 && cell.problems[0] !== undefined) {
    notes.push({
      code: 'PROBLEM',
      message: `${name}: ${oneLine(cell.problems[0])}`,
      cure: 'It cost no request of the window.'
    })
  }
  const missed = cell.tunnel?.directions.reduce((sum, { doorbellsMissed }) => sum + doorbellsMissed, 0) ?? 0
  if (missed > 0) {
    notes.push({
      code: 'DOORBELLS_MISSED',
      figure: missed,
      threshold: 0,
      unit: 'doorbells',
      message: `${name}: ${formatCount(missed)} ${missed === 1 ? 'doorbell was' : 'doorbells were'} missed: a side ` +
        'slept although something lay unread. This is a bug of the tunnel, and its latencies hold the delay.',
      cure: 'Report it with result.json.'
    })
  }
  if (cell.rps !== null && cell.rps.max > WIDE_SPREAD * cell.rps.min) {
    notes.push({
      code: 'ROUNDS_DIFFER',
      figure: cell.rps.min === 0 ? cell.rps.max : cell.rps.max / cell.rps.min,
      threshold: WIDE_SPREAD,
      unit: 'fastest ÷ slowest round',
      message: `${name}: the rounds differ widely, from ${formatRps(cell.rps.min)} to ${formatRps(cell.rps.max)} ` +
        'RPS: something else may have used the machine.',
      cure: 'Use more --rounds, or a quieter machine.'
    })
  }
  return notes.map(note => warning(note, cell))
}
