import test from 'ava'
import { summarizeRun } from './run-summary.js'
import { makeCell, makeResult, makeRound, makeRounds, timesNs } from '../report/testing/fixture.js'

test('summarizeRun() gives RPS over the rounds and the ratio to the baseline within rounds', t => {
  const { cells } = summarizeRun(makeResult([
    makeCell('baseline', { rounds: makeRounds([1_000, 2_000, 4_000]) }),
    makeCell('stream', { rounds: makeRounds([500, 600, 1_600]) })
  ]))
  t.deepEqual(
    cells.map((cell) => cell.rps),
    [
      { median: 2_000, min: 1_000, max: 4_000, rounds: 3 },
      { median: 600, min: 500, max: 1_600, rounds: 3 }
    ]
  )
  t.deepEqual(
    cells.map((cell) => cell.ratio),
    [
      { median: 1, min: 1, max: 1, rounds: 3 },
      { median: 0.4, min: 0.3, max: 0.5, rounds: 3 }
    ]
  )
})

test('summarizeRun() compares with the baseline of the same size and concurrency', t => {
  const { cells } = summarizeRun(
    makeResult([
      makeCell('baseline', { concurrency: 1, rounds: makeRounds([1_000]) }),
      makeCell('stream', { concurrency: 1, rounds: makeRounds([500]) }),
      makeCell('baseline', { concurrency: 8, rounds: makeRounds([4_000]) }),
      makeCell('stream', { concurrency: 8, rounds: makeRounds([1_000]) })
    ])
  )
  t.deepEqual(cells.map(cell => cell.ratio?.median), [1, 0.5, 1, 0.25])
})

test('summarizeRun() compares a second baseline with the first (A/A)', t => {
  const { cells } = summarizeRun(
    makeResult([
      makeCell('baseline', { rounds: makeRounds([1_000, 2_000]) }),
      makeCell('baseline#2', { rounds: makeRounds([990, 2_020]) })
    ])
  )
  t.deepEqual(cells[1]?.ratio, { median: 1, min: 0.99, max: 1.01, rounds: 2 })
  t.is(cells[1]?.transport, 'baseline')
})

test('summarizeRun() has no ratios without a baseline', t => {
  const summary = summarizeRun(makeResult([makeCell('stream')]))
  t.is(summary.reference, null)
  t.is(summary.cells[0]?.ratio, null)
})

test('summarizeRun() shows 0 RPS, no percentiles and all errors of a cell in which nothing was right', t => {
  const { cells } = summarizeRun(
    makeResult([
      makeCell('stream', {
        rounds: [0, 1].map((round) => makeRound({ round, ok: 0, counts: { badStatus: 2, mismatch: 1, unfinished: 5 } }))
      })
    ])
  )
  const cell = cells[0]
  t.deepEqual(cell?.rps, { median: 0, min: 0, max: 0, rounds: 2 })
  t.deepEqual([cell?.p50Ns, cell?.p90Ns, cell?.p99Ns], [null, null, null])
  t.is(cell?.errors, 6)
  t.deepEqual(cell?.counts, {
    sent: 16,
    ok: 0,
    badStatus: 4,
    mismatch: 2,
    timeout: 0,
    reset: 0,
    refused: 0,
    unfinished: 10
  })
})

test('summarizeRun() takes percentiles from the merged rounds', t => {
  const { cells } = summarizeRun(
    makeResult([
      makeCell('baseline', {
        rounds: [
          makeRound({ round: 0, ok: 900, latencyNs: 1_000 }),
          makeRound({ round: 1, ok: 100, latencyNs: 1_900, connect: timesNs([1_500]) })
        ]
      })
    ])
  )
  t.deepEqual(
    [cells[0]?.p50Ns, cells[0]?.p90Ns, cells[0]?.p99Ns, cells[0]?.latencySamples],
    [1_000, 1_000, 1_900, 1_000]
  )
  t.is(cells[0]?.connectP50Ns, 1_500)
})

test('summarizeRun() tells complete, partial, failed and missing cells apart, and drops none', t => {
  const result = makeResult([
    makeCell('baseline', { rounds: makeRounds([10, 10]) }),
    makeCell('stream', { rounds: makeRounds([10]), failures: ['late'] }),
    makeCell('shm', { rounds: [], failures: ['died'] })
  ], { concurrency: [8, 64] })
  const { cells } = summarizeRun(result)
  t.deepEqual(cells.map(cell => [cell.arm, cell.concurrency, cell.state]), [
    ['baseline', 8, 'complete'], ['stream', 8, 'partial'], ['shm', 8, 'failed'],
    ['baseline', 64, 'missing'], ['stream', 64, 'missing'], ['shm', 64, 'missing']
  ])
})

test('summarizeRun() orders cells by the options, whatever the order of the result', t => {
  const cells = [
    makeCell('stream', { size: 'large', concurrency: 1 }),
    makeCell('baseline', { size: 'small', concurrency: 8 })
  ]
  const summary = summarizeRun(
    makeResult(cells, { sizes: ['small', 'large'], concurrency: [1, 8], arms: ['baseline', 'stream'] })
  )
  t.deepEqual(
    summary.cells.map((cell) => `${cell.size} ${cell.concurrency} ${cell.arm}`),
    [
      'small 1 baseline',
      'small 1 stream',
      'small 8 baseline',
      'small 8 stream',
      'large 1 baseline',
      'large 1 stream',
      'large 8 baseline',
      'large 8 stream'
    ]
  )
  t.deepEqual([...summary.sizes], [['small', 2], ['large', 262_144]])
})
