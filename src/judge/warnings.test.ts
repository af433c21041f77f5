import test from 'ava'
import type { CellResult, RunResult } from '../result/run-result.js'
import { summarizeRun } from './run-summary.js'
import { makeCell, makeCounters, makeResult, makeRound, makeRounds, timesNs } from '../report/testing/fixture.js'
import { warningFindings } from './warnings.js'

/** Warnings of a run that is fine but for these cells and options; the machine has CPUs enough. */
function warn (cells: readonly CellResult[], change: (result: RunResult) => Partial<RunResult> = () => ({})): string[] {
  const result = makeResult(cells, { rounds: 2 })
  const roomy: RunResult = {
    ...result,
    metadata: { ...result.metadata, machine: { ...result.metadata.machine, cpus: 16 } }
  }
  return warningFindings(summarizeRun({ ...roomy, ...change(roomy) })).map(({ message }) => message)
}

const fine = [makeCell('baseline', { rounds: makeRounds([2_000, 2_100]) })]
const withMetadata = (change: (metadata: RunResult['metadata']) => Partial<RunResult['metadata']>) =>
  (result: RunResult) => ({ metadata: { ...result.metadata, ...change(result.metadata) } })
const withOptions = (options: Partial<RunResult['metadata']['options']>) =>
  withMetadata(metadata => ({ options: { ...metadata.options, ...options } }))

test('warningFindings() has nothing to say of a clean run', t => {
  t.deepEqual(warn(fine), [])
})

for (const [what, change, expected] of [
  ['a run that did not finish', () => ({ finishedAt: null }), /^The run did not finish/],
  [
    'system calls that were not counted',
    withOptions({ countSystemCalls: true }),
    /^System calls were not counted in 1 of 1 cells\.$/
  ],
  ['a quick run', withOptions({ quick: true }), /^This was a quick run/],
  [
    'an origin that fell back',
    withMetadata(() => ({ server: 'node' })),
    /^The origin was the node:http server, since uWebSockets\.js could not be loaded/
  ],
  ['an origin other than asked for', withOptions({ server: 'node' }), /^The origin was uws, not node as asked for\.$/],
  [
    'a dirty commit',
    withMetadata(({ program }) => ({ program: { ...program, dirty: true } })),
    /^The program was built from files that differ from its commit/
  ],
  ['few CPUs', withMetadata(({ machine }) => ({ machine: { ...machine, cpus: 2 } })), /^The machine has 2 CPUs: /],
  [
    'few CPUs that may be used',
    withMetadata(({ machine }) => ({ machine: { ...machine, cpus: 16, usableCpus: 1.5 } })),
    /^The program may use 1\.5 of the machine's 16 CPUs: /
  ],
  ['missing cells', withOptions({ concurrency: [8, 64] }), /^1 of 2 cells were not measured\.$/],
  ['one round', withOptions({ rounds: 1 }), /^There was one round only/],
  [
    'another load generator',
    withOptions({ generator: 'wrk' }),
    /^The load was sent by wrk and not by this program: bodies were not verified, and what wrk does not tell is missing\.$/
  ]
] as const) {
  test(`warningFindings() warns of ${what}`, (t) => {
    const warnings = warn(fine, change)
    t.is(warnings.length, 1)
    t.regex(warnings[0] ?? '', expected)
  })
}

test('warningFindings() says nothing of system calls that were counted, or are still to come', t => {
  const counted = fine.map(cell => ({ ...cell, systemCalls: { origin: { responses: 1, calls: {} } } }))
  t.deepEqual(warn(counted, withOptions({ countSystemCalls: true })), [])
  t.false(
    warn(fine, (result) => ({ ...withOptions({ countSystemCalls: true })(result), finishedAt: null })).some((message) =>
      message.includes('System calls')
    )
  )
})

test('warningFindings() says nothing of a node origin that was asked for, or of an unknown commit', t => {
  t.deepEqual(
    warn(
      fine,
      withMetadata(({ options, program }) => ({
        server: 'node',
        options: { ...options, server: 'node' },
        program: { ...program, commit: null, dirty: null }
      }))
    ),
    []
  )
})

test('warningFindings() warns of doorbells that were missed on either side, in any round', t => {
  const shm = (host: number, plugin: number): CellResult =>
    makeCell('shm', {
      rounds: [
        {},
        { tunnel: { host: makeCounters({ doorbellsMissed: host }), plugin: makeCounters({ doorbellsMissed: plugin }) } }
      ].map((spec, round) => makeRound({ ...spec, round }))
    })
  const told = (count: string): string[] => [
    `shm, small responses, 8 connections: ${count} missed: a side slept although something lay unread. This is a bug ` +
    'of the tunnel, and its latencies hold the delay.'
  ]
  t.deepEqual(warn([...fine, shm(0, 0)]), [])
  t.deepEqual(warn([...fine, shm(1, 0)]), told('1 doorbell was'))
  t.deepEqual(warn([...fine, shm(1_000, 2)]), told('1,002 doorbells were'))
})

test('warningFindings() warns of rounds that differ by more than half', t => {
  t.deepEqual(warn([makeCell('baseline', { rounds: makeRounds([2_000, 3_000]) })]), [])
  t.deepEqual(warn([makeCell('baseline', { rounds: makeRounds([2_000, 3_001]) })]), [
    'baseline, small responses, 8 connections: the rounds differ widely, from 2,000 to 3,001 RPS: something else may ' +
    'have used the machine.'
  ])
})

test('warningFindings() puts each withheld percentile in one warning, however many cells', t => {
  const cells = [1, 8, 64, 256].map(concurrency => makeCell('baseline', { concurrency, rounds: makeRounds([40, 50]) }))
  t.deepEqual(
    warn(cells),
    [
      ['p90', '100'],
      ['p99', '1,000']
    ].map(
      ([label, needed]) =>
        `${label} is withheld where there were fewer than ${needed} responses: baseline, small responses, 1 ` +
        'connection (90); baseline, small responses, 8 connections (90); baseline, small responses, 64 connections ' +
        '(90); and 1 more.'
    )
  )
})

/** As oha tells them: percentiles and no histogram. */
const reported = (ok: readonly number[]): CellResult => makeCell('baseline', {
  rounds: makeRounds(ok, { latency: timesNs([]), reportedNs: { p50: 1_000_000, p90: 2_000_000, p99: 3_000_000 } })
})

test('warningFindings() goes by the responses of a round where percentiles were reported round by round', t => {
  t.deepEqual(warn([reported([1_000, 1_400])]), [])
  // Each round has too few for its p99, whatever they have together.
  t.deepEqual(warn([reported([900, 999])]), [
    'p99 is withheld where there were fewer than 1,000 responses: baseline, small responses, 8 connections (999).'
  ])
})
