import test from 'ava'
import { ErrorCode } from '../../base/errors.js'
import { Histogram } from '../../metrics/histogram.js'
import { ohaArguments, parseOha } from './oha.js'
import { externalVersion } from './program.js'
import { parseWrk, wrkArguments } from './wrk.js'

const JOB = { url: 'http://127.0.0.1:1/small', concurrency: 8, threads: 2, durationMs: 2_000, requestTimeoutMs: 1_500 }

const OHA = {
  // What oha says of itself is wrong on purpose here: it must not be used.
  summary: { successRate: 1, total: 2.5, slowest: 0.02, fastest: 0.0001, average: 0.001, requestsPerSec: 99_999, totalData: 2_000, sizePerRequest: 2, sizePerSec: 800 },
  latencyPercentiles: { p10: 0.0001, p50: 0.0009, p90: 0.0015, p99: 0.0125, 'p99.9': 0.02, 'p99.99': null },
  statusCodeDistribution: { 200: 1_000, 500: 40 },
  errorDistribution: { 'aborted due to deadline': 8, 'connection closed before message completed': 3, 'operation timed out': 2, 'Connection refused (os error 111)': 1 }
}

test('parseOha() turns seconds into nanoseconds, and takes neither 500 nor a deadline for success', (t) => {
  const found = parseOha(JSON.stringify(OHA))
  t.is(found.windowMs, 2_500)
  t.deepEqual(found.counts, { ok: 1_000, badStatus: 40, timeout: 2, reset: 3, refused: 1, unfinished: 8 })
  t.deepEqual(found.reportedNs, { p50: 900_000, p90: 1_500_000, p99: 12_500_000, 'p99.9': 20_000_000 })
  t.is(found.bodyBytes, 2_000)
  t.is(Histogram.decode(found.latency).count, 0)
})

test('parseOha() takes nothing for no percentile where nothing was answered', (t) => {
  const found = parseOha(JSON.stringify({ ...OHA, statusCodeDistribution: {}, errorDistribution: {}, latencyPercentiles: { p50: null, p90: null } }))
  t.is(found.counts.ok, 0)
  t.deepEqual(found.reportedNs, { p50: null, p90: null, p99: null, 'p99.9': null })
})

for (const [what, output] of [['text', 'Summary:'], ['null', 'null'], ['another shape', '{"summary":{}}'], ['a count that is none', JSON.stringify({ ...OHA, statusCodeDistribution: { 200: -1 } })]] as const) {
  test(`parseOha() refuses ${what}`, (t) => { t.throws(() => parseOha(output), { code: ErrorCode.ROLE_FAILED, message: /^Cannot read what oha printed: / }) })
}

test('parseWrk() takes microseconds, and errors apart', (t) => {
  const found = parseWrk('Running 1s test\nfigures 1000 2000000 1 2 3 40 5\nlatency 90 600\nlatency 1500 400\n')
  t.is(found.windowMs, 2_000)
  t.deepEqual(found.counts, { ok: 960, badStatus: 40, timeout: 5, reset: 5, refused: 1, unfinished: 0 })
  const latency = Histogram.decode(found.latency)
  t.is(latency.count, 1_000)
  t.is(latency.percentileNs(50), 90_047, 'the top of what the histogram cannot tell from 90 µs')
  t.true(Math.abs(latency.percentileNs(90) - 1_500_000) < 1_500)
  t.is(found.bodyBytes, null, 'wrk does not tell')
})

test('parseWrk() refuses output without the figures', (t) => {
  t.throws(() => parseWrk('Running 1s test\nRequests/sec: 5\n'), { code: ErrorCode.ROLE_FAILED, message: /the line of figures is missing/ })
})

test('the programs are told connections, length and timeout in their own units', (t) => {
  t.deepEqual(wrkArguments(JOB, 'report.lua'), ['-t', '2', '-c', '8', '-d', '2s', '--timeout', '2s', '-s', 'report.lua', JOB.url])
  t.deepEqual(ohaArguments({ ...JOB, durationMs: 250 }), ['-c', '8', '-z', '250ms', '-t', '1500ms', '--no-tui', '--output-format', 'json', JOB.url])
})

test('externalVersion() says which program is missing, and what to do', (t) => {
  const { PATH } = process.env
  process.env.PATH = '/nowhere'
  t.teardown(() => { process.env.PATH = PATH })
  t.throws(() => externalVersion('oha'), { code: ErrorCode.UNAVAILABLE, message: /^Cannot use --generator=oha: oha cannot be run \(ENOENT\): install it/ })
})
