import { ACHIEVED_MIN, addedNs as addedAt, responseOf } from './equal-load.js'
import type { RoundResult } from '../result/run-result.js'
import type { CellSummary } from './run-figures.js'
import type { RunFigures } from './run-figures.js'
import { type CpuPerResponse, mergeHistograms, percentileOrNull, spreadOf, type Spread } from './statistics.js'
import { callsPerResponse } from './system-calls.js'

/**
 * Splits what an arm costs against direct HTTP into steps, each the difference between two neighbouring rungs of the
 * ladder. Differences are taken within a round and only then summarized, as ratios are, and only over rounds that every
 * rung of the bill has.
 */
export interface Bill {
  readonly arm: string
  readonly transport: string
  readonly size: string
  readonly concurrency: number
  /**
   * Requests per second of the open loops that its times are of, where all its rungs were measured so and kept up;
   * null: of the closed loops.
   */
  readonly ratePerSec: number | null
  /** From direct HTTP upwards; the last one ends at the arm itself. */
  readonly steps: readonly Step[]
  /** Added p50 of the arm over direct HTTP, in ns. */
  readonly wholeNs: Spread
  /** What the medians of the steps leave of the median of the whole, in ns. */
  readonly restNs: number
  /** The largest noise of the steps and the whole; null with one round, which cannot tell. */
  readonly noiseNs: number | null
}

export interface Step {
  readonly arm: string
  /** The rung below. */
  readonly over: string
  /** What the arm has more than the rung below, in words. */
  readonly adds: string
  /** Added p50 in ns; below zero: a saving. */
  readonly addedNs: Spread
  /** Added p99 at equal load, in ns; null in a closed loop, and where there are too few responses. */
  readonly addedP99Ns: Spread | null
  /** Of the whole; null where the whole is not above zero. */
  readonly share: number | null
  /** Added CPU time per response; null where one of the two arms cannot tell. Of the closed loops. */
  readonly cpu: Readonly<Record<CpuGroup, CpuPerResponse | null>>
  /** The same by role, which add up to it: a role that only the rung below has is saved. */
  readonly cpuByRole: ReadonlyMap<string, CpuPerResponse | null>
  /** Added system calls per response; null where they were not counted. */
  readonly addedCalls: number | null
}

/** The generator, everything between it and the origin, and the origin. */
export const CPU_GROUPS = ['load', 'between', 'origin'] as const
export type CpuGroup = typeof CPU_GROUPS[number]

/** Each rung with the one that it is a step above. */
const RUNGS: ReadonlyMap<string, { readonly over: string, readonly adds: string }> = new Map([
  ['uds', { over: 'baseline', adds: 'Unix socket instead of TCP' }],
  ['relay', { over: 'baseline', adds: 'second hop: one relay' }],
  ['relay2', { over: 'relay', adds: 'second relay, Unix socket between them' }],
  ['stream', { over: 'relay2', adds: 'frames, channels, credit' }],
  ['shm', { over: 'relay2', adds: 'frames, channels, credit over shared memory' }],
  ...['stream', 'shm'].flatMap(over => [
    [`${over}-uds`, { over, adds: 'Unix socket to the origin' }],
    [`${over}-embedded`, { over, adds: 'origin inside the plugin' }]
  ] as const)
])

/** Arms that a run has without a ladder. With these alone a bill has one step, which the other tables show. */
const WITHOUT_LADDER = new Set(['baseline', 'stream', 'shm'])

/**
 * The bill of every arm on the ladder, in the order of the cells; empty for a run without a ladder, or without direct
 * HTTP.
 */
export function billsOf (summary: RunFigures): readonly Bill[] {
  let bills = billsOfSummaries.get(summary)
  if (bills === undefined) {
    bills = findBills(summary)
    billsOfSummaries.set(summary, bills)
  }
  return bills
}

/** Table, sentences and plot ask for the same. */
const billsOfSummaries = new WeakMap<RunFigures, readonly Bill[]>()

function findBills (summary: RunFigures): Bill[] {
  const { reference } = summary
  if (reference === null || !summary.cells.some(cell => isRung(cell) && !WITHOUT_LADDER.has(cell.arm))) return []
  return summary.cells.filter(isRung).flatMap(cell => billOf(summary, cell, reference) ?? [])
}

function isRung (cell: CellSummary): boolean {
  return RUNGS.has(cell.arm) || cell.transport === 'external'
}

/** null where no round has all rungs. */
function billOf (summary: RunFigures, cell: CellSummary, reference: string): Bill | null {
  const at = new Map(
    summary.cells
      .filter((one) => one.size === cell.size && one.concurrency === cell.concurrency)
      .map((one) => [one.arm, one])
  )
  const path = pathTo(cell.arm, at, reference)
  const equal = roundsOf(summary, cell, path, true)
  const isEqualLoad = path.every(arm => keptUp(at.get(arm)!)) && commonRounds(equal, path).length > 0
  const measured = isEqualLoad ? equal : roundsOf(summary, cell, path, false)
  const rounds = commonRounds(measured, path)
  const p50Ns = new Map(path.map(arm => [arm, p50ByRound(measured.get(arm)!)]))
  const added = (arm: string, over: string): Spread | null =>
    spreadOf(rounds.map((round) => p50Ns.get(arm)!.get(round)! - p50Ns.get(over)!.get(round)!))
  const wholeNs = added(cell.arm, reference)
  if (wholeNs === null) return null
  const steps = path.slice(1).map((arm, below): Step => {
    const over = path[below]!
    const addedNs = added(arm, over)!
    return {
      arm,
      over,
      adds: RUNGS.get(arm)?.adds ?? 'all that it does',
      addedNs,
      addedP99Ns: isEqualLoad
        ? addedAt(onlyOf(measured.get(arm)!, rounds), onlyOf(measured.get(over)!, rounds), 99)
        : null,
      share: wholeNs.median > 0 ? addedNs.median / wholeNs.median : null,
      ...addedCpu(at.get(arm)!, at.get(over)!),
      addedCalls: addedCalls(at.get(arm)!, at.get(over)!)
    }
  })
  const restNs = steps.reduce((rest, { addedNs }) => rest - addedNs.median, wholeNs.median)
  const noiseNs = rounds.length < 2 ? null : Math.max(noiseOf(wholeNs), ...steps.map(({ addedNs }) => noiseOf(addedNs)))
  return {
    arm: cell.arm,
    transport: cell.transport,
    size: cell.size,
    concurrency: cell.concurrency,
    ratePerSec: isEqualLoad ? cell.equalLoad!.ratePerSec : null,
    steps,
    wholeNs,
    restNs,
    noiseNs
  }
}

/**
 * An arm beyond what it can bear has response times that grow with the length of the measurement: these are no property
 * of it.
 */
function keptUp ({ equalLoad }: CellSummary): boolean {
  const achieved = equalLoad?.achieved ?? null
  return achieved !== null && achieved >= ACHIEVED_MIN
}

/** Half the range of the in-round differences: so far may one round have been from the middle. */
export function noiseOf ({ min, max }: Spread): number {
  return (max - min) / 2
}

/** The steps add up to the whole within noise; null where one round cannot tell. */
export function addsUp ({ restNs, noiseNs }: Bill): boolean | null {
  return noiseNs === null ? null : Math.abs(restNs) <= noiseNs
}

/** From direct HTTP to the arm. A rung that was not measured is left out: the step above it then holds its part. */
function pathTo (arm: string, measured: ReadonlyMap<string, CellSummary>, reference: string): string[] {
  const path = [arm]
  for (let over = RUNGS.get(arm)?.over; over !== undefined && over !== reference; over = RUNGS.get(over)?.over) {
    if (measured.get(over)?.rps != null) path.unshift(over)
  }
  return [reference, ...path]
}

/** A summary is written after every measurement: what a round's histogram says is looked up in it once. */
const p50OfRounds = new WeakMap<RoundResult, number | null>()

function p50OfRound (round: RoundResult): number | null {
  let p50Ns = p50OfRounds.get(round)
  if (p50Ns === undefined) {
    p50Ns = percentileOrNull(mergeHistograms([responseOf(round)]), 50)
    p50OfRounds.set(round, p50Ns)
  }
  return p50Ns
}

/** Of each arm, the rounds at equal load or those of the closed loop that say anything. */
function roundsOf (
  { result }: RunFigures,
  { size, concurrency }: CellSummary,
  arms: readonly string[],
  isEqualLoad: boolean
): ReadonlyMap<string, readonly RoundResult[]> {
  return new Map(
    arms.map((arm) => {
      const cell = result.cells.find((one) => one.arm === arm && one.size === size && one.concurrency === concurrency)
      return [
        arm,
        ((isEqualLoad ? cell?.equalLoad?.rounds : cell?.rounds) ?? []).filter((round) => p50OfRound(round) !== null)
      ]
    })
  )
}

function commonRounds (measured: ReadonlyMap<string, readonly RoundResult[]>, arms: readonly string[]): number[] {
  const [first = [], ...others] = arms.map(arm => measured.get(arm)!.map(({ round }) => round))
  return first.filter(round => others.every(other => other.includes(round)))
}

function onlyOf (rounds: readonly RoundResult[], numbers: readonly number[]): RoundResult[] {
  return rounds.filter(({ round }) => numbers.includes(round))
}

function p50ByRound (rounds: readonly RoundResult[]): ReadonlyMap<number, number> {
  return new Map(rounds.map(round => [round.round, p50OfRound(round)!]))
}

const NO_CPU: CpuPerResponse = { userUs: 0, systemUs: 0 }

function addedCpu (arm: CellSummary, over: CellSummary): Pick<Step, 'cpu' | 'cpuByRole'> {
  const cpuByRole = new Map<string, CpuPerResponse | null>()
  for (const role of [...arm.cpu.keys(), ...over.cpu.keys()]) {
    // A role that the arm does not have uses nothing; null is one that cannot tell.
    const [more, less] = [arm.cpu, over.cpu].map(cpu => cpu.has(role) ? cpu.get(role)! : NO_CPU)
    cpuByRole.set(
      role,
      more == null || less == null
        ? null
        : { userUs: more.userUs - less.userUs, systemUs: more.systemUs - less.systemUs }
    )
  }
  const sumOf = (group: CpuGroup): CpuPerResponse | null => {
    const sum = { ...NO_CPU }
    for (const [role, added] of cpuByRole) {
      if ((role === 'load' || role === 'origin' ? role : 'between') !== group) continue
      if (added === null) return null
      sum.userUs += added.userUs
      sum.systemUs += added.systemUs
    }
    return sum
  }
  return { cpuByRole, cpu: { load: sumOf('load'), between: sumOf('between'), origin: sumOf('origin') } }
}

function addedCalls (arm: CellSummary, over: CellSummary): number | null {
  if (arm.systemCalls === null || over.systemCalls === null) return null
  return callsPerResponse(Object.values(arm.systemCalls)) - callsPerResponse(Object.values(over.systemCalls))
}
