import test from 'ava'
import { Histogram } from '../metrics/histogram.js'
import { cpuPerResponse, mergeHistograms, percentileOrNull, rateOf, rateRatio, spreadOf } from './statistics.js'
import { makeRound, timesNs } from '../report/testing/fixture.js'

test('spreadOf() gives median, minimum and maximum of an odd number of values', t => {
  t.deepEqual(spreadOf([30, 10, 20]), { median: 20, min: 10, max: 30, rounds: 3 })
})

test('spreadOf() takes the mean of the middle two of an even number, in numeric order', t => {
  t.deepEqual(spreadOf([100, 9, 20, 30]), { median: 25, min: 9, max: 100, rounds: 4 })
})

test('spreadOf() of one value is that value, of none null', t => {
  t.deepEqual(spreadOf([7]), { median: 7, min: 7, max: 7, rounds: 1 })
  t.is(spreadOf([]), null)
})

test('rateOf() divides verified responses by the window that was measured', t => {
  t.deepEqual(rateOf(makeRound({ round: 3, ok: 500, windowMs: 250, counts: { timeout: 99, unfinished: 8 } })), {
    round: 3,
    ratePerSec: 2000
  })
})

test('rateRatio() compares within rounds: the ratio of medians would be 1.5, the median of ratios is 0.5', t => {
  const reference = [{ round: 0, ratePerSec: 100 }, { round: 1, ratePerSec: 200 }, { round: 2, ratePerSec: 800 }]
  const rates = [{ round: 2, ratePerSec: 320 }, { round: 0, ratePerSec: 50 }, { round: 1, ratePerSec: 300 }]
  t.deepEqual(rateRatio(rates, reference), { median: 0.5, min: 0.4, max: 1.5, rounds: 3 })
})

test('rateRatio() uses only rounds that both have, and none in which the reference answered nothing', t => {
  const reference = [{ round: 0, ratePerSec: 0 }, { round: 1, ratePerSec: 200 }, { round: 3, ratePerSec: 10 }]
  t.deepEqual(
    rateRatio(
      [0, 1, 2].map((round) => ({ round, ratePerSec: 100 })),
      reference
    ),
    { median: 0.5, min: 0.5, max: 0.5, rounds: 1 }
  )
  t.is(rateRatio([{ round: 0, ratePerSec: 100 }], reference), null)
  t.is(rateRatio([{ round: 2, ratePerSec: 100 }], reference), null)
})

for (const [percentile, needed] of [[50, 1], [90, 100], [99, 1_000], [99.9, 10_000]] as const) {
  test(`percentileOrNull() withholds p${percentile} below ${needed} samples`, t => {
    const histogram = new Histogram()
    for (let i = 1; i < needed; i++) histogram.recordNs(1_000)
    t.is(percentileOrNull(histogram, percentile), null)
    histogram.recordNs(1_000)
    t.is(percentileOrNull(histogram, percentile), 1_000)
  })
}

test('mergeHistograms() merges counts: the median of 3 × 1 µs and 1 × 9 µs is 1 µs and not 5', t => {
  const merged = mergeHistograms([timesNs([1_000], 3), timesNs([9_000])])
  t.is(merged.count, 4)
  t.is(merged.percentileNs(50), 1_000)
  t.is(mergeHistograms([]).count, 0)
})

test('cpuPerResponse() divides the sum over rounds by the responses of the same rounds', t => {
  const rounds = [
    makeRound({
      allResponses: 100,
      cpu: { load: { userUs: 200, systemUs: 1_000 }, host: null, plugin: { userUs: 300, systemUs: 0 } }
    }),
    makeRound({ allResponses: 300, cpu: { load: { userUs: 1_000, systemUs: 600 }, host: null, plugin: null } })
  ]
  t.deepEqual(
    [...cpuPerResponse(rounds)],
    [
      ['load', { userUs: 3, systemUs: 4 }],
      ['host', null],
      ['plugin', { userUs: 3, systemUs: 0 }]
    ]
  )
})

test('cpuPerResponse() is null for a role of a cell without a response', t => {
  t.deepEqual(
    [...cpuPerResponse([makeRound({ ok: 0, allResponses: 0, cpu: { load: { userUs: 1, systemUs: 1 } } })])],
    [['load', null]]
  )
})
