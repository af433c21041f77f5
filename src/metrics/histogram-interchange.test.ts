import { inflateSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import * as hdr from 'hdr-histogram-js'
import { Histogram } from './histogram.js'
import { NATIVE_MISSING, nativeCounts, readNative } from './testing/native-histogram.js'

const testNative = NATIVE_MISSING === null ? test : test.skip

const latencyNs = fc
  .double({ min: 0, max: Math.log(3.6e12), noNaN: true })
  .map((exponent) => Math.round(Math.exp(exponent)))

testNative('Histogram.encode() is read by the C implementation with every value and every count', (t) => {
  fc.assert(fc.property(fc.array(latencyNs, { minLength: 1, maxLength: 200 }), (valuesNs) => {
    const histogram = new Histogram()
    for (const valueNs of valuesNs) histogram.recordNs(valueNs)
    const native = readNative(histogram.encode())
    t.is(native.totalCount, valuesNs.length)
    t.deepEqual(nativeCounts(native), [...histogram.recorded()])
    for (const percentile of [1, 50, 99, 100]) t.is(native.percentile(percentile), histogram.percentileNs(percentile))
  }), { numRuns: 50 })
})

testNative('Histogram.encode() of nothing is read as nothing', (t) => {
  t.is(readNative(new Histogram().encode()).totalCount, 0)
})

test('Histogram.encode() writes no index offset and a ratio of 1, as the format has them', (t) => {
  const envelope = Buffer.from(new Histogram().encode(), 'base64')
  t.is(envelope.readUInt32BE(0), 0x1c849314)
  t.is(envelope.readUInt32BE(4), envelope.length - 8)
  const body = inflateSync(envelope.subarray(8))
  t.is(body.readUInt32BE(0), 0x1c849313)
  t.is(body.readInt32BE(4), body.length - 40)
  t.deepEqual([body.readInt32BE(8), body.readInt32BE(12)], [0, 3])
  t.deepEqual([body.readBigInt64BE(16), body.readBigInt64BE(24)], [1n, 3_600_000_000_000n])
  t.is(body.readDoubleBE(32), 1)
})

test('Histogram.decode() reads what earlier versions wrote, to the same histogram', (t) => {
  const earlier = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000_000_000,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 64
  })
  const histogram = new Histogram()
  for (const valueNs of [5, 1001, 700_000, 12_345_678]) {
    earlier.recordValue(valueNs)
    histogram.recordNs(valueNs)
  }
  const encoded = hdr.encodeIntoCompressedBase64(earlier)
  t.not(encoded, histogram.encode())
  t.is(Histogram.decode(encoded).encode(), histogram.encode())
})

test('Histogram.percentileSteps() goes up to 100, in halves of what is left', (t) => {
  const histogram = new Histogram()
  for (let valueNs = 1; valueNs <= 1_000; valueNs++) histogram.recordNs(valueNs)
  const steps = [...histogram.percentileSteps(1)]
  t.deepEqual(steps.slice(0, 4), [
    { valueNs: 1, percentile: 0, countToValue: 1 },
    { valueNs: 500, percentile: 50, countToValue: 500 },
    { valueNs: 750, percentile: 75, countToValue: 750 },
    { valueNs: 875, percentile: 87.5, countToValue: 875 }
  ])
  t.deepEqual(steps[steps.length - 1], { valueNs: 1_000, percentile: 100, countToValue: 1_000 })
  t.deepEqual([...new Histogram().percentileSteps(5)], [])
})
