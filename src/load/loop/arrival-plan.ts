import { SECOND_NS } from '../../base/clock.js'
import { type Random, seededRandom } from '../../base/random.js'

/** When requests are to be sent in an open loop, whatever becomes of those before. Plain data. */
export interface OpenPace {
  readonly kind: 'open'
  /** Requests per second over all threads; above 0. */
  readonly ratePerSec: number
  /**
   * `constant`: one every 1/rate. `poisson`: independent of each other, as from many clients; gaps are exponential with
   * mean 1/rate.
   */
  readonly arrivals: 'constant' | 'poisson'
  /** Of `poisson`: the same seed gives the same starts. */
  readonly seed: number
  /** Most connections over all threads, at least `concurrency`. */
  readonly maxConnections: number
  /**
   * The share of one thread: every `every`th start of the plan, from number `first` (0-based) on. Default: all of them.
   */
  readonly share?: { readonly first: number, readonly every: number }
}

/** `closed`: a connection sends its next request when the last one is settled. */
export type Pace = { readonly kind: 'closed' } | OpenPace

/**
 * The starts of a plan one after another. A start is computed from the beginning of the plan and never from the clock,
 * so that falling behind moves nothing. However many threads share a plan, together they have exactly its starts.
 */
export class ArrivalPlan {
  readonly #pace: OpenPace
  readonly #startNs: number
  readonly #random: Random | null
  readonly #every: number
  /** Number of the next start in the whole plan. */
  #index = -1
  /** Starts that this share has from the next one on. */
  #left: number
  /** `poisson`: from the beginning of the plan to the start at `#index`. */
  #offsetNs = 0
  #nextNs = 0

  /** `limit`: how many starts this share of the plan has; default: it has no end. */
  constructor (pace: OpenPace, startNs: number, limit = Infinity) {
    this.#pace = pace
    this.#startNs = startNs
    this.#left = limit
    this.#random = pace.arrivals === 'poisson' ? seededRandom(pace.seed) : null
    this.#every = pace.share?.every ?? 1
    this.#step((pace.share?.first ?? 0) + 1)
  }

  /** The intended start that is next, in nanoseconds of the clock of `startNs`; Infinity: none is left. */
  get nextNs (): number { return this.#nextNs }

  advance (): void {
    this.#left--
    this.#step(this.#every)
  }

  /** Passes over the starts before `endNs`, and hands each out. */
  advanceTo (endNs: number, onStart: (intendedNs: number) => void): void {
    while (this.#nextNs < endNs) {
      onStart(this.#nextNs)
      this.advance()
    }
  }

  #step (count: number): void {
    this.#index += count
    if (this.#left <= 0) {
      this.#nextNs = Infinity
      return
    }
    const meanNs = SECOND_NS / this.#pace.ratePerSec
    if (this.#random === null) this.#offsetNs = this.#index * meanNs
    // Inversion: minus the logarithm of a uniform number in (0, 1] is exponential with mean 1.
    else for (let i = 0; i < count; i++) this.#offsetNs -= Math.log(1 - this.#random()) * meanNs
    this.#nextNs = this.#startNs + Math.round(this.#offsetNs)
  }
}
