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

export interface RecordedValue {
  readonly valueNs: number
  readonly count: number
}

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
    const decoded = decodeAny(base64) as hdr.JsHistogram
    const {
      lowestDiscernibleValue: lowest, highestTrackableValue: highest, numberOfSignificantValueDigits: digits
    } = decoded
    if (lowest !== 1 || highest !== HIGHEST_NS || digits !== SIGNIFICANT_DIGITS) {
      throw new TunnelError(ErrorCode.RESULT_INVALID,
        `Cannot use histogram: it must track 1 to ${HIGHEST_NS} ns at ${SIGNIFICANT_DIGITS} digits: it tracks ` +
        `${lowest} to ${highest} at ${digits}`)
    }
    return new Histogram(decoded)
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

  /** The highest and the lowest value that the histogram cannot tell from the ends of what was recorded. */
  get maxNs (): number {
    const histogram = this.#histogram as hdr.JsHistogram
    return this.count === 0 ? 0 : histogram.highestEquivalentValue(histogram.maxValue)
  }

  get minNs (): number {
    const histogram = this.#histogram as hdr.JsHistogram
    return this.count === 0 ? 0 : histogram.lowestEquivalentValue(histogram.minNonZeroValue)
  }

  /**
   * Every distinct value with its count, ascending. A value represents all that the histogram cannot tell apart: it is
   * the highest of them, as with percentiles.
   */
  recorded (): RecordedValue[] {
    return this.filledPlaces().map((place) => ({ valueNs: highestNsAt(place), count: this.countAt(place) }))
  }

  /** Places in the table of counts that are not 0, ascending. The table is the same for all histograms. */
  filledPlaces (): number[] {
    const histogram = this.#histogram as hdr.JsHistogram
    const filled: number[] = []
    if (this.count === 0) return filled
    const last = histogram.countsArrayIndex(histogram.maxValue)
    for (let place = histogram.countsArrayIndex(histogram.minNonZeroValue); place <= last; place++) {
      if (histogram.getCountAtIndex(place) !== 0) filled.push(place)
    }
    return filled
  }

  countAt (place: number): number {
    return (this.#histogram as hdr.JsHistogram).getCountAtIndex(place)
  }

  /** Adds what another histogram has at these places. */
  addAt (places: Uint16Array, counts: Float64Array): void {
    const histogram = this.#histogram as hdr.JsHistogram
    if (places.length === 0) return
    let total = 0
    for (let at = 0; at < places.length; at++) {
      histogram.addToCountAtIndex(places[at]!, counts[at]!)
      total += counts[at]!
    }
    histogram.addToTotalCount(total)
    histogram.updateMinAndMax(highestNsAt(places[0]!))
    histogram.updateMinAndMax(highestNsAt(places[places.length - 1]!))
  }

  /** Mean of `f`, each value taken as the middle of those that the histogram cannot tell from it; 0 when empty. */
  #mean (f: (middleNs: number) => number): number {
    let sum = 0
    for (const place of this.filledPlaces()) sum += f(middleNsAt(place)) * this.countAt(place)
    return this.count === 0 ? 0 : sum / this.count
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

interface Tables {
  readonly middleNs: Float64Array
  readonly highestNs: Float64Array
}

/** What each place in the table of counts stands for; the library computes it anew each time. */
let tables: Tables | null = null

function makeTables (): Tables {
  const layout = hdr.build(SHAPE) as hdr.JsHistogram
  const lowestNs = Float64Array.from({ length: layout.countsArrayLength }, (_, place) => layout.valueFromIndex(place))
  return {
    middleNs: lowestNs.map((valueNs) => layout.medianEquivalentValue(valueNs)),
    highestNs: lowestNs.map((valueNs) => layout.highestEquivalentValue(valueNs))
  }
}

function middleNsAt (place: number): number {
  return (tables ??= makeTables()).middleNs[place]!
}

/** The highest value that is counted at a place. */
export function highestNsAt (place: number): number {
  return (tables ??= makeTables()).highestNs[place]!
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
