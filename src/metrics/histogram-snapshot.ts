import { highestNsAt, Histogram, type RecordedValue } from './histogram.js'

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
  /** See `Histogram.filledPlaces()`. */
  readonly #places: Uint16Array
  readonly #counts: Float64Array

  /** Of what `Histogram.encode()` wrote. Throws ERR_TUNNEL_RESULT_INVALID. */
  constructor (encoded: string) {
    const histogram = Histogram.decode(encoded)
    this.encoded = encoded
    this.count = histogram.count
    this.meanNs = histogram.meanNs
    this.stdDeviationNs = histogram.stdDeviationNs
    this.minNs = histogram.minNs
    this.maxNs = histogram.maxNs
    this.#places = Uint16Array.from(histogram.filledPlaces())
    this.#counts = new Float64Array(this.#places.length)
    for (let at = 0; at < this.#places.length; at++) this.#counts[at] = histogram.countAt(this.#places[at]!)
  }

  /** The value at a percentile above 0 and up to 100, in ns, as `Histogram.percentileNs()` has it; 0 when empty. */
  percentileNs (percentile: number): number {
    const needed = Math.ceil(percentile / 100 * this.count * (1 - Number.EPSILON))
    let count = 0
    for (let at = 0; at < this.#counts.length; at++) {
      count += this.#counts[at]!
      if (count >= needed) return highestNsAt(this.#places[at]!)
    }
    return 0
  }

  addTo (histogram: Histogram): void {
    histogram.addAt(this.#places, this.#counts)
  }

  /** As `Histogram.recorded()` has them. */
  recorded (): RecordedValue[] {
    return Array.from(this.#counts, (count, at) => ({ valueNs: highestNsAt(this.#places[at]!), count }))
  }

  toJSON (): string {
    return this.encoded
  }
}
