import test from 'ava'
import fc from 'fast-check'
import { SECOND_NS } from '../../base/clock.js'
import { Histogram } from '../../metrics/histogram.js'
import { mergeSeconds, SecondSeries } from './second-series.js'

test('SecondSeries puts an outcome into the second of its sending, and lists seconds without any', (t) => {
  const series = new SecondSeries()
  series.addSent(SECOND_NS - 1)
  series.addOk(SECOND_NS - 1, 5 * SECOND_NS)
  series.addSent(2 * SECOND_NS)
  const { seconds, latency } = series.result(2.5 * SECOND_NS)
  t.deepEqual(
    seconds.map(({ startMs, lengthMs, sent, ok }) => [startMs, lengthMs, sent, ok]),
    [
      [0, 1_000, 1, 1],
      [1_000, 1_000, 0, 0],
      [2_000, 500, 1, 0]
    ]
  )
  t.is(Histogram.decode(latency).count, 1)
})

test('SecondSeries of a window that never opened has no second', (t) => {
  t.deepEqual(new SecondSeries().result(0).seconds, [])
})

test('SecondSeries keeps every outcome of a long window when old seconds are sealed, also one that ' +
  'comes too late', (t) => {
  const series = new SecondSeries()
  const all = new Histogram()
  for (let second = 0; second < 300; second++) {
    series.addSent(second * SECOND_NS)
    series.addOk(second * SECOND_NS, second + 1)
    all.recordNs(second + 1)
    series.seal(second * SECOND_NS)
  }
  t.is(series.peek(0), null, 'the first second has been encoded')
  series.addOk(0, 77)
  all.recordNs(77)
  const { seconds, latency } = series.result(300 * SECOND_NS)
  t.is(seconds.length, 300)
  t.is(seconds[0]!.ok, 2)
  t.is(latency, all.encode())
})

test('mergeSeconds() of several series equals one series bit for bit, and its seconds add up to the whole', (t) => {
  const event = fc.record({
    slice: fc.nat(2),
    atNs: fc.nat(3 * SECOND_NS - 1),
    latencyNs: fc.nat(1e9),
    isOk: fc.boolean()
  })
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), (events) => {
    const slices = [0, 1, 2].map(() => new SecondSeries())
    const single = new SecondSeries()
    for (const { slice, atNs, latencyNs, isOk } of events) {
      for (const series of [slices[slice]!, single]) {
        series.addSent(atNs)
        if (isOk) series.addOk(atNs, latencyNs)
      }
    }
    const expected = single.result(3 * SECOND_NS)
    t.deepEqual(mergeSeconds(slices.map((series) => series.result(3 * SECOND_NS).seconds)), expected.seconds)
    const sum = new Histogram()
    for (const { latency } of expected.seconds) sum.merge(Histogram.decode(latency))
    t.is(sum.encode(), expected.latency)
  }), { numRuns: 30 })
})
