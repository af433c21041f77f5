import test from 'ava'
import { ErrorCode } from '../base/errors.js'
import { Histogram } from '../metrics/histogram.js'
import { mergeRuns } from './merge.js'
import { readRunResult } from '../result/read-result.js'
import type { RunResult } from '../result/run-result.js'
import { summarizeRun } from '../judge/run-summary.js'
import { renderSummary } from '../report/run/summary.js'
import { mergeHistograms } from './statistics.js'
import { makeCell, makeResult, makeRounds } from '../report/testing/fixture.js'

const at = (result: RunResult, startedAt: string, finishedAt: string | null): RunResult => ({
  ...result,
  startedAt,
  finishedAt
})

const ONE = at(makeResult([
  makeCell('baseline', { rounds: makeRounds([1_000, 2_000], { latencyNs: 1_000_000 }) }),
  makeCell('stream', { rounds: makeRounds([500, 500]) })
]), '2026-01-02T03:04:05.000Z', '2026-01-02T03:05:00.000Z')

const TWO = at(makeResult([
  makeCell('baseline', { rounds: makeRounds([4_000], { latencyNs: 7_000_000 }) }),
  makeCell('stream', { rounds: makeRounds([1_000]), failures: ['round 2: the host died'] }),
  makeCell('shm', { rounds: makeRounds([3_000]) })
]), '2026-01-01T03:04:05.000Z', '2026-01-01T03:05:00.000Z')

const merge = (...results: RunResult[]): RunResult =>
  mergeRuns(results.map((result, index) => ({ name: `run${index + 1}`, result })))

const withOptions = (result: RunResult, options: Partial<RunResult['metadata']['options']>): RunResult =>
  ({ ...result, metadata: { ...result.metadata, options: { ...result.metadata.options, ...options } } })

test('mergeRuns() gives a valid result that reports render, with the metadata of every run', t => {
  const merged = merge(ONE, TWO)
  t.deepEqual(readRunResult(JSON.stringify(merged)), merged)
  t.deepEqual(
    merged.inputs,
    [ONE, TWO].map(({ startedAt, finishedAt, metadata }) => ({ startedAt, finishedAt, metadata }))
  )
  t.deepEqual([merged.startedAt, merged.finishedAt], [TWO.startedAt, ONE.finishedAt])
  t.like(merged.metadata.options, { arms: ['baseline', 'stream', 'shm'], rounds: 3 })
  t.true(
    renderSummary(merged).includes(
      '**Merged from:** 2 runs: 2026-01-02 03:04:05 UTC (2 rounds, seed 1); 2026-01-01 03:04:05 UTC (1 round, seed 1)'
    )
  )
})

test('mergeRuns() adds histograms bit for bit, and counts', t => {
  const [direct] = summarizeRun(merge(ONE, TWO)).cells
  t.is(direct?.latencySamples, 7_000)
  t.is(direct?.counts.ok, 7_000)
  const single = new Histogram()
  for (let i = 0; i < 3_000; i++) single.recordNs(1_000_000)
  for (let i = 0; i < 4_000; i++) single.recordNs(7_000_000)
  const added = mergeHistograms(merge(ONE, TWO).cells[0]!.rounds.map(({ latency }) => latency))
  t.is(added.encode(), Histogram.decode(single.encode()).encode())
})

test('mergeRuns() keeps the system calls that one of the runs counted', t => {
  const systemCalls = { origin: { responses: 10, calls: { read: 11 } } }
  const counted = {
    ...withOptions(TWO, { countSystemCalls: true }),
    cells: TWO.cells.map((cell) => ({ ...cell, systemCalls }))
  }
  for (const merged of [merge(ONE, counted), merge(counted, ONE)]) {
    t.true(merged.metadata.options.countSystemCalls)
    t.deepEqual(merged.cells.map(cell => cell.systemCalls), [systemCalls, systemCalls, systemCalls])
  }
})

test('mergeRuns() leaves out what runs measured at equal load, each at a rate of its own, and says so', t => {
  const equalLoad = { ratePerSec: 250, rounds: makeRounds([250]), failures: ['round 2: the host died'] }
  const loaded = { ...withOptions(TWO, { equalLoad: 0.5 }), cells: TWO.cells.map(cell => ({ ...cell, equalLoad })) }
  const leftOut = (result: RunResult): string[] =>
    summarizeRun(result)
      .findings.filter(({ code }) => code === 'EQUAL_LOAD_LEFT_OUT')
      .map(({ severity }) => severity)
  for (const merged of [
    merge(ONE, loaded),
    merge(loaded, ONE),
    merge(merge(ONE, loaded), at(ONE, '2026-01-04T00:00:00Z', null))
  ]) {
    t.deepEqual(
      merged.cells.filter((cell) => cell.equalLoad !== undefined),
      []
    )
    t.is(merged.metadata.options.equalLoad, 0)
    t.deepEqual(leftOut(merged), ['warning'])
    t.notRegex(renderSummary(merged), /### At equal load|Equal load:/)
  }
  t.deepEqual(leftOut(merge(ONE, TWO)), [])
  t.deepEqual(leftOut(loaded), [], 'a run by itself leaves nothing out')
})

test('mergeRuns() compares arms within a round of one run, never across runs', t => {
  const summary = summarizeRun(merge(ONE, TWO))
  const stream = summary.cells.find(cell => cell.arm === 'stream')
  // 500 of 1,000, 500 of 2,000, and 1,000 of 4,000.
  t.deepEqual(stream?.ratio, { median: 0.25, min: 0.25, max: 0.5, rounds: 3 })
  t.deepEqual(stream?.rates.map(({ round }) => round), [0, 1, 2])
})

test('mergeRuns() leaves a cell complete that only one run was to measure, and says of a failure whose it is', t => {
  const { cells } = summarizeRun(merge(ONE, TWO))
  t.deepEqual(
    cells.map(({ arm, state, plannedRounds }) => [arm, state, plannedRounds]),
    [
      ['baseline', 'complete', 3],
      ['stream', 'complete', 3],
      ['shm', 'complete', 1]
    ]
  )
  t.deepEqual(cells[1]?.failures, ['run2: round 2: the host died'])
  const large = at(makeResult([makeCell('shm', { size: 'large', concurrency: 1 })]), '2026-01-03T00:00:00Z', null)
  const merged = merge(ONE, large)
  t.is(merged.finishedAt, null)
  // No corner of the matrix that nobody asked for.
  t.deepEqual(
    summarizeRun(merged).cells.map(({ arm, size, concurrency }) => [arm, size, concurrency]),
    [
      ['baseline', 'small', 8],
      ['stream', 'small', 8],
      ['shm', 'large', 1]
    ]
  )
})

test('mergeRuns() merges what was merged, to the same as all at once', t => {
  const three = at(ONE, '2026-01-04T00:00:00Z', '2026-01-04T00:00:01Z')
  t.deepEqual(
    merge(merge(ONE, TWO), three).cells.map(({ rounds }) => rounds),
    merge(ONE, TWO, three).cells.map(({ rounds }) => rounds)
  )
  t.deepEqual(merge(merge(ONE, TWO), three).inputs, merge(ONE, TWO, three).inputs)
})

for (const [what, results, reason] of [
  [
    'another mode',
    [ONE, withOptions(TWO, { mode: 'processes' })],
    'Cannot merge run1 and run2: mode must be the same: it is "threads" and "processes": merge runs with the same ' +
    'options'
  ],
  [
    'another window',
    [ONE, withOptions(TWO, { durationMs: 5 })],
    'Cannot merge run1 and run2: durationMs must be the same: it is 1000 and 5: merge runs with the same options'
  ],
  [
    'another pace',
    [ONE, withOptions(TWO, { pace: { kind: 'open', ratePerSec: 100 } } as object)],
    'Cannot merge run1 and run2: pace must be the same: it is null and {"kind":"open","ratePerSec":100}: merge runs ' +
    'with the same options'
  ],
  [
    'another origin',
    [ONE, { ...TWO, metadata: { ...TWO.metadata, server: 'node' } }],
    'Cannot merge run1 and run2: server must be the same: it is "uws" and "node": merge runs with the same options'
  ],
  [
    'another body',
    [ONE, { ...TWO, cells: [makeCell('baseline', { bodyBytes: 3 })] }],
    'Cannot merge the results and run2: bodyBytes of baseline, small, concurrency 8 must be the same: it is 2 and 3'
  ],
  [
    'a run twice',
    [ONE, TWO, ONE],
    'Cannot merge run1 and run3: the run of 2026-01-02T03:04:05.000Z is in both: name it once'
  ],
  [
    'a run twice, inside a merged one',
    [merge(ONE, TWO), TWO],
    'Cannot merge run1 and run2: the run of 2026-01-01T03:04:05.000Z is in both: name it once'
  ]
] as const) {
  test(`mergeRuns() refuses ${what}, with the reason`, (t) => {
    t.throws(() => merge(...results), { code: ErrorCode.RESULT_INVALID, message: reason })
  })
}

test('mergeRuns() takes two results or more', t => {
  t.throws(() => merge(ONE), { code: ErrorCode.USAGE, message: /it takes two results or more/ })
})
