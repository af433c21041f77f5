import test from 'ava'
import fc from 'fast-check'
import * as hdr from 'hdr-histogram-js'
import { ErrorCode } from '../base/errors.js'
import { Histogram } from './histogram.js'

const HOUR_NS = 3_600_000_000_000
/** 3 significant digits: a value is told from its neighbours to one part in a thousand. */
const PRECISION = 1e-3

function histogramOf (values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.recordNs(value)
  return histogram
}

const isNear = (value: number, expected: number): boolean => Math.abs(value - expected) <= expected * PRECISION

/** Spread over all magnitudes, as latencies are. */
const latencyNs = fc
  .double({ min: 0, max: Math.log(HOUR_NS), noNaN: true })
  .map((exponent) => Math.round(Math.exp(exponent)))

test('Histogram.merge() of any parts, encoded and decoded, equals one recording bit for bit', (t) => {
  fc.assert(fc.property(fc.array(fc.array(latencyNs, { maxLength: 40 }), { minLength: 1, maxLength: 5 }), (parts) => {
    const merged = new Histogram()
    for (const part of parts) merged.merge(Histogram.decode(histogramOf(part).encode()))
    const single = histogramOf(parts.flat())
    t.is(merged.encode(), single.encode())
    t.is(merged.count, parts.flat().length)
    t.deepEqual(
      [0, 50, 99, 100].map((p) => merged.percentileNs(p)),
      [0, 50, 99, 100].map((p) => single.percentileNs(p))
    )
  }), { numRuns: 50 })
})

test('Histogram.decode() gives back every figure', (t) => {
  const histogram = histogramOf([850, 20_000, 20_000, 1_500_000])
  const decoded = Histogram.decode(histogram.encode())
  t.is(decoded.count, 4)
  t.is(decoded.meanNs, histogram.meanNs)
  t.is(decoded.stdDeviationNs, histogram.stdDeviationNs)
  t.is(decoded.encode(), histogram.encode())
})

test('Histogram tells the mean, the deviation and every value as hdr-histogram-js does', (t) => {
  fc.assert(fc.property(fc.array(latencyNs, { minLength: 1, maxLength: 40 }), (values) => {
    const known = hdr.build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: HOUR_NS,
      numberOfSignificantValueDigits: 3,
      bitBucketSize: 64
    }) as hdr.JsHistogram
    for (const value of values) known.recordValue(Math.max(1, value))
    const recorded: Array<[number, number]> = []
    for (known.recordedValuesIterator.reset(); known.recordedValuesIterator.hasNext();) {
      const { valueIteratedTo, countAtValueIteratedTo } = known.recordedValuesIterator.next()
      recorded.push([valueIteratedTo, countAtValueIteratedTo])
    }
    const histogram = histogramOf(values)
    t.deepEqual([histogram.meanNs, histogram.stdDeviationNs], [known.mean, known.stdDeviation])
    t.deepEqual([...histogram.recorded()].map(({ valueNs, count }) => [valueNs, count]), recorded)
  }), { numRuns: 50 })
})

test('Histogram.percentileNs() is right at the extremes', (t) => {
  const histogram = histogramOf(Array.from({ length: 1_000 }, (_, i) => (i + 1) * 1_000))
  t.true(isNear(histogram.percentileNs(0), 1_000))
  t.true(isNear(histogram.percentileNs(50), 500_000))
  t.true(isNear(histogram.percentileNs(99.9), 999_000))
  t.true(isNear(histogram.percentileNs(100), 1_000_000))
  t.true(isNear(histogram.minNs, 1_000))
  t.true(isNear(histogram.maxNs, 1_000_000))
  t.true(isNear(histogram.meanNs, 500_500))
})

test('Histogram.percentileNs() of one value is that value everywhere', (t) => {
  for (const percentile of [0, 1, 50, 99.999, 100]) {
    t.true(isNear(histogramOf([123_456]).percentileNs(percentile), 123_456))
  }
})

test('Histogram of nothing is all zeros, and survives encoding', (t) => {
  for (const histogram of [new Histogram(), Histogram.decode(new Histogram().encode())]) {
    t.is(histogram.count, 0)
    t.deepEqual(
      [
        histogram.percentileNs(0),
        histogram.percentileNs(100),
        histogram.meanNs,
        histogram.stdDeviationNs,
        histogram.minNs,
        histogram.maxNs
      ],
      [0, 0, 0, 0, 0, 0]
    )
  }
})

test('Histogram.recordNs() keeps values below a microsecond and rounds fractions', (t) => {
  t.is(histogramOf([900]).percentileNs(50), 900)
  t.is(histogramOf([1]).percentileNs(50), 1)
  t.is(histogramOf([41.6]).percentileNs(50), 42)
})

test('Histogram.recordNs() counts values below 1 ns as 1 and values beyond an hour as one hour', (t) => {
  const histogram = histogramOf([0, -5, 0.2, HOUR_NS * 10, Infinity])
  t.is(histogram.count, 5)
  t.is(histogram.percentileNs(0), 1)
  t.true(isNear(histogram.percentileNs(100), HOUR_NS))
  t.is(histogram.encode(), histogramOf([1, 1, 1, HOUR_NS, HOUR_NS]).encode())
})

test('Histogram.reset() forgets everything', (t) => {
  const histogram = histogramOf([1, 2, 3])
  histogram.reset()
  t.is(histogram.encode(), new Histogram().encode())
})

test('Histogram.decode() refuses what is not such a histogram', (t) => {
  const other = hdr.build({ lowestDiscernibleValue: 1, highestTrackableValue: 1e9, numberOfSignificantValueDigits: 2 })
  other.recordValue(5)
  for (const text of [
    '',
    'abc',
    Buffer.from('hello world').toString('base64'),
    new Histogram().encode().slice(0, 20),
    hdr.encodeIntoCompressedBase64(other)
  ]) {
    t.throws(() => Histogram.decode(text), { code: ErrorCode.RESULT_INVALID }, text)
  }
})
