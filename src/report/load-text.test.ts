import test from 'ava'
import { emptyCounts } from '../metrics/counts.js'
import { formatLoadStatus, loadFailure, ohaSourceOf, renderLoadText, type LoadFigures } from './load-text.js'
import { toOha } from './export/oha.js'
import { timesNs } from './testing/fixture.js'

function figures (changes: Partial<LoadFigures> = {}): LoadFigures {
  return {
    windowMs: 2_000,
    counts: { ...emptyCounts(), sent: 1_003, ok: 1_000, unfinished: 3 },
    bodyBytes: 2_048,
    latency: timesNs([1_000_000], 1_000),
    response: null,
    lag: null,
    offered: null,
    unsent: 0,
    seconds: [
      { startMs: 0, lengthMs: 1_000, sent: 601, ok: 600, latency: timesNs([1]) },
      { startMs: 1_000, lengthMs: 1_000, sent: 402, ok: 400, latency: timesNs([1]) }
    ],
    connect: timesNs([200_000], 4),
    retried: 0,
    statuses: { 200: 1_000 },
    problems: [],
    allResponses: 1_000,
    busy: 0.25,
    ...changes
  }
}

const open = { response: timesNs([3_000_000], 1_000), lag: timesNs([2_000_000], 1_003), offered: 1_010, unsent: 7 }

test('renderLoadText() writes this of a closed loop', (t) => {
  t.is(renderLoadText(figures()), `Summary
  Success     100 %, 1,000 of 1,000 requests
  Unfinished  3 on their way at the end
  Time        2s
  Rate        500 good responses per second
  Data        2 KiB, 1 KiB per second
  Generator   busy for 25 % of the time

Latency in ms   service    connect
  fastest          1.00      0.200
  average          1.00      0.200
  p50              1.00      0.200
  p90              1.00          -
  p99              1.00          -
  p99.9               -          -
  slowest          1.00      0.200
  -: too few samples (p90 needs 100, p99 needs 1,000, p99.9 needs 10,000)

Histogram of service times in ms
       1.00        1,000  ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■

Responses by status
  200         1,000
`)
})

test('renderLoadText() has response time, service time and lag of an open loop, and says what was never sent', (t) => {
  const text = renderLoadText(figures(open))
  t.true(text.includes('\nLatency in ms  response    service        lag    connect\n'))
  t.regex(text, /^ {2}p99 +3\.00 +1\.00 +2\.00 +-$/m)
  t.true(text.includes('  Plan        1,010 requests, 505 per second; 7 never sent\n'))
  t.true(text.includes('7 planned requests were never sent'))
  t.true(text.includes('Histogram of response times'))
})

test('renderLoadText() withholds percentiles below their sample count', (t) => {
  for (const [count, shown] of [
    [99, ['p50']],
    [100, ['p50', 'p90']],
    [999, ['p50', 'p90']],
    [1_000, ['p50', 'p90', 'p99']],
    [10_000, ['p50', 'p90', 'p99', 'p99.9']]
  ] as const) {
    const text = renderLoadText(figures({ latency: timesNs([1_000_000], count) }))
    for (const name of ['p50', 'p90', 'p99', 'p99.9']) {
      t.is(
        new RegExp(`^ {2}${name.replace('.', '\\.')} +1\\.00`, 'm').test(text),
        (shown as readonly string[]).includes(name),
        `${name} of ${count}`
      )
    }
  }
})

test('renderLoadText() of a dead server shows zero and why, in one line each', (t) => {
  const counts = { ...emptyCounts(), sent: 5, refused: 5 }
  const text = renderLoadText(
    figures({
      counts,
      bodyBytes: 0,
      latency: timesNs([]),
      connect: timesNs([]),
      statuses: {},
      problems: ['refused: nothing\nlistens\x1b[31m']
    })
  )
  t.true(text.includes('Success     0 %, 0 of 5 requests'))
  t.true(text.includes('Rate        0 good responses per second'))
  t.true(text.includes('  5 refused\n  refused: nothing listens [31m\n'))
})

test('renderLoadText() says that the generator may be what limits', (t) => {
  t.false(renderLoadText(figures({ busy: 0.89 })).includes('may be what limits'))
  t.true(renderLoadText(figures({ busy: 0.9 })).includes('busy for 90 % of the time: it may be what limits'))
})

test('loadFailure() is null only where something was answered and nothing failed', (t) => {
  t.is(loadFailure(figures()), null)
  t.is(loadFailure({ counts: { ...emptyCounts(), sent: 3, unfinished: 3 } }), 'no request was answered')
  t.is(
    loadFailure({ counts: { ...emptyCounts(), sent: 9, ok: 8, badStatus: 1 } }),
    '1 of 9 requests failed: 1 bad status'
  )
})

test('toOha() of a load has its statuses, its seconds and, in an open loop, response times', (t) => {
  const closed = toOha(ohaSourceOf(figures({ statuses: { 200: 1_000, 404: 2 } })))
  t.deepEqual(closed.statusCodeDistribution, { 200: 1_000, 404: 2 })
  t.is(closed.rps.max, 600)
  t.is(closed.rps.min, 400)
  t.is(closed.summary.requestsPerSec, 500)
  t.true(Math.abs(closed.latencyPercentiles.p50! - 0.001) < 1e-5)
  t.true(Math.abs(toOha(ohaSourceOf(figures(open))).latencyPercentiles.p50! - 0.003) < 1e-5)
  t.is(
    toOha(
      ohaSourceOf(
        figures({ windowMs: 800, seconds: [{ startMs: 0, lengthMs: 800, sent: 4, ok: 4, latency: timesNs([1]) }] })
      )
    ).rps.max,
    1_250
  )
})

test('formatLoadStatus() is one line that fits', (t) => {
  t.is(
    formatLoadStatus(3, 12_345, 2, timesNs([1_500_000], 1_000), 80),
    '3s  12,345 RPS  p50 1.50 ms  p99 1.50 ms  2 errors'
  )
  t.is(formatLoadStatus(3, 0, 0, timesNs([]), 80), '3s  0 RPS  p50 -  p99 -  0 errors')
  t.true(formatLoadStatus(3, 12_345, 2, timesNs([1]), 20).length < 20)
})

test('renderLoadText() and toOha() tell what was sent once more, and what this side was out of', (t) => {
  const counts = { ...emptyCounts(), sent: 1_003, ok: 1_000, exhausted: 3 }
  const text = renderLoadText(figures({ counts, retried: 1_200 }))
  t.regex(text, /^ {2}Retried +1,200 sent once more, since the server had ended their idle connection$/m)
  t.regex(text, /^ {2}3 without a local port or descriptor$/m)
  const { summary, errorDistribution } = toOha(ohaSourceOf(figures({ counts, retried: 1_200 })))
  t.is(summary.retried, 1_200)
  t.deepEqual(errorDistribution, { 'out of local ports or descriptors': 3 })
  t.notRegex(renderLoadText(figures()), /Retried/)
  t.false('retried' in toOha(ohaSourceOf(figures())).summary)
})
