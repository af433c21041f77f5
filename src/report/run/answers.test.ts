import test from 'ava'
import { answersOf } from './answers.js'
import type { CellResult, RunOptions } from '../../result/run-result.js'
import { summarizeRun } from '../../judge/run-summary.js'
import { makeCell, makeResult, makeRounds, realisticResult, type RoundSpec } from '../testing/fixture.js'

function answers (cells: readonly CellResult[], options: Partial<RunOptions> = {}): ReadonlyArray<readonly string[]> {
  return answersOf(summarizeRun(makeResult(cells, options))).map(({ sentences }) => sentences)
}

const cell = (arm: string, rps: number, concurrency = 8, size = 'small', spec: RoundSpec = {}): CellResult =>
  makeCell(arm, { size, concurrency, rounds: makeRounds([rps], spec) })

test('answersOf() answers the three questions', t => {
  t.deepEqual(answersOf(summarizeRun(realisticResult())).map(({ question }) => question), [
    'What does the tunnel cost against direct HTTP?',
    'How does that cost change with concurrency, size and transport?',
    'Does it misbehave under load?'
  ])
})

test('answersOf() reads naturally for one cell', t => {
  t.deepEqual(answers([cell('baseline', 4_000), cell('stream', 1_200)]), [
    [
      'stream reaches 0.30× of the throughput of direct HTTP: 1,200 instead of 4,000 RPS, 70 % less (small ' +
      'responses, 8 connections).'
    ],
    [
      'Concurrency: only 8 connections measured, so no change with it can be seen.',
      'Size: only small responses were measured, so no change with it can be seen.',
      'Transport: stream is the only one measured, so there is nothing to compare it with.'
    ],
    [
      'Not as far as this run can tell.',
      'Errors: none of the 1,200 requests through a tunnel failed.',
      'Throughput at the highest concurrency (not measured): This needs a tunnel and direct HTTP, both at the ' +
      'highest concurrency and at a lower one.',
      'Latency spikes and head-of-line blocking (good): stream, small responses, 8 connections: p99 1.00 ms, 1.00× ' +
      'of direct HTTP (1.00 ms).'
    ]
  ])
})

test('answersOf() names the best and the worst cell, the latency of one connection, the CPU and the noise', t => {
  const cpu = { host: { userUs: 5_000, systemUs: 10_000 }, plugin: { userUs: 1_000, systemUs: 2_000 } }
  const [cost] = answers([
    cell('baseline', 2_000, 1),
    cell('baseline#2', 1_900, 1),
    cell('stream', 1_000, 1, 'small', { latencyNs: 2_000_000 }),
    cell('baseline', 4_000, 64),
    cell('baseline#2', 4_040, 64),
    cell('stream', 1_000, 64, 'small', { cpu })
  ])
  t.deepEqual(cost, [
    'stream reaches 0.25× to 0.50× of the throughput of direct HTTP: at worst 1,000 instead of 4,000 RPS, 75 % less ' +
    '(small responses, 64 connections); at best 1,000 instead of 2,000 RPS, 50 % less (small responses, 1 connection).',
    'With one connection, stream needs 2.00 ms instead of 1.00 ms for a request (p50, small responses).',
    'A response through stream costs 15.0 µs of CPU in the host and 3.0 µs in the plugin (small responses, 64 ' +
    'connections).',
    'Direct HTTP measured a second time (baseline#2) reaches 0.95× to 1.01× of itself from round to round: a ' +
    'difference no larger than that is noise.'
  ])
})

test('answersOf() compares concurrencies, sizes and transports', t => {
  const cells = (['small', 'large'] as const).flatMap(size => [1, 8, 64].flatMap(concurrency => [
    cell('baseline', 2_000, concurrency, size),
    cell('stream', size === 'small' ? 800 + concurrency : 400, concurrency, size),
    cell('shm', size === 'small' ? 800 : 1_000, concurrency, size)
  ]))
  const [, change] = answers(cells)
  t.deepEqual(change, [
    'Concurrency: with small responses stream reaches 0.40× at 1 connection, 0.40× at 8 and 0.43× at 64 of ' +
      'direct HTTP.',
    'Concurrency: with large responses stream reaches 0.20× at 1 connection, 0.20× at 8 and 0.20× at 64 of ' +
      'direct HTTP.',
    'Concurrency: with small responses shm reaches 0.40× at 1 connection, 0.40× at 8 and 0.40× at 64 of direct HTTP.',
    'Concurrency: with large responses shm reaches 0.50× at 1 connection, 0.50× at 8 and 0.50× at 64 of direct HTTP.',
    'Size: over all concurrencies the median of stream is 0.40× with small responses and 0.20× with large responses.',
    'Size: over all concurrencies the median of shm is 0.40× with small responses and 0.50× with large responses.',
    'Transport: shm reaches 0.93× to 2.50× of the throughput of stream and is faster in 3 of 6 cells.'
  ])
})

test('answersOf() finds nothing wrong with a tunnel that behaves', t => {
  const [, , load] = answers([
    cell('baseline', 2_000, 1),
    cell('stream', 1_500, 1),
    cell('baseline', 2_000, 64),
    cell('stream', 1_500, 64)
  ])
  t.is(load?.[0], 'No sign of it.')
})

for (const [what, stream] of [
  ['errors', cell('stream', 1_500, 64, 'small', { counts: { reset: 1 } })],
  ['a collapse', cell('stream', 100, 64)],
  ['a latency spike', cell('stream', 1_500, 64, 'small', { latencyNs: 20_000_000 })],
  ['a failed cell', makeCell('stream', { concurrency: 64, rounds: [], failures: ['died'] })]
] as const) {
  test(`answersOf() sees ${what}`, t => {
    const [, , load] = answers([
      cell('baseline', 2_000, 1),
      cell('stream', 1_500, 1),
      cell('baseline', 2_000, 64),
      stream
    ])
    t.is(load?.[0], 'Yes, there are signs of it.')
  })
}

test('answersOf() says where errors were', t => {
  const [, , load] = answers([
    cell('stream', 100, 1, 'small', { counts: { timeout: 1 } }),
    cell('stream', 100, 8, 'small', { counts: { reset: 3, timeout: 2 } })
  ])
  t.is(
    load?.[1],
    'Errors: 6 of 206 requests through a tunnel failed; most with stream, small responses, 8 connections: 2 timeout, ' +
    '3 reset.'
  )
})

test('answersOf() says what a run without tunnel, without baseline or without a working baseline cannot tell', t => {
  t.deepEqual(answers([cell('baseline', 1_000)]), [
    ['This run cannot tell: it has no tunnel arm.'],
    ['This run cannot tell: no tunnel was measured together with direct HTTP.'],
    ['This run cannot tell: no tunnel was measured.']
  ])
  t.deepEqual(answers([cell('stream', 1_000)])[0], ['This run cannot tell: it has no baseline arm to compare with.'])
  t.deepEqual(answers([cell('baseline', 0), cell('stream', 1_000)])[0], [
    'Nothing can be said about stream: no round has both it and a working direct HTTP.'
  ])
})
