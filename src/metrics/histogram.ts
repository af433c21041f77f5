import { deflateSync, inflateSync } from 'node:zlib'
import * as hdr from 'hdr-histogram-js'
import { ErrorCode, TunnelError } from '../base/errors.js'

const SIGNIFICANT_DIGITS = 3
/** One hour. A longer latency is recorded as one hour, and counted like any other. */
const HIGHEST_NS = 3_600_000_000_000

const SHAPE = {
  lowestDiscernibleValue: 1,
  highestTrackableValue: HIGHEST_NS,
  numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
  bitBucketSize: 64
} as const

export interface PercentileStep {
  readonly valueNs: number
  /** 0 to 100. */
  readonly percentile: number
  /** How many values are at most `valueNs`. */
  readonly countToValue: number
}

/**
 * A histogram of integer nanoseconds, 1 ns to 1 h at 3 significant digits (HdrHistogram, Gil Tene). The only file that
 * knows hdr-histogram-js. Merging adds counts and loses nothing; percentiles are never averaged.
 */
export class Histogram {
  readonly #histogram: hdr.Histogram

  constructor (histogram: hdr.Histogram = hdr.build(SHAPE)) {
    this.#histogram = histogram
  }

  /**
   * Decodes what `encode()` wrote. Throws ERR_TUNNEL_RESULT_INVALID where the text is not a histogram of this shape.
   */
  static decode (base64: string): Histogram {
    const decoded = decodeAny(base64)
    const histogram = new Histogram()
    if (decoded.highestTrackableValue !== HIGHEST_NS || decoded.numberOfSignificantValueDigits !== SIGNIFICANT_DIGITS) {
      throw new TunnelError(ErrorCode.RESULT_INVALID,
        `Cannot use histogram: it must track up to ${HIGHEST_NS} ns at ${SIGNIFICANT_DIGITS} digits: it tracks up to ` +
        `${decoded.highestTrackableValue} at ${decoded.numberOfSignificantValueDigits}`)
    }
    histogram.#histogram.add(decoded)
    return histogram
  }

  /** Records a value in nanoseconds, `count` times (default 1); below 1 counts as 1, above one hour as one hour. */
  recordNs (valueNs: number, count?: number): void {
    const value = valueNs < 1 ? 1 : valueNs > HIGHEST_NS ? HIGHEST_NS : Math.round(valueNs)
    if (count === undefined) this.#histogram.recordValue(value)
    else this.#histogram.recordValueWithCount(value, count)
  }

  merge (other: Histogram): void {
    this.#histogram.add(other.#histogram)
  }

  /** The value at percentile 0..100, in ns; 0 when empty. */
  percentileNs (percentile: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(percentile)
  }

  get count (): number { return this.#histogram.totalCount }
  get meanNs (): number { return this.#mean((medianNs) => medianNs) }
  get stdDeviationNs (): number {
    const { meanNs } = this
    return Math.sqrt(this.#mean((medianNs) => (medianNs - meanNs) ** 2))
  }

  get maxNs (): number { return this.count === 0 ? 0 : this.#histogram.maxValue }
  get minNs (): number { return this.count === 0 ? 0 : this.#histogram.minNonZeroValue }

  /**
   * Every distinct value with its count, ascending. A value represents all that the histogram cannot tell apart: it is
   * the highest of them, as with percentiles.
   */
  * recorded (): Generator<{ readonly valueNs: number, readonly count: number }> {
    const histogram = this.#histogram as hdr.JsHistogram
    for (const [index, count] of this.#counts()) {
      yield { valueNs: histogram.highestEquivalentValue(histogram.valueFromIndex(index)), count }
    }
  }

  /** Mean of `f`, each value taken as the middle of those that the histogram cannot tell from it; 0 when empty. */
  #mean (f: (medianNs: number) => number): number {
    const histogram = this.#histogram as hdr.JsHistogram
    let sum = 0
    for (const [index, count] of this.#counts()) {
      sum += f(histogram.medianEquivalentValue(histogram.valueFromIndex(index))) * count
    }
    return this.count === 0 ? 0 : sum / this.count
  }

  /**
   * Places in the table of counts that are not 0. The library's iterators compute a value for each of 30,000 places.
   */
  * #counts (): Generator<[index: number, count: number]> {
    const histogram = this.#histogram as hdr.JsHistogram
    if (this.count === 0) return
    const last = histogram.countsArrayIndex(histogram.maxValue)
    for (let index = histogram.countsArrayIndex(histogram.minNonZeroValue); index <= last; index++) {
      const count = histogram.getCountAtIndex(index)
      if (count !== 0) yield [index, count]
    }
  }

  /**
   * Steps of a percentile distribution, ascending, the last one at 100: `ticksPerHalfDistance` equal steps cover half
   * of what is left to 100, and so on until the highest value is reached (HdrHistogram's percentile iterator). None
   * when empty.
   */
  * percentileSteps (ticksPerHalfDistance: number): Generator<PercentileStep> {
    const iterator = (this.#histogram as hdr.JsHistogram).percentileIterator
    iterator.reset(ticksPerHalfDistance)
    while (iterator.hasNext()) {
      const step = iterator.next()
      yield {
        valueNs: step.valueIteratedTo,
        percentile: step.percentileLevelIteratedTo,
        countToValue: step.totalCountToThisValue
      }
    }
  }

  /** Of the layout, for formats that print it. */
  get bucketCount (): number { return (this.#histogram as hdr.JsHistogram).bucketCount }
  get subBucketCount (): number { return (this.#histogram as hdr.JsHistogram).subBucketCount }

  /** HdrHistogram V2, compressed, base64: readable by every HdrHistogram implementation. */
  encode (): string {
    return withStandardHeader(hdr.encodeIntoCompressedBase64(this.#histogram))
  }

  reset (): void {
    this.#histogram.reset()
  }
}

function decodeAny (base64: string): hdr.Histogram {
  try {
    return hdr.decodeFromCompressedBase64(base64, 64, false)
  } catch (cause) {
    throw new TunnelError(ErrorCode.RESULT_INVALID, 'Cannot decode histogram: the text must be HdrHistogram V2, ' +
      `compressed, in base64: ${String(cause)}`, { cause })
  }
}

/**
 * Before the counts, big-endian: cookie i32, length i32, index offset i32, digits i32, lowest i64, highest i64, ratio
 * f64.
 */
const INDEX_OFFSET_AT = 8
const RATIO_AT = 32

/**
 * hdr-histogram-js 3.0.1 writes 1 as index offset (and the integer 1 for the floating-point ratio) and ignores both
 * when it reads. Other implementations (C, Java) take the offset at its word and read every value one step too high, so
 * both are set right here.
 */
function withStandardHeader (base64: string): string {
  const envelope = Buffer.from(base64, 'base64')
  const body = inflateSync(envelope.subarray(8, 8 + envelope.readUInt32BE(4)))
  body.writeInt32BE(0, INDEX_OFFSET_AT)
  body.writeDoubleBE(1, RATIO_AT)
  const compressed = deflateSync(body)
  const head = Buffer.alloc(8)
  envelope.copy(head, 0, 0, 4)
  head.writeUInt32BE(compressed.length, 4)
  return Buffer.concat([head, compressed]).toString('base64')
}
