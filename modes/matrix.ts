import { nowNs } from '../src/base/clock.js'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { type Random, seededRandom, shuffled } from '../src/base/random.js'
import { errorCount } from '../src/metrics/counts.js'
import type { Outcome, Place } from '../src/report/progress.js'
import type { CellResult, RoundResult, RunOptions } from '../src/report/result.js'
import { type Arm, armsOf, LARGE_PATH, parseSize, type Size } from './arms.js'
import type { Topology } from './topology.js'

const CONNECT_TIMEOUT_MS = 5000

/** A round of a cell: every arm once, in random order. */
export interface PlannedRound {
  readonly size: Size
  readonly concurrency: number
  readonly round: number
  readonly arms: readonly Arm[]
}

/** The measurements of a run in order. Arms of one cell follow each other directly, in a new random order each round, so that drift of the machine meets all alike. */
export function planMatrix (options: RunOptions): PlannedRound[] {
  const random: Random = seededRandom(options.seed)
  const arms = armsOf(options)
  return options.sizes.map(parseSize).flatMap((size) =>
    options.concurrency.flatMap((concurrency) =>
      Array.from({ length: options.rounds }, (_, round) => ({ size, concurrency, round, arms: shuffled(arms, random) }))))
}

/** What the matrix needs of a topology. */
export type Roles = Pick<Topology, 'engine' | 'engineNote' | 'server' | 'serverNote' | 'start' | 'measure' | 'close'>

export interface MatrixHooks {
  /** All roles run: at the beginning, and again after a failure. */
  onReady (roles: Roles): void
  onStart (place: Place): void
  /** `cell` is the one of `cells` that has changed. */
  onDone (place: Place, outcome: Outcome, cell: CellResult, cells: readonly CellResult[]): void
  /** All rounds are done, and the roles still run. */
  onMeasured? (cells: readonly CellResult[]): Promise<void>
}

/**
 * Runs the plan. A measurement that fails is noted in its cell, the roles are started anew, and the rest goes on; only when the
 * roles have never run does it reject. Ends early, with what there is, when `signal` is aborted.
 */
export async function runMatrix (options: RunOptions, createRoles: () => Roles, hooks: MatrixHooks, signal: AbortSignal): Promise<CellResult[]> {
  const cells = createCells(options)
  const plan = planMatrix(options)
  const total = plan.length * options.arms.length
  const startedAtNs = nowNs()
  let number = 0
  let hasRun = false
  let roles: Roles | null = null
  const stop = (): void => { void roles?.close() }
  signal.addEventListener('abort', stop)
  try {
    for (const { size, concurrency, round, arms } of plan) {
      for (const [position, arm] of arms.entries()) {
        if (signal.aborted) return cells
        const placeAfter = (done: number): Place => {
          const leftMs = done === 0 || done === total ? null : (nowNs() - startedAtNs) / 1e6 / done * (total - done)
          return { number, total, round, size: size.name, concurrency, arm: arm.label, leftMs }
        }
        number++
        const cell = cells.find((one) => one.arm === arm.label && one.size === size.name && one.concurrency === concurrency)!
        let outcome: Outcome
        try {
          if (roles === null) {
            roles = createRoles()
            await roles.start()
            hasRun = true
            hooks.onReady(roles)
          }
          hooks.onStart(placeAfter(number - 1))
          outcome = { kind: 'measured', result: await measure(roles, options, arm, size, concurrency, round, position) }
        } catch (error) {
          await roles?.close()
          roles = null
          if (!hasRun && !signal.aborted) throw error
          outcome = { kind: 'failed', reason: error instanceof TunnelError ? error.message : String(error) }
        }
        if (signal.aborted) return cells
        if (outcome.kind === 'measured') cell.rounds.push(outcome.result)
        else cell.failures.push(`round ${round + 1}: ${outcome.reason}`)
        hooks.onDone(placeAfter(number), outcome, cell, cells)
      }
    }
    if (roles !== null) await hooks.onMeasured?.(cells)
    return cells
  } finally {
    signal.removeEventListener('abort', stop)
    await roles?.close()
  }
}

async function measure (roles: Roles, options: RunOptions, arm: Arm, size: Size, concurrency: number, round: number, position: number): Promise<RoundResult> {
  const startedAt = new Date().toISOString()
  const { result, cpu, tunnel } = await roles.measure(arm.path, {
    path: size.path,
    expect: size.expect,
    pace: { kind: 'closed' },
    concurrency,
    warmupMs: options.warmupMs,
    durationMs: options.durationMs,
    requestTimeoutMs: options.requestTimeoutMs,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    threads: Math.min(options.loadThreads, concurrency),
    stalledReaders: arm.stalledReaders,
    stalledPath: LARGE_PATH
  })
  if (result.counts.ok === 0 && errorCount(result.counts) > 0) {
    throw new TunnelError(ErrorCode.ROLE_FAILED, `no request of ${result.counts.sent} succeeded: ${result.problems.join('; ')}`)
  }
  const { cpu: loadCpu, statuses, ...found } = result
  return { round, position, startedAt, ...found, cpu: { ...cpu, load: loadCpu }, tunnel }
}

type MutableCell = CellResult & { rounds: RoundResult[], failures: string[] }

function createCells (options: RunOptions): MutableCell[] {
  return options.sizes.map(parseSize).flatMap((size) => options.concurrency.flatMap((concurrency) => armsOf(options).map((arm) => ({
    arm: arm.label,
    transport: arm.transport === 'external' ? arm.transport : arm.path,
    size: size.name,
    bodyBytes: size.bodyBytes,
    concurrency,
    rounds: [],
    failures: []
  }))))
}
