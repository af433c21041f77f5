import test from 'ava'
import { renderOha, toOha } from './oha.js'
import { makeCell, makeRound, timesNs } from '../testing/fixture.js'

test('toOha() gives every time in seconds: 1.5 ms is 0.0015', t => {
  const oha = toOha(
    makeCell('stream', { rounds: [makeRound({ ok: 10, latencyNs: 1_500_000, connect: timesNs([250_000]) })] })
  )
  t.is(oha.latencyPercentiles.p50, 0.0015)
  t.deepEqual([oha.summary.average, oha.summary.slowest], [0.0015, 0.0015])
  // The lowest value that the histogram cannot tell from 1.5 ms.
  t.is(oha.summary.fastest, 0.001499)
  t.deepEqual(oha.details.DNSDialup, { average: 0.00025, fastest: 0.00025, slowest: 0.0002501 })
  t.deepEqual(oha.responseTimeHistogram, { 0.0015: 10 })
})

test('toOha() counts verified responses only, over the time of all rounds', t => {
  const oha = toOha(
    makeCell('stream', {
      rounds: [
        makeRound({
          round: 0,
          ok: 300,
          windowMs: 1_000,
          bodyBytes: 600,
          counts: { timeout: 50, badStatus: 30, mismatch: 10, unfinished: 8 }
        }),
        makeRound({
          round: 1,
          ok: 100,
          windowMs: 3_000,
          bodyBytes: 200,
          counts: { reset: 7, refused: 3, unfinished: 8 }
        })
      ]
    })
  )
  t.is(oha.summary.total, 4)
  t.is(oha.summary.requestsPerSec, 100)
  t.is(oha.summary.successRate, 0.8)
  t.is(oha.summary.totalData, 800)
  t.is(oha.summary.sizePerRequest, 2)
  t.is(oha.summary.sizePerSec, 200)
  t.deepEqual(oha.statusCodeDistribution, { 200: 400 })
  t.deepEqual(oha.errorDistribution, {
    'unexpected status code': 30,
    'unexpected response': 10,
    timeout: 50,
    'connection reset': 7,
    'connection refused': 3,
    'aborted due to deadline': 16
  })
})

test('toOha() gives null, not 0, for bytes that an external generator did not tell', t => {
  const { summary } = toOha(
    makeCell('stream', { rounds: [makeRound({ ok: 300 }), makeRound({ round: 1, ok: 100, bodyBytes: null })] })
  )
  t.deepEqual([summary.totalData, summary.sizePerRequest, summary.sizePerSec], [null, null, null])
})

test('toOha() summarizes RPS over the rounds', t => {
  const { rps } = toOha(makeCell('stream', { rounds: [200, 100, 600].map((ok, round) => makeRound({ ok, round })) }))
  t.is(rps.mean, 300)
  // Sample deviation: the square root of (100² + 200² + 300²) / 2.
  t.is(rps.stddev, Math.sqrt(70_000))
  t.deepEqual([rps.min, rps.percentiles.p50, rps.percentiles.p99, rps.max], [100, 200, 600, 600])
})

test('toOha() has the keys of oha', t => {
  const oha = toOha(makeCell('stream'))
  t.deepEqual(Object.keys(oha), [
    'summary',
    'responseTimeHistogram',
    'latencyPercentiles',
    'rps',
    'details',
    'statusCodeDistribution',
    'errorDistribution'
  ])
  t.deepEqual(Object.keys(oha.summary), [
    'successRate',
    'total',
    'slowest',
    'fastest',
    'average',
    'requestsPerSec',
    'totalData',
    'sizePerRequest',
    'sizePerSec'
  ])
  for (const percentiles of [oha.latencyPercentiles, oha.rps.percentiles]) {
    t.deepEqual(Object.keys(percentiles), ['p10', 'p25', 'p50', 'p75', 'p90', 'p95', 'p99', 'p99.9', 'p99.99'])
  }
  t.deepEqual(Object.keys(oha.rps), ['mean', 'stddev', 'max', 'min', 'percentiles'])
})

test('toOha() puts every response into one of eleven bins', t => {
  const latency = timesNs([1_000_000, 2_000_000, 12_000_000, 900_000_000])
  const { responseTimeHistogram } = toOha(makeCell('stream', { rounds: [makeRound({ ok: 4, latency })] }))
  const edges = Object.keys(responseTimeHistogram).map(Number)
  t.is(edges.length, 11)
  t.deepEqual([...edges].sort((a, b) => a - b), edges)
  t.deepEqual(Object.values(responseTimeHistogram), [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  // Up to three times the mean of 228.75 ms; the bins are (686.25 - 1) / 11 ms wide.
  t.true(Math.abs((edges[0] ?? 0) - 0.0633) < 0.0002)
  t.true(Math.abs((edges[10] ?? 0) - 0.686) < 0.001)
})

for (const [state, rounds, total] of [
  ['without a right response', [makeRound({ ok: 0 })], 1],
  ['without a round', [], 0]
] as const) {
  test(`toOha() gives null, never NaN, for a cell ${state}`, (t) => {
    const oha = toOha(makeCell('stream', { rounds: rounds.map((round) => ({ ...round, connect: timesNs([]) })) }))
    t.is(oha.summary.total, total)
    t.is(oha.summary.requestsPerSec, rounds.length === 0 ? null : 0)
    t.is(oha.summary.successRate, null)
    t.is(oha.summary.slowest, null)
    t.is(oha.summary.sizePerRequest, null)
    t.is(oha.latencyPercentiles['p99.9'], null)
    t.is(oha.details.DNSDialup.average, null)
    t.is(oha.rps.stddev, null)
    t.deepEqual(oha.responseTimeHistogram, {})
    t.deepEqual(oha.statusCodeDistribution, {})
  })
}

test('renderOha() writes JSON that ends with a line break', t => {
  const cell = makeCell('stream')
  const text = renderOha(cell)
  t.deepEqual(JSON.parse(text), toOha(cell))
  t.true(text.endsWith('}\n'))
})
