/** `found`: between two rates. `below`: not even the lowest rate met the bound. `above`: even the highest did. */
export type Knee =
  | { readonly kind: 'found', readonly ratePerSec: number, readonly brokenAtPerSec: number }
  | { readonly kind: 'below', readonly lowestPerSec: number }
  | { readonly kind: 'above', readonly highestPerSec: number }

export interface SearchBounds {
  readonly lowestPerSec: number
  readonly highestPerSec: number
  /** The search ends when the lowest rate that broke the bound is at most so much above the highest that met it: 0.03 is 3 %. At least 0.01. */
  readonly precision: number
}

/** From one rate to the next while all met the bound, or all broke it. */
const GROWTH = 1.5
/** How many probes of a rate decide: the majority. Two that agree need no third. */
const VOTES = 2

/**
 * Searches the highest rate that meets a bound: grows (or falls) by steps until one rate meets it and the next does not, then halves the interval
 * between them (of logarithms, since it is the ratio that counts). Every rate is probed until two probes agree, so that one stall of the machine decides
 * nothing. The search measures nothing itself: ask `next()` for a rate, probe it, tell `report()`.
 */
export class KneeSearch {
  readonly #bounds: SearchBounds
  #ratePerSec: number
  #votes = { met: 0, broken: 0 }
  #metPerSec: number | null = null
  #brokenPerSec: number | null = null
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
    const votes = isMet ? ++this.#votes.met : ++this.#votes.broken
    if (votes < VOTES) return
    this.#votes = { met: 0, broken: 0 }
    this.#decide(isMet)
  }

  #decide (isMet: boolean): void {
    const { lowestPerSec, highestPerSec, precision } = this.#bounds
    if (isMet) this.#metPerSec = this.#ratePerSec
    else this.#brokenPerSec = this.#ratePerSec
    const [met, broken] = [this.#metPerSec, this.#brokenPerSec]
    if (met === null) {
      if (this.#ratePerSec <= lowestPerSec) this.#knee = { kind: 'below', lowestPerSec }
      this.#ratePerSec = this.#within(this.#ratePerSec / GROWTH)
    } else if (broken === null) {
      if (this.#ratePerSec >= highestPerSec) this.#knee = { kind: 'above', highestPerSec }
      this.#ratePerSec = this.#within(this.#ratePerSec * GROWTH)
    } else {
      if (broken <= met * (1 + precision)) this.#knee = { kind: 'found', ratePerSec: met, brokenAtPerSec: broken }
      this.#ratePerSec = this.#within(Math.sqrt(met * broken))
    }
  }

  /** Four digits are enough for any precision that a search may have, and read better. */
  #within (ratePerSec: number): number {
    const { lowestPerSec, highestPerSec } = this.#bounds
    return Math.min(highestPerSec, Math.max(lowestPerSec, Number(ratePerSec.toPrecision(4))))
  }
}
