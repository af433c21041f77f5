import { formatCount, formatRps } from '../base/units.js'
import type { CellSummary, RunSummary } from './run-summary.js'
import { SAMPLES_NEEDED } from './statistics.js'
import { describeCell, describeErrors, listWords, oneLine } from './words.js'

/** The fastest round over the slowest, from which on a median hides something. */
const WIDE_SPREAD = 1.5

/** What a reader must know before trusting a figure, one sentence or two each, plain text. Empty when there is nothing. */
export function warningsOf (summary: RunSummary): string[] {
  return [...runWarnings(summary), ...summary.cells.flatMap(cell => cellWarnings(cell)), ...withheldWarnings(summary)]
}

function runWarnings ({ result, reference, cells }: RunSummary): string[] {
  const { options, server, program, machine } = result.metadata
  const warnings: string[] = []
  const unmeasured = cells.filter(cell => cell.state === 'missing').length
  if (result.finishedAt === null) warnings.push('The run did not finish: these are the figures it had until then.')
  if (unmeasured > 0) warnings.push(`${unmeasured} of ${cells.length} cells were not measured.`)
  if (options.quick) warnings.push('This was a quick run: it shows that everything works, and its figures are rough.')
  if (options.rounds === 1) warnings.push('There was one round only, so nothing shows how far figures differ by chance.')
  if (reference === null) warnings.push('There was no baseline arm, so nothing can be said about the cost of a tunnel.')
  if (server === 'node' && options.server === 'auto') {
    warnings.push('The origin was the node:http server, since uWebSockets.js could not be loaded. It is slower, so the tunnel looks cheaper than in front of a fast origin.')
  } else if (server !== options.server && options.server !== 'auto') {
    warnings.push(`The origin was ${server}, not ${options.server} as asked for.`)
  }
  if (options.generator !== undefined && options.generator !== 'own') warnings.push(`The load was sent by ${options.generator} and not by this program: bodies were not verified, and what ${options.generator} does not tell is missing.`)
  if (program.dirty === true) warnings.push('The program was built from files that differ from its commit, so the commit does not tell what ran.')
  if (machine.cpus < 4) {
    warnings.push(`The machine has ${formatCount(machine.cpus)} ${machine.cpus === 1 ? 'CPU' : 'CPUs'}: generator, host, plugin and origin compete for them, so a tunnel costs more here than where each has its own.`)
  }
  return warnings
}

function cellWarnings (cell: CellSummary): string[] {
  const name = describeCell(cell)
  const warnings: string[] = []
  const failures = cell.failures.length === 0 ? '' : ` (${cell.failures.map(oneLine).join('; ')})`
  if (cell.state === 'failed') warnings.push(`${name}: failed${failures}.`)
  if (cell.state === 'partial') warnings.push(`${name}: rounds are missing${failures}.`)
  if (cell.errors > 0) {
    const first = cell.problems[0] === undefined ? '' : ` First problem: ${oneLine(cell.problems[0])}`
    warnings.push(`${name}: ${formatCount(cell.errors)} of ${formatCount(cell.counts.sent)} requests failed (${describeErrors(cell.counts)}).${first}`)
  } else if (cell.problems[0] !== undefined) {
    warnings.push(`${name}: ${oneLine(cell.problems[0])}`)
  }
  const missed = cell.tunnel?.directions.reduce((sum, { doorbellsMissed }) => sum + doorbellsMissed, 0) ?? 0
  if (missed > 0) warnings.push(`${name}: ${formatCount(missed)} ${missed === 1 ? 'doorbell was' : 'doorbells were'} missed: a side slept although something lay unread. This is a bug of the tunnel, and its latencies hold the delay.`)
  if (cell.rps !== null && cell.rps.median === 0) warnings.push(`${name}: no response was right.`)
  if (cell.rps !== null && cell.rps.max > WIDE_SPREAD * cell.rps.min) {
    warnings.push(`${name}: the rounds differ widely, from ${formatRps(cell.rps.min)} to ${formatRps(cell.rps.max)} RPS: something else may have used the machine.`)
  }
  return warnings
}

/** One warning per percentile, however many cells: with a short run it is nearly all of them. */
function withheldWarnings ({ cells }: RunSummary): string[] {
  const measured = cells.filter(cell => cell.rps !== null)
  return ([['p90', 90], ['p99', 99]] as const).flatMap(([label, percentile]) => {
    const needed = SAMPLES_NEEDED.get(percentile) ?? 0
    const withheld = measured.filter(cell => cell.latencySamples < needed)
    if (withheld.length === 0) return []
    const named = withheld.slice(0, 3).map(cell => `${describeCell(cell)} (${formatCount(cell.latencySamples)})`)
    const others = withheld.length > 3 ? `${named.join('; ')}; and ${withheld.length - 3} more` : listWords(named)
    return [`${label} is withheld where there were fewer than ${formatCount(needed)} responses: ${others}. A longer run would tell.`]
  })
}
