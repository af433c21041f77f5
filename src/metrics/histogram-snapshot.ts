import { Histogram } from './histogram.js'

/**
 * What a histogram recorded, decoded once. It takes the memory of its distinct values, and not of a table of 30,000
 * counts, since a run holds thousands of them. In JSON it is the text that it came from.
 */
export class HistogramSnapshot {
  readonly encoded: string
  readonly count: number
  readonly meanNs: number
  readonly stdDeviationNs: number
  readonly minNs: number
  readonly maxNs: number
  /** Ascending; the highest of those that the histogram cannot tell apart. */
  readonly #valuesNs: Float64Array
  readonly #counts: Float64Array

  /** Of what `Histogram.encode()` wrote. Throws ERR_TUNNEL_RESULT_INVALID. */
  constructor (encoded: string) {
    const histogram = Histogram.decode(encoded)
    const recorded = histogram.recorded()
    this.encoded = encoded
    this.count = histogram.count
    this.meanNs = histogram.meanNs
    this.stdDeviationNs = histogram.stdDeviationNs
    this.minNs = histogram.minNs
    this.maxNs = histogram.maxNs
    this.#valuesNs = new Float64Array(recorded.length)
    this.#counts = new Float64Array(recorded.length)
    for (let at = 0; at < recorded.length; at++) {
      this.#valuesNs[at] = recorded[at]!.valueNs
      this.#counts[at] = recorded[at]!.count
    }
  }

  /** The value at a percentile above 0 and up to 100, in ns, as `Histogram.percentileNs()` has it; 0 when empty. */
  percentileNs (percentile: number): number {
    const needed = Math.ceil(percentile / 100 * this.count * (1 - Number.EPSILON))
    let count = 0
    for (let at = 0; at < this.#counts.length; at++) {
      count += this.#counts[at]!
      if (count >= needed) return this.#valuesNs[at]!
    }
    return 0
  }

  addTo (histogram: Histogram): void {
    for (let at = 0; at < this.#counts.length; at++) histogram.recordNs(this.#valuesNs[at]!, this.#counts[at]!)
  }

  /** As `Histogram.recorded()` has them. */
  recorded (): Array<{ readonly valueNs: number, readonly count: number }> {
    return Array.from(this.#counts, (count, at) => ({ valueNs: this.#valuesNs[at]!, count }))
  }

  toJSON (): string {
    return this.encoded
  }
}
