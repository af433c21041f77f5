import type { RoundResult } from './result.js'
import type { CellSummary, RunSummary } from './run-summary.js'
import { type CpuPerResponse, mergeHistograms, percentileOrNull, spreadOf, type Spread } from './statistics.js'

/**
 * Splits what an arm costs against direct HTTP into steps, each the difference between two neighbouring rungs of the ladder. Differences are
 * taken within a round and only then summarized, as ratios are, and only over rounds that every rung of the bill has.
 */
export interface Bill {
  readonly arm: string
  readonly transport: string
  readonly size: string
  readonly concurrency: number
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
  /** Of the whole; null where the whole is not above zero. */
  readonly share: number | null
  /** Added CPU time per response; null where one of the two arms cannot tell. */
  readonly cpu: Readonly<Record<CpuGroup, CpuPerResponse | null>>
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

/** The bill of every arm on the ladder, in the order of the cells; empty for a run without a ladder, or without direct HTTP. */
export function billsOf (summary: RunSummary): Bill[] {
  const { reference } = summary
  if (reference === null || !summary.cells.some(cell => isRung(cell) && !WITHOUT_LADDER.has(cell.arm))) return []
  return summary.cells.filter(isRung).flatMap(cell => billOf(summary, cell, reference) ?? [])
}

function isRung (cell: CellSummary): boolean {
  return RUNGS.has(cell.arm) || cell.transport === 'external'
}

/** null where no round has all rungs. */
function billOf (summary: RunSummary, cell: CellSummary, reference: string): Bill | null {
  const at = new Map(summary.cells.filter(one => one.size === cell.size && one.concurrency === cell.concurrency).map(one => [one.arm, one]))
  const path = pathTo(cell.arm, at, reference)
  const p50Ns = new Map(path.map(arm => [arm, p50ByRound(summary, cell, arm)]))
  const rounds = [...p50Ns.get(cell.arm)!.keys()].filter(round => path.every(arm => p50Ns.get(arm)!.has(round)))
  const added = (arm: string, over: string): Spread | null => spreadOf(rounds.map(round => p50Ns.get(arm)!.get(round)! - p50Ns.get(over)!.get(round)!))
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
      share: wholeNs.median > 0 ? addedNs.median / wholeNs.median : null,
      cpu: addedCpu(at.get(arm)!, at.get(over)!)
    }
  })
  const restNs = steps.reduce((rest, { addedNs }) => rest - addedNs.median, wholeNs.median)
  const noiseNs = rounds.length < 2 ? null : Math.max(noiseOf(wholeNs), ...steps.map(({ addedNs }) => noiseOf(addedNs)))
  return { arm: cell.arm, transport: cell.transport, size: cell.size, concurrency: cell.concurrency, steps, wholeNs, restNs, noiseNs }
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
    p50Ns = percentileOrNull(mergeHistograms([round.latency]), 50)
    p50OfRounds.set(round, p50Ns)
  }
  return p50Ns
}

function p50ByRound ({ result }: RunSummary, { size, concurrency }: CellSummary, arm: string): ReadonlyMap<number, number> {
  const cell = result.cells.find(one => one.arm === arm && one.size === size && one.concurrency === concurrency)
  return new Map((cell?.rounds ?? []).flatMap((round) => {
    const p50Ns = p50OfRound(round)
    return p50Ns === null ? [] : [[round.round, p50Ns] as const]
  }))
}

function addedCpu (arm: CellSummary, over: CellSummary): Step['cpu'] {
  const added = (group: CpuGroup): CpuPerResponse | null => {
    const [more, less] = [cpuOf(arm, group), cpuOf(over, group)]
    return more === null || less === null ? null : { userUs: more.userUs - less.userUs, systemUs: more.systemUs - less.systemUs }
  }
  return { load: added('load'), between: added('between'), origin: added('origin') }
}

function cpuOf (cell: CellSummary, group: CpuGroup): CpuPerResponse | null {
  let [userUs, systemUs] = [0, 0]
  for (const [role, usage] of cell.cpu) {
    if ((role === 'load' || role === 'origin' ? role : 'between') !== group) continue
    if (usage === null) return null
    userUs += usage.userUs
    systemUs += usage.systemUs
  }
  return { userUs, systemUs }
}
