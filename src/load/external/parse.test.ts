/* eslint-disable @stylistic/max-len -- output as it is printed */
import test from 'ava'
import { ErrorCode } from '../../base/errors.js'
import { Histogram } from '../../metrics/histogram.js'
import { ohaArguments, parseOha } from './oha.js'
import { externalVersion } from './program.js'
import { parseWrk, wrkArguments } from './wrk.js'

const JOB = { url: 'http://127.0.0.1:1/small', concurrency: 8, threads: 2, durationMs: 2_000, requestTimeoutMs: 1_500 }

const OHA = {
  // What oha says of itself is wrong on purpose here: it must not be used.
  summary: {
    successRate: 1,
    total: 2.5,
    slowest: 0.02,
    fastest: 0.0001,
    average: 0.001,
    requestsPerSec: 99_999,
    totalData: 2_000,
    sizePerRequest: 2,
    sizePerSec: 800
  },
  latencyPercentiles: { p10: 0.0001, p50: 0.0009, p90: 0.0015, p99: 0.0125, 'p99.9': 0.02, 'p99.99': null },
  statusCodeDistribution: { 200: 1_000, 500: 40 },
  errorDistribution: {
    'aborted due to deadline': 8,
    'connection closed before message completed': 3,
    'operation timed out': 2,
    'Connection refused (os error 111)': 1
  }
}

test('parseOha() turns seconds into nanoseconds, and takes neither 500 nor a deadline for success', (t) => {
  const found = parseOha(JSON.stringify(OHA))
  t.is(found.windowMs, 2_500)
  t.deepEqual(found.counts, { ok: 1_000, badStatus: 40, mismatch: 0, timeout: 2, reset: 3, refused: 1, unfinished: 8 })
  t.deepEqual(found.reportedNs, { p50: 900_000, p90: 1_500_000, p99: 12_500_000, 'p99.9': 20_000_000 })
  t.is(found.bodyBytes, 2_000)
  t.is(Histogram.decode(found.latency).count, 0)
})

/**
 * Printed by oha 1.16.0 (`-c 4 -z 1s`, a server that answers 2 bytes), less the histograms and what stands below
 * `firstByte`.
 */
const OHA_1_16 = `{
  "summary": { "successRate": 1.0, "total": 1.002089602, "slowest": 0.006376344, "fastest": 0.000088421, "average": 0.0002912611903844684,
    "requestsPerSec": 12954.929353712623, "totalData": 25958, "sizePerRequest": 2, "sizePerSec": 25903.871218893255 },
  "metrics": { "success_rate": 1.0, "requests_per_sec": 12954.929353712623, "latency_ms": { "min": 0.088, "mean": 0.291, "p50": 0.253, "p95": 0.522, "p99": 0.839, "max": 6.376 } },
  "latencyPercentiles": { "p10": 0.000182502, "p25": 0.000206037, "p50": 0.000252867, "p75": 0.000327999, "p90": 0.000429409, "p95": 0.000521507, "p99": 0.000838629, "p99.9": 0.002250637, "p99.99": 0.006285719 },
  "details": { "DNSDialup": { "average": 0.00047136700000000004, "fastest": 0.000129202, "slowest": 0.000948844 }, "DNSLookup": { "average": 0.00021608925000000004, "fastest": 0.000025538, "slowest": 0.00075164 } },
  "statusCodeDistribution": { "200": 12979 },
  "errorDistribution": { "aborted due to deadline": 3 }
}`

test('parseOha() reads what oha 1.16 prints', (t) => {
  const { counts, bodyBytes, reportedNs } = parseOha(OHA_1_16)
  t.deepEqual(counts, { ok: 12_979, badStatus: 0, mismatch: 0, timeout: 0, reset: 0, refused: 0, unfinished: 3 })
  t.is(bodyBytes, 25_958)
  t.deepEqual(reportedNs, { p50: 252_867, p90: 429_409, p99: 838_629, 'p99.9': 2_250_637 })
})

/** What oha 1.16.0 called what servers did to it. */
for (const [words, kind] of [
  ['timeout', 'timeout'],
  ['Connection refused (os error 111)', 'refused'],
  ['connection closed before message completed', 'reset'],
  ['connection error', 'reset'],
  ['error reading a body from connection', 'reset'],
  ['invalid HTTP version parsed', 'mismatch']
] as const) {
  test(`parseOha() counts "${words}" as ${kind}`, (t) => {
    t.like(parseOha(JSON.stringify({ ...OHA, errorDistribution: { [words]: 7 } })).counts, { [kind]: 7, unfinished: 0 })
  })
}

test('parseOha() takes nothing for no percentile where nothing was answered', (t) => {
  const found = parseOha(
    JSON.stringify({
      ...OHA,
      statusCodeDistribution: {},
      errorDistribution: {},
      latencyPercentiles: { p50: null, p90: null }
    })
  )
  t.is(found.counts.ok, 0)
  t.deepEqual(found.reportedNs, { p50: null, p90: null, p99: null, 'p99.9': null })
})

for (const [what, output] of [
  ['text', 'Summary:'],
  ['null', 'null'],
  ['another shape', '{"summary":{}}'],
  ['a count that is none', JSON.stringify({ ...OHA, statusCodeDistribution: { 200: -1 } })]
] as const) {
  test(`parseOha() refuses ${what}`, (t) => {
    t.throws(() => parseOha(output), { code: ErrorCode.ROLE_FAILED, message: /^Cannot read what oha printed: / })
  })
}

test('parseWrk() takes microseconds, and errors apart', (t) => {
  const found = parseWrk('Running 1s test\nfigures 1000 2000000 1 2 3 40 5\nlatency 90 600\nlatency 1500 400\n')
  t.is(found.windowMs, 2_000)
  t.deepEqual(found.counts, { ok: 960, badStatus: 40, mismatch: 0, timeout: 5, reset: 5, refused: 1, unfinished: 0 })
  const latency = Histogram.decode(found.latency)
  t.is(latency.count, 1_000)
  t.is(latency.percentileNs(50), 90_047, 'the top of what the histogram cannot tell from 90 µs')
  t.true(Math.abs(latency.percentileNs(90) - 1_500_000) < 1_500)
  t.is(found.bodyBytes, null, 'wrk does not tell')
})

test('parseWrk() refuses output without the figures', (t) => {
  t.throws(() => parseWrk('Running 1s test\nRequests/sec: 5\n'), {
    code: ErrorCode.ROLE_FAILED,
    message: /the line of figures is missing/
  })
})

test('the programs are told connections, length and timeout in their own units', (t) => {
  t.deepEqual(wrkArguments(JOB, 'report.lua'), [
    '-t',
    '2',
    '-c',
    '8',
    '-d',
    '2s',
    '--timeout',
    '2s',
    '-s',
    'report.lua',
    JOB.url
  ])
  t.deepEqual(ohaArguments({ ...JOB, durationMs: 250 }), [
    '-c',
    '8',
    '-z',
    '250ms',
    '-t',
    '1500ms',
    '--no-tui',
    '--output-format',
    'json',
    JOB.url
  ])
})

test('externalVersion() says which program is missing, and what to do', (t) => {
  const { PATH } = process.env
  process.env.PATH = '/nowhere'
  t.teardown(() => { process.env.PATH = PATH })
  t.throws(() => externalVersion('oha'), {
    code: ErrorCode.UNAVAILABLE,
    message: /^Cannot send load with oha: it cannot be run \(ENOENT\): install it/
  })
})
