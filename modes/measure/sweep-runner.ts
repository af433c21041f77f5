import { seededRandom, shuffled, type Random } from '../../src/base/random.js'
import type { OpenPace } from '../../src/load/loop/arrival-plan.js'
import { probeOf } from '../../src/analysis/knee-bound.js'
import { KneeSearch } from '../../src/analysis/knee-search.js'
import type { RoundResult } from '../../src/result/run-result.js'
import { ratePerSecOf } from '../../src/analysis/statistics.js'
import { commonRates } from '../../src/analysis/sweep-rates.js'
import type { Knee, KneeProbe, SweepArm, SweepOptions, SweepPoint } from '../../src/result/sweep-result.js'
import { type Arm, armsOf, parseSize } from '../plan/arms.js'
import { measureArm } from './measure-arm.js'
import type { Attempt, RoleSupervisor } from '../roles/role-supervisor.js'

/** A knee lies a little below what a closed loop does, so the search begins there. */
const GUESS = 0.7
const LOWEST_PER_SEC = 10
export const HIGHEST_PER_SEC = 1_000_000
/** After so many measurements that failed altogether an arm's knee is given up. */
const FAILURES_MAX = 3

export type SweepStep =
  | { readonly kind: 'closed'; readonly arm: string; readonly found: Attempt<RoundResult> }
  | { readonly kind: 'probe'; readonly arm: string; readonly ratePerSec: number; readonly found: Attempt<KneeProbe> }
  | { readonly kind: 'knee'; readonly arm: string; readonly knee: Knee }
  | {
    readonly kind: 'point'
    readonly arm: string
    readonly ratePerSec: number
    readonly round: number
    readonly found: Attempt<RoundResult>
    readonly left: number
  }

export interface SweepHooks {
  onStart (arm: string, ratePerSec: number | null): void
  onStep (step: SweepStep): void
}

type MutableArm = Omit<SweepArm, 'probes' | 'points' | 'failures'> & {
  closedPerSec: number | null
  probes: KneeProbe[]
  knee: Knee | null
  points: MutablePoint[]
  failures: string[]
}
type MutablePoint = Omit<SweepPoint, 'rounds' | 'failures'> & { rounds: RoundResult[], failures: string[] }

/**
 * Searches the knee of every arm, one probe of each arm after another in random order, and then measures all arms at
 * common rates in randomised rounds. What it finds is in `arms` and `ratesPerSec` at any time, so that an interrupted
 * sweep keeps what it has.
 */
export class SweepRunner {
  readonly arms: readonly SweepArm[]
  ratesPerSec: number[] = []
  readonly #arms: MutableArm[]
  readonly #options: SweepOptions
  readonly #hooks: SweepHooks
  readonly #signal: AbortSignal
  readonly #roles: RoleSupervisor
  readonly #random: Random
  #probes = 0

  constructor (options: SweepOptions, roles: RoleSupervisor, hooks: SweepHooks) {
    this.#options = options
    this.#hooks = hooks
    this.#roles = roles
    this.#signal = roles.signal
    this.#random = seededRandom(options.seed)
    this.arms = this.#arms = armsOf(options).map(({ label, path, transport }) => ({
      arm: label,
      path,
      transport,
      closedPerSec: null,
      probes: [],
      knee: null,
      points: [],
      failures: []
    }))
  }

  /** Rejects only where the roles have never run. Ends early when the signal of the roles is aborted. Closes them. */
  async run (): Promise<void> {
    try {
      await this.#searchKnees()
      await this.#measureCurve()
    } finally {
      await this.#roles.close()
    }
  }

  async #searchKnees (): Promise<void> {
    const searches = new Map<string, KneeSearch>()
    for (const arm of this.#inRandomOrder()) {
      const found = await this.#measure(arm, null, 0, 0)
      if (this.#signal.aborted) return
      const record = this.#recordOf(arm)
      if (found.ok) {
        record.closedPerSec = ratePerSecOf(found.value)
        searches.set(
          arm.label,
          new KneeSearch(record.closedPerSec * GUESS, {
            lowestPerSec: LOWEST_PER_SEC,
            highestPerSec: HIGHEST_PER_SEC,
            precision: this.#options.precision
          })
        )
      } else record.failures.push(`closed loop: ${found.reason}`)
      this.#hooks.onStep({ kind: 'closed', arm: arm.label, found })
    }
    while (searches.size > 0) {
      for (const arm of this.#inRandomOrder()) {
        const search = searches.get(arm.label)
        if (search === undefined) continue
        await this.#probe(arm, search)
        if (this.#signal.aborted) return
        if (search.next() === null || this.#recordOf(arm).failures.length >= FAILURES_MAX) searches.delete(arm.label)
      }
    }
  }

  async #probe (arm: Arm, search: KneeSearch): Promise<void> {
    const ratePerSec = search.next()!
    const measured = await this.#measure(arm, ratePerSec, this.#probes++, 0)
    if (this.#signal.aborted) return
    const record = this.#recordOf(arm)
    const found: Attempt<KneeProbe> = measured.ok
      ? { ok: true, value: probeOf(measured.value, ratePerSec, this.#options.p99BoundMs) }
      : measured
    if (found.ok) record.probes.push(found.value)
    else record.failures.push(`probe of ${ratePerSec}/s: ${found.reason}`)
    search.report(found.ok && found.value.isMet)
    this.#hooks.onStep({ kind: 'probe', arm: arm.label, ratePerSec, found })
    if (search.knee === null) return
    record.knee = search.knee
    this.#hooks.onStep({ kind: 'knee', arm: arm.label, knee: search.knee })
  }

  async #measureCurve (): Promise<void> {
    if (this.#signal.aborted) return
    this.ratesPerSec = [
      ...(this.#options.ratesPerSec ??
        commonRates(
          this.#arms.map(({ knee }) => knee),
          this.#options.points
        ))
    ]
    for (const record of this.#arms) {
      record.points.push(...this.ratesPerSec.map((ratePerSec) => ({ ratePerSec, rounds: [], failures: [] })))
    }
    let left = this.ratesPerSec.length * this.#arms.length * this.#options.rounds
    for (let round = 0; round < this.#options.rounds; round++) {
      for (const ratePerSec of shuffled(this.ratesPerSec, this.#random)) {
        for (const [position, arm] of this.#inRandomOrder().entries()) {
          const found = await this.#measure(arm, ratePerSec, round, position)
          if (this.#signal.aborted) return
          const point = this.#recordOf(arm).points.find((one) => one.ratePerSec === ratePerSec)!
          if (found.ok) point.rounds.push(found.value)
          else point.failures.push(`round ${round + 1}: ${found.reason}`)
          this.#hooks.onStep({ kind: 'point', arm: arm.label, ratePerSec, round, found, left: --left })
        }
      }
    }
  }

  /** `ratePerSec` null: a closed loop. The arms of a round are sent the very same plan. */
  async #measure (arm: Arm, ratePerSec: number | null, round: number, position: number): Promise<Attempt<RoundResult>> {
    const { arrivals, seed, connections, maxConnections, size } = this.#options
    if (this.#signal.aborted) return { ok: false, reason: 'interrupted' }
    return await this.#roles.attempt(async (roles) => {
      this.#hooks.onStart(arm.label, ratePerSec)
      const pace: OpenPace | { kind: 'closed' } =
        ratePerSec === null
          ? { kind: 'closed' }
          : { kind: 'open', ratePerSec, arrivals, seed: (seed + round) >>> 0, maxConnections }
      return await measureArm(roles, this.#options, {
        arm,
        size: parseSize(size),
        concurrency: connections,
        pace,
        round,
        position
      })
    })
  }

  #inRandomOrder (): Arm[] {
    return shuffled(armsOf(this.#options), this.#random)
  }

  #recordOf (arm: Arm): MutableArm {
    return this.#arms.find((one) => one.arm === arm.label)!
  }
}
