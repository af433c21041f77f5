import test from 'ava'
import { emptyCounts, type RequestCounts } from '../metrics/counts.js'
import { Histogram } from '../metrics/histogram.js'
import { probeOf } from './knee-bound.js'
import { snapshotOf, timesNs } from '../report/testing/fixture.js'
import type { KneeProbe } from '../result/sweep-result.js'

/** `ok` responses, of which `late` took 20 ms and the others 1 ms. */
function probe (offered: number, counts: Partial<RequestCounts>, late = 0): KneeProbe {
  const response = new Histogram()
  const all = { ...emptyCounts(), ...counts }
  for (let i = 0; i < all.ok; i++) response.recordNs(i < late ? 20e6 : 1e6)
  return probeOf({ counts: all, latency: timesNs([]), response: snapshotOf(response), offered }, 1_000, 10)
}

test('probeOf() meets the bound where 99 % are answered right and 99 % of these in time', (t) => {
  t.like(probe(1_000, { ok: 1_000 }), { achieved: 1, errors: 0, isMet: true })
  t.true(probe(1_000, { ok: 1_000 }, 10).isMet)
  t.false(probe(1_000, { ok: 1_000 }, 11).isMet)
  t.true(probe(1_000, { ok: 990 }).isMet)
  t.like(probe(1_000, { ok: 989 }), { achieved: 0.989, isMet: false })
})

test('probeOf() allows for requests on their way at the end, and for no more than can be in time', (t) => {
  // 1,000 per second, 10 ms: ten.
  t.true(probe(1_000, { ok: 980, unfinished: 10 }).isMet)
  t.like(probe(1_000, { ok: 979, unfinished: 10 }), { achieved: 0.989, isMet: false })
  t.false(probe(1_000, { ok: 979, unfinished: 21 }).isMet)
})

test('probeOf() is not met with an error, nothing offered, or too few responses', (t) => {
  t.like(probe(1_000, { ok: 999, reset: 1 }), { errors: 1, isMet: false })
  t.like(probe(0, {}), { p99Ns: null, achieved: 0, isMet: false })
  t.like(probe(99, { ok: 99 }), { p99Ns: null, isMet: false })
  t.true(probe(100, { ok: 100 }).isMet)
})
