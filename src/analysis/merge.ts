import { isDeepStrictEqual } from 'node:util'
import { ErrorCode, TunnelError } from '../base/errors.js'
import type { CellResult, RunInput, RunMetadata, RunOptions, RunResult } from '../result/run-result.js'
import { oneLine } from '../base/text.js'

/** A result with the name under which messages speak of it. */
export interface NamedResult {
  readonly name: string
  readonly result: RunResult
}

/**
 * Options that may differ: what was measured how often and in what order, and what was asked for where it is recorded
 * what ran.
 */
const MAY_DIFFER: ReadonlySet<string> = new Set<keyof RunOptions>([
  'arms',
  'sizes',
  'concurrency',
  'rounds',
  'seed',
  'quick',
  'server',
  'engine',
  'equalLoad',
  'arrivals',
  'countSystemCalls'
])

/**
 * One result out of several of the same measurement, from one machine or from many. Cells are matched by arm, size and
 * concurrency; their rounds are put one run after the other and numbered on, so that ratios still compare arms of one
 * round, and every report adds up their counts and histograms. Rounds at equal load are left out: each run had a rate
 * of its own, and nothing adds up over several. `inputs` keeps the metadata of each run. Throws ERR_TUNNEL_USAGE for
 * fewer than two, ERR_TUNNEL_RESULT_INVALID with the reason for what cannot be added.
 */
export function mergeRuns (runs: readonly NamedResult[]): RunResult {
  const [first, ...others] = runs
  if (first === undefined || others.length === 0) {
    throw new TunnelError(ErrorCode.USAGE, 'Cannot merge: it takes two results or more: name another folder')
  }
  for (const other of others) checkComparable(first, other)
  const inputs = runs.flatMap(({ name, result }) => inputsOf(result).map(input => ({ name, input })))
  checkNoRunTwice(inputs)

  const cells: CellResult[] = []
  let roundsBefore = 0
  for (const { name, result } of runs) {
    for (const cell of result.cells) addCell(cells, cell, roundsBefore, name)
    roundsBefore += result.metadata.options.rounds
  }
  const all = runs.map(({ result }) => result)
  const options = mergeOptions(all.map(({ metadata }) => metadata.options), roundsBefore)
  return {
    schemaVersion: 1,
    startedAt: all.map(({ startedAt }) => startedAt).reduce((a, b) => (Date.parse(b) < Date.parse(a) ? b : a)),
    finishedAt: all
      .map(({ finishedAt }) => finishedAt)
      .reduce((a, b) => (a === null || b === null ? null : Date.parse(b) > Date.parse(a) ? b : a)),
    metadata: { ...first.result.metadata, options },
    inputs: inputs.map(({ input }) => input),
    cells: inOrder(cells, options)
  }
}

function inputsOf ({ inputs, startedAt, finishedAt, metadata }: RunResult): readonly RunInput[] {
  return inputs ?? [{ startedAt, finishedAt, metadata }]
}

function refuse (first: string, second: string, reason: string): TunnelError {
  return new TunnelError(ErrorCode.RESULT_INVALID, oneLine(`Cannot merge ${first} and ${second}: ${reason}`))
}

/** Counts and histograms add up to something only where the same thing was measured. */
function checkComparable (first: NamedResult, other: NamedResult): void {
  const [a, b] = [comparedValues(first.result.metadata), comparedValues(other.result.metadata)]
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    if (isDeepStrictEqual(a.get(name), b.get(name))) continue
    throw refuse(
      first.name,
      other.name,
      `${name} must be the same: it is ${JSON.stringify(a.get(name) ?? null)} and ` +
      `${JSON.stringify(b.get(name) ?? null)}: merge runs with the same options`
    )
  }
}

function comparedValues ({ engine, server, options }: RunMetadata): Map<string, unknown> {
  return new Map<string, unknown>([
    ['engine', engine],
    ['server', server],
    ...Object.entries({ ...options, generator: options.generator ?? 'own' }).filter(([name]) => !MAY_DIFFER.has(name))
  ])
}

/** A run that is counted twice would look twice as certain. */
function checkNoRunTwice (inputs: ReadonlyArray<{ readonly name: string, readonly input: RunInput }>): void {
  for (const [at, { name, input }] of inputs.entries()) {
    const twin = inputs
      .slice(0, at)
      .find(
        (other) => other.input.startedAt === input.startedAt && isDeepStrictEqual(other.input.metadata, input.metadata)
      )
    if (twin !== undefined) throw refuse(twin.name, name, `the run of ${input.startedAt} is in both: name it once`)
  }
}

function addCell (cells: CellResult[], { equalLoad, ...cell }: CellResult, roundsBefore: number, name: string): void {
  const rounds = cell.rounds.map(round => ({ ...round, round: round.round + roundsBefore }))
  const failures = cell.failures.map(failure => `${name}: ${failure}`)
  const at = cells.findIndex(
    (other) => other.arm === cell.arm && other.size === cell.size && other.concurrency === cell.concurrency
  )
  const found = cells[at]
  if (found === undefined) {
    cells.push({ ...cell, rounds, failures })
    return
  }
  for (const property of ['path', 'transport', 'bodyBytes'] as const) {
    if (found[property] === cell[property]) continue
    throw refuse(
      'the results',
      name,
      `${property} of ${cell.arm}, ${cell.size}, concurrency ${cell.concurrency} must be the same: it is ` +
      `${found[property]} and ${cell[property]}`
    )
  }
  const systemCalls = found.systemCalls ?? cell.systemCalls // strace counts: one run's are as good as the other's
  cells[at] = {
    ...found,
    ...(systemCalls === undefined ? {} : { systemCalls }),
    rounds: [...found.rounds, ...rounds],
    failures: [...found.failures, ...failures]
  }
}

function mergeOptions (all: readonly RunOptions[], rounds: number): RunOptions {
  const union = <T>(pick: (options: RunOptions) => readonly T[]): T[] => [...new Set(all.flatMap(pick))]
  return {
    ...all[0]!,
    arms: union(({ arms }) => arms),
    sizes: union(({ sizes }) => sizes),
    concurrency: union(({ concurrency }) => concurrency),
    rounds,
    equalLoad: 0,
    quick: all.some(({ quick }) => quick),
    ...(all.some(({ countSystemCalls }) => countSystemCalls) ? { countSystemCalls: true } : {})
  }
}

function inOrder (cells: readonly CellResult[], { sizes, concurrency, arms }: RunOptions): CellResult[] {
  const rankOf = (cell: CellResult): number =>
    (sizes.indexOf(cell.size) * concurrency.length + concurrency.indexOf(cell.concurrency)) * arms.length +
    arms.indexOf(cell.arm)
  return [...cells].sort((a, b) => rankOf(a) - rankOf(b))
}
