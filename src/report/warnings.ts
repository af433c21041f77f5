import { isDeepStrictEqual } from 'node:util'
import { formatCount, formatRps } from '../base/units.js'
import type { Finding } from './result.js'
import type { CellSummary, RunFigures } from './run-summary.js'
import { SAMPLES_NEEDED } from './statistics.js'
import { COUNT_CURE } from './system-calls.js'
import { describeCell, listWords, oneLine } from './words.js'

/** The fastest round over the slowest, from which on a median hides something. */
const WIDE_SPREAD = 1.5

/** With fewer, generator, host, plugin and origin share them. */
const CPUS_NEEDED = 4

/** What a reader must know before trusting a figure, though the figure says what it says. Empty when there is nothing. */
export function warningFindings (figures: RunFigures): Finding[] {
  return [...runWarnings(figures), ...figures.cells.flatMap(cell => cellWarnings(cell)), ...withheldWarnings(figures)]
}

type Note = Pick<Finding, 'code' | 'message' | 'cure'> & Partial<Pick<Finding, 'figure' | 'threshold' | 'unit'>>

function warning ({ figure = null, threshold = null, unit = null, ...note }: Note, cell: CellSummary | null = null): Finding {
  return { severity: 'warning', arm: cell?.arm ?? null, size: cell?.size ?? null, concurrency: cell?.concurrency ?? null, round: null, figure, threshold, unit, ...note }
}

function runWarnings (figures: RunFigures): Finding[] {
  const { result, reference, cells } = figures
  const { options, program, machine } = result.metadata
  const notes: Note[] = []
  const unmeasured = cells.filter(cell => cell.state === 'missing').length
  if (result.finishedAt === null) notes.push({ code: 'RUN_UNFINISHED', message: 'The run did not finish: these are the figures it had until then.', cure: 'Let it run to its end.' })
  if (unmeasured > 0) notes.push({ code: 'CELLS_MISSING', figure: unmeasured, threshold: 0, unit: 'cells', message: `${unmeasured} of ${cells.length} cells were not measured.`, cure: 'Let it run to its end.' })
  if (options.quick) notes.push({ code: 'QUICK_RUN', message: 'This was a quick run: it shows that everything works, and its figures are rough.', cure: 'Run without --quick.' })
  if (options.rounds === 1) notes.push({ code: 'ONE_ROUND', figure: 1, threshold: 2, unit: 'rounds', message: 'There was one round only, so nothing shows how far figures differ by chance.', cure: 'Use more --rounds.' })
  if (reference === null) notes.push({ code: 'NO_BASELINE', message: 'There was no baseline arm, so nothing can be said about the cost of a tunnel.', cure: 'Add baseline to --arms.' })
  notes.push(...originNotes(figures), ...systemCallNotes(figures))
  if (options.generator !== undefined && options.generator !== 'own') {
    notes.push({ code: 'EXTERNAL_GENERATOR', message: `The load was sent by ${options.generator} and not by this program: bodies were not verified, and what ${options.generator} does not tell is missing.`, cure: 'Use it to check the own generator, and take figures from --generator=own.' })
  }
  if (program.dirty === true) notes.push({ code: 'PROGRAM_CHANGED', message: 'The program was built from files that differ from its commit, so the commit does not tell what ran.', cure: 'Commit, build, and measure again.' })
  if (machine.cpus < CPUS_NEEDED) {
    notes.push({
      code: 'FEW_CPUS',
      figure: machine.cpus,
      threshold: CPUS_NEEDED,
      unit: 'CPUs',
      message: `The machine has ${formatCount(machine.cpus)} ${machine.cpus === 1 ? 'CPU' : 'CPUs'}: generator, host, plugin and origin compete for them, so a tunnel costs more here than where each has its own.`,
      cure: 'Compare CPU per response across machines, and RPS only within one.'
    })
  }
  return [...notes, ...inputNotes(figures)].map(note => warning(note))
}

/** Of a run that is over: until then they are still to come. */
function systemCallNotes ({ result, cells }: RunFigures): Note[] {
  if (result.metadata.options.countSystemCalls !== true || result.finishedAt === null) return []
  const measured = cells.filter(cell => cell.rps !== null)
  const uncounted = measured.filter(cell => cell.systemCalls === null).length
  return uncounted === 0 ? [] : [{ code: 'SYSCALLS_NOT_COUNTED', figure: uncounted, threshold: 0, unit: 'cells', message: `System calls were not counted in ${uncounted} of ${measured.length} cells.`, cure: `To have them, ${COUNT_CURE}.` }]
}

function originNotes ({ result }: RunFigures): Note[] {
  const { options, server } = result.metadata
  if (server === 'node' && options.server === 'auto') {
    return [{ code: 'ORIGIN_FELL_BACK', message: 'The origin was the node:http server, since uWebSockets.js could not be loaded. It is slower, so the tunnel looks cheaper than in front of a fast origin.', cure: 'Install uWebSockets.js.' }]
  }
  return server === options.server || options.server === 'auto'
    ? []
    : [{ code: 'ORIGIN_DIFFERS', message: `The origin was ${server}, not ${options.server} as asked for.`, cure: 'Ask for the one that works here.' }]
}

/** Of a merged result: rounds of several machines or programs are rounds of the same thing only as far as these are alike. */
function inputNotes ({ result }: RunFigures): Note[] {
  const [first, ...others] = (result.inputs ?? []).map(({ metadata: { machine, program, versions } }) => ({ machine, program: [program.version, program.commit, versions] }))
  const differs = (part: 'machine' | 'program'): boolean => others.some(other => !isDeepStrictEqual(other[part], first?.[part]))
  const hadEqualLoad = (result.inputs ?? []).some(({ metadata }) => (metadata.options.equalLoad ?? 0) > 0)
  return [
    ...(hadEqualLoad ? [{ code: 'EQUAL_LOAD_LEFT_OUT', message: 'The merged runs were measured at equal load, too, each at rates of its own: that is not in the merged result.', cure: 'See the reports of the runs.' }] : []),
    ...(differs('machine') ? [{ code: 'MACHINES_DIFFER', message: 'The merged runs are of different machines: RPS and latency are a mixture of them; ratios are taken within one.', cure: 'Trust the ratios only, or report each machine by itself.' }] : []),
    ...(differs('program') ? [{ code: 'PROGRAMS_DIFFER', message: 'The merged runs are of different versions of the program or of what it runs on.', cure: 'Merge runs of one version.' }] : [])
  ]
}

function cellWarnings (cell: CellSummary): Finding[] {
  const name = describeCell(cell)
  const notes: Note[] = []
  if (cell.state === 'partial' && cell.failures.length === 0) notes.push({ code: 'ROUNDS_MISSING', figure: cell.rates.length, threshold: cell.plannedRounds, unit: 'rounds', message: `${name}: rounds are missing.`, cure: 'Let it run to its end.' })
  if (cell.errors === 0 && cell.problems[0] !== undefined) notes.push({ code: 'PROBLEM', message: `${name}: ${oneLine(cell.problems[0])}`, cure: 'It cost no request of the window.' })
  const missed = cell.tunnel?.directions.reduce((sum, { doorbellsMissed }) => sum + doorbellsMissed, 0) ?? 0
  if (missed > 0) {
    notes.push({ code: 'DOORBELLS_MISSED', figure: missed, threshold: 0, unit: 'doorbells', message: `${name}: ${formatCount(missed)} ${missed === 1 ? 'doorbell was' : 'doorbells were'} missed: a side slept although something lay unread. This is a bug of the tunnel, and its latencies hold the delay.`, cure: 'Report it with result.json.' })
  }
  if (cell.rps !== null && cell.rps.max > WIDE_SPREAD * cell.rps.min) {
    notes.push({
      code: 'ROUNDS_DIFFER',
      figure: cell.rps.min === 0 ? cell.rps.max : cell.rps.max / cell.rps.min,
      threshold: WIDE_SPREAD,
      unit: 'fastest ÷ slowest round',
      message: `${name}: the rounds differ widely, from ${formatRps(cell.rps.min)} to ${formatRps(cell.rps.max)} RPS: something else may have used the machine.`,
      cure: 'Use more --rounds, or a quieter machine.'
    })
  }
  return notes.map(note => warning(note, cell))
}

/** One warning per percentile, however many cells: with a short run it is nearly all of them. */
function withheldWarnings ({ cells }: RunFigures): Finding[] {
  const measured = cells.filter(cell => cell.rps !== null)
  return ([['p90', 90], ['p99', 99]] as const).flatMap(([label, percentile]) => {
    const needed = SAMPLES_NEEDED.get(percentile) ?? 0
    const withheld = measured.filter(cell => cell.latencySamples < needed)
    if (withheld.length === 0) return []
    const named = withheld.slice(0, 3).map(cell => `${describeCell(cell)} (${formatCount(cell.latencySamples)})`)
    const others = withheld.length > 3 ? `${named.join('; ')}; and ${withheld.length - 3} more` : listWords(named)
    return [warning({
      code: 'PERCENTILE_WITHHELD',
      figure: Math.min(...withheld.map(cell => cell.latencySamples)),
      threshold: needed,
      unit: 'responses',
      message: `${label} is withheld where there were fewer than ${formatCount(needed)} responses: ${others}.`,
      cure: 'Measure for longer (--duration).'
    })]
  })
}
