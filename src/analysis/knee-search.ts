import type { Knee } from '../result/sweep-result.js'

export interface SearchBounds {
  readonly lowestPerSec: number
  readonly highestPerSec: number
  /**
   * The search ends when the lowest rate that broke the bound is at most so much above the highest that met it: 0.03 is
   * 3 %. At least 0.01.
   */
  readonly precision: number
}

/** From one rate to the next while all met the bound, or all broke it. */
const GROWTH = 1.5
/** How many probes of a rate decide: the majority. Two that agree need no third. */
const VOTES = 2
/** How often an end may turn out to be wrong. What answers at random has no knee, and would be searched for ever. */
const REOPENINGS_MAX = 6

/**
 * Searches the highest rate that meets a bound: grows (or falls) by steps until one rate meets it and the next does
 * not, then halves the interval between them (of logarithms, since it is the ratio that counts). A rate is probed until
 * two probes agree. Both ends of the last interval are asked again before they count, the older one first: a bad moment
 * of the machine is over by then. An end that says the opposite now changes sides, the end beyond it is asked again,
 * too, and the search goes on in the interval around the one that it had closed. That is binary search with
 * backtracking (Feige, Raghavan, Peleg and Upfal, "Computing with Noisy Information", 1994), which asks again at its
 * end only, where theirs does at every step. The search measures nothing itself: ask `next()` for a rate, probe it,
 * tell `report()`.
 */
export class KneeSearch {
  readonly #bounds: SearchBounds
  #ratePerSec: number
  /** Of the question at hand. */
  #votes = { met: 0, broken: 0 }
  readonly #allVotes = new Map<number, { met: number, broken: number }>()
  /** Ends of intervals, each inside the one before: ascending, and descending. */
  readonly #met: number[] = []
  readonly #broken: number[] = []
  /** Ends that were asked again and said the same. */
  readonly #confirmed = new Set<number>()
  #reopenings = 0
  #knee: Knee | null = null

  constructor (guessPerSec: number, bounds: SearchBounds) {
    this.#bounds = bounds
    this.#ratePerSec = this.#within(guessPerSec)
  }

  /** The rate to probe next; null: the search is over. */
  next (): number | null {
    return this.#knee === null ? this.#ratePerSec : null
  }

  /** null while the search goes on. */
  get knee (): Knee | null { return this.#knee }

  /** What a probe of `next()` came to. */
  report (isMet: boolean): void {
    if (this.#knee !== null) return
    const side = isMet ? 'met' : 'broken'
    this.#votesOf(this.#ratePerSec)[side]++
    if (++this.#votes[side] < VOTES) return
    this.#votes = { met: 0, broken: 0 }
    this.#decide(isMet)
  }

  #decide (isMet: boolean): void {
    const rate = this.#ratePerSec
    const [own, other] = isMet ? [this.#met, this.#broken] : [this.#broken, this.#met]
    let next: number | undefined
    if (own.at(-1) === rate) this.#confirmed.add(rate)
    else if (other.at(-1) === rate) {
      if (this.#reopenings++ === REOPENINGS_MAX) return this.#finish()
      other.pop()
      own.push(rate)
      // Whatever was wrong about this end may have been wrong about the one beyond it.
      next = this.#unconfirmed(other.at(-1))
    } else own.push(rate)
    next ??= this.#nextRate(rate)
    if (next === undefined) this.#finish()
    else this.#ratePerSec = this.#within(next)
  }

  /** undefined: both ends are confirmed. */
  #nextRate (last: number): number | undefined {
    const { lowestPerSec, highestPerSec, precision } = this.#bounds
    const [met, broken] = [this.#met.at(-1), this.#broken.at(-1)]
    if (met === undefined && broken! > lowestPerSec) return broken! / GROWTH
    if (broken === undefined && met! < highestPerSec) return met! * GROWTH
    if (met !== undefined && broken !== undefined && broken > met * (1 + precision)) return Math.sqrt(met * broken)
    const [older, newer] = last === met ? [broken, met] : [met, broken]
    return this.#unconfirmed(older) ?? this.#unconfirmed(newer)
  }

  #unconfirmed (end: number | undefined): number | undefined {
    return end === undefined || this.#confirmed.has(end) ? undefined : end
  }

  #finish (): void {
    const { lowestPerSec, highestPerSec } = this.#bounds
    const [met, broken] = [this.#met.at(-1), this.#broken.at(-1)]
    if (met === undefined) this.#knee = { kind: 'below', lowestPerSec, votes: this.#votesOf(lowestPerSec) }
    else if (broken === undefined) this.#knee = { kind: 'above', highestPerSec, votes: this.#votesOf(highestPerSec) }
    else {
      this.#knee = {
        kind: 'found',
        ratePerSec: met,
        brokenAtPerSec: broken,
        votes: this.#votesOf(met),
        brokenVotes: this.#votesOf(broken)
      }
    }
  }

  #votesOf (ratePerSec: number): { met: number, broken: number } {
    const votes = this.#allVotes.get(ratePerSec) ?? { met: 0, broken: 0 }
    this.#allVotes.set(ratePerSec, votes)
    return votes
  }

  /** Four digits are enough for any precision that a search may have, and read better. */
  #within (ratePerSec: number): number {
    const { lowestPerSec, highestPerSec } = this.#bounds
    return Math.min(highestPerSec, Math.max(lowestPerSec, Number(ratePerSec.toPrecision(4))))
  }
}
