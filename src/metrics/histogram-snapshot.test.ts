import test from 'ava'
import fc from 'fast-check'
import { ErrorCode } from '../base/errors.js'
import { HistogramSnapshot } from './histogram-snapshot.js'
import { Histogram } from './histogram.js'

const HOUR_NS = 3_600_000_000_000

const valuesNs = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.double({ min: 0, max: 2 * HOUR_NS, noNaN: true })),
  { maxLength: 200 }
)

test('HistogramSnapshot says what the histogram says, and merges to the same', t => {
  fc.assert(fc.property(valuesNs, valuesNs, fc.double({ min: 0, max: 100, noNaN: true }), (first, second, any) => {
    const [one, both, merged] = [new Histogram(), new Histogram(), new Histogram()]
    for (const valueNs of first) one.recordNs(valueNs)
    for (const valueNs of [...first, ...second]) both.recordNs(valueNs)
    const rest = new Histogram()
    for (const valueNs of second) rest.recordNs(valueNs)
    const snapshot = new HistogramSnapshot(one.encode())
    for (const name of ['count', 'meanNs', 'stdDeviationNs', 'minNs', 'maxNs'] as const) t.is(snapshot[name], one[name])
    for (const percentile of [1, 10, 50, 90, 99, 99.9, 100, Math.max(0.001, any)]) {
      t.is(snapshot.percentileNs(percentile), one.percentileNs(percentile))
    }
    t.deepEqual([...snapshot.recorded()], [...one.recorded()])
    for (const part of [snapshot, new HistogramSnapshot(rest.encode())]) part.addTo(merged)
    t.is(merged.encode(), both.encode())
  }), { numRuns: 100 })
})

test('HistogramSnapshot is its text in JSON', t => {
  const histogram = new Histogram()
  histogram.recordNs(1_000)
  const text = histogram.encode()
  t.is(JSON.stringify({ latency: new HistogramSnapshot(text) }), JSON.stringify({ latency: text }))
})

test('HistogramSnapshot refuses what is no histogram', t => {
  t.throws(() => new HistogramSnapshot('AAAA'), { code: ErrorCode.RESULT_INVALID })
})
