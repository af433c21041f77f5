import test from 'ava'
import fc from 'fast-check'
import { emptyCounts, errorCount } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import { Tally, mergeResults, type Outcome } from './tally.js'

function tallyOf (startNs: number, endNs: number, isOpen = false): Tally {
  const tally = new Tally(isOpen)
  tally.setWindow(startNs, endNs)
  return tally
}

test('Tally counts a request sent and settled inside the window, with its latency', (t) => {
  const tally = tallyOf(1_000, 2_000)
  tally.addOutcome('ok', 1_000, 2_000, 1_000, 200, 7)
  const result = tally.result(null, null)
  t.deepEqual(result.counts, { ...emptyCounts(), sent: 1, ok: 1 })
  t.is(result.bodyBytes, 7)
  t.is(Histogram.decode(result.latency).percentileNs(50), 1_000)
  t.is(result.windowMs, 0.001)
})

test('Tally does not count a request of the warm-up, even if it is settled inside the window', (t) => {
  const tally = tallyOf(1_000, 2_000)
  for (const outcome of ['ok', 'badStatus', 'mismatch', 'timeout', 'reset'] as const) {
    tally.addOutcome(outcome, 999, 1_500)
  }
  tally.addUnfinished(999)
  const result = tally.result(null, null)
  t.deepEqual(result.counts, emptyCounts())
  t.is(Histogram.decode(result.latency).count, 0)
  t.is(result.allResponses, 2)
})

test('Tally does not count a request sent at the end of the window or later', (t) => {
  const tally = tallyOf(1_000, 2_000)
  tally.addOutcome('ok', 2_000, 2_100)
  tally.addUnfinished(2_000)
  t.is(tally.result(null, null).counts.sent, 0)
})

test('Tally counts what was settled after the window as unfinished, whatever became of it', (t) => {
  const tally = tallyOf(1_000, 2_000)
  for (const outcome of ['ok', 'badStatus', 'mismatch', 'timeout', 'reset'] as const) {
    tally.addOutcome(outcome, 1_500, 2_001)
  }
  tally.addUnfinished(1_999)
  const result = tally.result(null, null)
  t.deepEqual(result.counts, { ...emptyCounts(), sent: 6, unfinished: 6 })
  t.is(result.bodyBytes, 0)
  t.is(Histogram.decode(result.latency).count, 0)
})

test('Tally counts a refused attempt where it failed inside the window', (t) => {
  const tally = tallyOf(1_000, 2_000)
  for (const at of [999, 1_000, 2_000, 2_001]) tally.addRefused(at)
  t.deepEqual(tally.result(null, null).counts, { ...emptyCounts(), sent: 2, refused: 2 })
})

test('Tally.cutWindow() shortens the window, and never below nothing', (t) => {
  const tally = tallyOf(1_000_000, 5_000_000)
  tally.cutWindow(3_000_000)
  tally.cutWindow(4_000_000)
  t.is(tally.result(null, null).windowMs, 2)
  const early = tallyOf(1_000, 2_000)
  early.cutWindow(500)
  t.is(early.result(null, null).windowMs, 0)
  t.is(new Tally().result(null, null).windowMs, 0)
})

test('Tally.addProblem() keeps the first five distinct ones', (t) => {
  const tally = tallyOf(0, 1)
  for (const problem of ['a', 'a', 'b', 'c', 'd', 'e', 'f']) tally.addProblem(problem)
  t.deepEqual(tally.result(null, null).problems, ['a', 'b', 'c', 'd', 'e'])
})

test('Tally keeps the identity of counts, and mergeResults() equals one tally, whatever happens', (t) => {
  const event = fc.record({
    slice: fc.nat(2),
    kind: fc.constantFrom<Outcome | 'unfinished' | 'refused' | 'connect'>(
      'ok',
      'ok',
      'badStatus',
      'mismatch',
      'timeout',
      'reset',
      'unfinished',
      'refused',
      'connect'
    ),
    sentAtNs: fc.nat(3_000),
    tookNs: fc.nat(2_000),
    lateNs: fc.nat(1_500)
  })
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), fc.boolean(), (events, isOpen) => {
    const slices = [0, 1, 2].map(() => tallyOf(1_000, 2_000, isOpen))
    const single = tallyOf(1_000, 2_000, isOpen)
    for (const { slice, kind, sentAtNs, tookNs, lateNs } of events) {
      const intendedNs = sentAtNs - lateNs
      for (const tally of [slices[slice]!, single]) {
        if (isOpen) tally.addOffered(intendedNs)
        if (kind === 'unfinished') tally.addUnfinished(sentAtNs, intendedNs)
        else if (kind === 'refused') tally.addRefused(sentAtNs)
        else if (kind === 'connect') tally.addConnect(tookNs)
        else tally.addOutcome(kind, sentAtNs, sentAtNs + tookNs, isOpen ? intendedNs : sentAtNs, 200, 10)
      }
    }
    const expected = single.result({ userUs: 30, systemUs: 3 }, 0.5)
    t.deepEqual(mergeResults(slices.map((tally, i) => tally.result({ userUs: 10, systemUs: 1 }, i / 4))), expected)
    const { counts } = expected
    t.is(counts.sent, counts.ok + errorCount(counts) + counts.unfinished)
    t.is(Histogram.decode(expected.latency).count, counts.ok)
    if (isOpen) t.is(Histogram.decode(expected.lag!).count, counts.sent - counts.refused)
    t.is(Object.values(expected.statuses).reduce((sum, count) => sum + count, 0), counts.ok + counts.badStatus)
  }), { numRuns: 100 })
})

test('mergeResults() knows no CPU time if one slice does not, and keeps problems distinct', (t) => {
  const [one, other] = [tallyOf(0, 1_000_000), tallyOf(0, 2_000_000)]
  for (const problem of ['a', 'b', 'c']) one.addProblem(problem)
  for (const problem of ['b', 'd', 'e', 'f']) other.addProblem(problem)
  const merged = mergeResults([one.result({ userUs: 1, systemUs: 1 }, null), other.result(null, null)])
  t.is(merged.cpu, null)
  t.deepEqual(merged.problems, ['a', 'b', 'c', 'd', 'e'])
  t.is(merged.windowMs, 2)
})

test('Tally of an open loop takes the response from the intended start, the service from the sending, and the lag ' +
  'from one to the other', (t) => {
  const tally = tallyOf(1_000, 5_000, true)
  tally.addOutcome('ok', 2_000, 2_300, 1_100)
  tally.addOutcome('ok', 1_500, 1_600, 500)
  tally.addUnfinished(4_000, 3_000)
  for (const intendedNs of [999, 1_000, 4_999, 5_000]) tally.addOffered(intendedNs)
  for (const intendedNs of [4_999, 5_000]) tally.addUnsent(intendedNs)
  const { latency, response, lag, offered, unsent } = tally.result(null, null)
  const recorded = (text: string | null): number[] =>
    [...Histogram.decode(text!).recorded()].map(({ valueNs }) => valueNs)
  t.deepEqual(recorded(latency), [100, 300])
  t.deepEqual(recorded(response), [1_100, 1_200])
  t.deepEqual(recorded(lag), [900, 1_000])
  t.is(offered, 2)
  t.is(unsent, 1)
})

test('Tally of a closed loop has no response time and no plan', (t) => {
  const { response, lag, offered, unsent } = tallyOf(0, 1_000).result(null, null)
  t.deepEqual([response, lag, offered, unsent], [null, null, null, 0])
})

test('Tally puts a response into the second in which its request was sent, though it was to be sent and was answered ' +
  'in others', (t) => {
  const tally = tallyOf(0, 3e9, true)
  tally.addOutcome('ok', 1.5e9, 2.5e9, 0.5e9)
  tally.addRefused(2.5e9)
  const { seconds } = tally.result(null, null)
  t.deepEqual(
    seconds.map(({ sent, ok }) => [sent, ok]),
    [
      [0, 0],
      [1, 1],
      [1, 0]
    ]
  )
})

test('Tally counts what was sent once more, and what this side was out of, where they belong to the window', (t) => {
  const tally = tallyOf(1_000, 2_000)
  for (const at of [999, 1_000, 1_999, 2_000]) tally.addRetried(at)
  tally.addRefused(999, 'exhausted')
  tally.addRefused(1_500, 'exhausted')
  tally.addRefused(1_500)
  const result = tally.result(null, null)
  t.is(result.retried, 2)
  t.deepEqual(result.counts, { ...emptyCounts(), sent: 2, refused: 1, exhausted: 1 })
  const merged = mergeResults([result, result, tallyOf(1_000, 2_000).result(null, null)])
  t.is(merged.retried, 4)
  t.deepEqual(merged.counts, { ...emptyCounts(), sent: 4, refused: 2, exhausted: 2 })
})
