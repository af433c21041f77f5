import { addedNs as addedAt } from './equal-load.js'
import { type Rung, RUNGS } from './ladder.js'
import type { RoundResult } from '../result/run-result.js'
import type { CellSummary, RunFigures } from './run-figures.js'
import { ACHIEVED_MIN, type CpuPerResponse, responseTimesOf, spreadOf, type Spread } from './statistics.js'
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

const RUNG_OF: ReadonlyMap<string, Rung> = new Map(RUNGS.map((rung) => [rung.path, rung]))

/** Arms that a run has without a ladder. With these alone a bill has one step, which the other tables show. */
const WITHOUT_LADDER = new Set(['baseline', 'stream', 'shm'])

/**
 * The bill of every arm on the ladder, in the order of the cells; empty for a run without a ladder, or without direct
 * HTTP.
 */
export function billsOf (figures: RunFigures): Bill[] {
  const { reference } = figures
  if (reference === null || !figures.cells.some(cell => isStep(cell) && !WITHOUT_LADDER.has(cell.arm))) return []
  return figures.cells.filter(isStep).flatMap(cell => billOf(figures, cell, reference) ?? [])
}

/** Direct HTTP itself is none. */
function isStep (cell: CellSummary): boolean {
  return overOf(cell.arm) !== null || cell.transport === 'external'
}

/** The rung below; null where there is none, and for an arm that is no rung. */
function overOf (arm: string): string | null {
  return RUNG_OF.get(arm)?.over ?? null
}

/** null where no round has all rungs. */
function billOf (figures: RunFigures, cell: CellSummary, reference: string): Bill | null {
  const { arm, size, concurrency } = cell
  const cells = new Map(
    figures.cells.filter((one) => one.size === size && one.concurrency === concurrency).map((one) => [one.arm, one])
  )
  const path = pathTo(arm, cells, reference)
  const equal = roundsOf(cells, path, true)
  const isEqualLoad = path.every((rung) => keptUp(cells.get(rung)!)) && equal.get(reference)!.length > 0
  const rounds = isEqualLoad ? equal : roundsOf(cells, path, false)
  const wholeNs = addedP50(rounds.get(arm)!, rounds.get(reference)!)
  if (wholeNs === null) return null
  const steps = path.slice(1).map((rung, below): Step => {
    const over = path[below]!
    const [own, base] = [rounds.get(rung)!, rounds.get(over)!]
    const addedNs = addedP50(own, base)!
    return {
      arm: rung,
      over,
      adds: RUNG_OF.get(rung)?.adds ?? 'all that it does',
      addedNs,
      addedP99Ns: isEqualLoad ? addedAt(own, base, 99) : null,
      share: wholeNs.median > 0 ? addedNs.median / wholeNs.median : null,
      ...addedCpu(cells.get(rung)!, cells.get(over)!),
      addedCalls: addedCalls(cells.get(rung)!, cells.get(over)!)
    }
  })
  const all = [wholeNs, ...steps.map(({ addedNs }) => addedNs)]
  return {
    arm,
    transport: cell.transport,
    size,
    concurrency,
    ratePerSec: isEqualLoad ? cell.equalLoad!.ratePerSec : null,
    steps,
    wholeNs,
    restNs: steps.reduce((rest, { addedNs }) => rest - addedNs.median, wholeNs.median),
    noiseNs: wholeNs.rounds < 2 ? null : Math.max(...all.map(noiseOf))
  }
}

/** The rounds of both are the same, in the same order. */
function addedP50 (own: readonly RoundResult[], base: readonly RoundResult[]): Spread | null {
  return spreadOf(own.map((round, at) => p50Of(round) - p50Of(base[at]!)))
}

function p50Of (round: RoundResult): number {
  return responseTimesOf(round).percentileNs(50)
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
  for (let over = overOf(arm); over !== null && over !== reference; over = overOf(over)) {
    if (measured.get(over)?.rps != null) path.unshift(over)
  }
  return [reference, ...path]
}

/** Of each arm, those rounds, closed or at equal load, that all arms have and that say anything. */
function roundsOf (
  cells: ReadonlyMap<string, CellSummary>, arms: readonly string[], isEqualLoad: boolean
): ReadonlyMap<string, readonly RoundResult[]> {
  const measured = arms.map((arm) => {
    const cell = cells.get(arm)!
    const rounds = isEqualLoad ? cell.equalLoad?.rounds ?? [] : cell.rounds
    return new Map(rounds.filter((one) => responseTimesOf(one).count > 0).map((one) => [one.round, one]))
  })
  const common = [...measured[0]!.keys()].filter((round) => measured.every((rounds) => rounds.has(round)))
  return new Map(arms.map((arm, at) => [arm, common.map((round) => measured[at]!.get(round)!)]))
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
