import { nowNs } from '../../src/base/clock.js'
import { type Random, seededRandom, shuffled } from '../../src/base/random.js'
import type { LoadJob } from '../../src/load/job.js'
import { commonRateOf, equalLoadRounds, equalLoadWarmupMs } from '../../src/analysis/equal-load.js'
import type { MeasurementOutcome, MeasurementPlace } from '../../src/report/progress.js'
import type { CellResult, EqualLoadResult, RoundResult, RunOptions } from '../../src/result/run-result.js'
import { type Arm, armsOf, parseSize, type Size } from '../plan/arms.js'
import { measureArm } from './measure-arm.js'
import type { Roles, RoleSupervisor } from '../roles/role-supervisor.js'

/** A round of a cell: every arm once, in random order. */
export interface PlannedRound {
  readonly size: Size
  readonly concurrency: number
  readonly round: number
  readonly arms: readonly Arm[]
  /** All arms at one common rate, in an open loop, after the closed loops that the rate is taken from. */
  readonly isEqualLoad: boolean
}

/**
 * The measurements of a run in order. Arms of one cell follow each other directly, in a new random order each round, so
 * that drift of the machine meets all alike.
 */
export function planMatrix (options: RunOptions): PlannedRound[] {
  const random: Random = seededRandom(options.seed)
  const arms = armsOf(options)
  const phases = [
    ...Array.from({ length: options.rounds }, (_, round) => ({ round, isEqualLoad: false })),
    ...Array.from({ length: equalLoadRounds(options) }, (_, round) => ({ round, isEqualLoad: true }))
  ]
  return options.sizes.map((name) => parseSize(name)).flatMap((size) =>
    options.concurrency.flatMap((concurrency) =>
      phases.map((phase) => ({ size, concurrency, ...phase, arms: shuffled(arms, random) }))))
}

export interface MatrixHooks {
  onStart (place: MeasurementPlace): void
  /** `cell` is the one of `cells` that has changed. */
  onDone (place: MeasurementPlace, outcome: MeasurementOutcome, cell: CellResult, cells: readonly CellResult[]): void
  /** All rounds are done, and the roles still run. */
  onMeasured? (cells: readonly CellResult[], roles: Roles): Promise<void>
}

/**
 * Runs the plan. A measurement that fails is noted in its cell, the roles are started anew, and the rest goes on; only
 * when the roles have never run does it reject. Ends early, with what there is, when the signal of `roles` is aborted.
 * Closes the roles.
 */
export async function runMatrix (
  options: RunOptions,
  roles: RoleSupervisor,
  hooks: MatrixHooks
): Promise<CellResult[]> {
  const cells = createCells(options)
  const plan = planMatrix(options)
  const total = plan.length * options.arms.length
  const startedAtNs = nowNs()
  let number = 0
  const { signal } = roles
  try {
    for (const { size, concurrency, round, arms, isEqualLoad } of plan) {
      const group = cells.filter((cell) => cell.size === size.name && cell.concurrency === concurrency)
      const ratePerSec = isEqualLoad ? commonRateOf(group, options.equalLoad ?? 0) : null
      for (const [position, arm] of arms.entries()) {
        if (signal.aborted) return cells
        number++
        // No arm has answered, so there is no rate that all could bear.
        if (isEqualLoad && ratePerSec === null) continue
        const placeAfter = (done: number): MeasurementPlace => {
          const leftMs = done === 0 || done === total ? null : ((nowNs() - startedAtNs) / 1e6 / done) * (total - done)
          return { number, total, round, size: size.name, concurrency, arm: arm.label, ratePerSec, leftMs }
        }
        const cell = group.find((one) => one.arm === arm.label)!
        const attempt = await roles.attempt(async (ready) => {
          hooks.onStart(placeAfter(number - 1))
          const lengths = isEqualLoad ? { ...options, warmupMs: equalLoadWarmupMs(options) } : options
          return await measureArm(ready, lengths, {
            arm,
            size,
            concurrency,
            pace: paceOf(options, ratePerSec, round, concurrency),
            round,
            position
          })
        })
        if (signal.aborted) return cells
        const rounds = ratePerSec === null ? cell : (cell.equalLoad ??= { ratePerSec, rounds: [], failures: [] })
        const outcome: MeasurementOutcome = attempt.ok
          ? { kind: 'measured', result: attempt.value }
          : { kind: 'failed', reason: attempt.reason }
        if (outcome.kind === 'measured') rounds.rounds.push(outcome.result)
        else rounds.failures.push(`round ${round + 1}: ${outcome.reason}`)
        hooks.onDone(placeAfter(number), outcome, cell, cells)
      }
    }
    if (hooks.onMeasured !== undefined) {
      await roles.attempt(async (ready) => {
        await hooks.onMeasured?.(cells, ready)
      })
    }
    return cells
  } finally {
    await roles.close()
  }
}

/**
 * All arms of a round are sent the very same plan: its seed is the round's. No connection is added, so that the cell's
 * concurrency is what it says.
 */
function paceOf (options: RunOptions, ratePerSec: number | null, round: number, concurrency: number): LoadJob['pace'] {
  if (ratePerSec === null) return { kind: 'closed' }
  return {
    kind: 'open',
    ratePerSec,
    arrivals: options.arrivals ?? 'poisson',
    seed: (options.seed + round) >>> 0,
    maxConnections: concurrency
  }
}

type MutableEqualLoad = EqualLoadResult & { rounds: RoundResult[], failures: string[] }
type MutableCell = Omit<CellResult, 'equalLoad'> & {
  rounds: RoundResult[]
  failures: string[]
  equalLoad?: MutableEqualLoad
}

function createCells (options: RunOptions): MutableCell[] {
  return options.sizes
    .map((name) => parseSize(name))
    .flatMap((size) =>
      options.concurrency.flatMap((concurrency) =>
        armsOf(options).map((arm) => ({
          arm: arm.label,
          path: arm.path,
          transport: arm.transport,
          size: size.name,
          bodyBytes: size.bodyBytes,
          concurrency,
          rounds: [],
          failures: []
        }))
      )
    )
}
