import test from 'ava'
import type { Finding } from '../result/run-result.js'
import { sweepFindings } from './sweep-findings.js'
import type { SweepArm, SweepOptions, Votes } from '../result/sweep-result.js'
import { makeRound } from '../report/testing/fixture.js'
import {
  makeArm,
  makePoint,
  makePointRound,
  makeProbe,
  makeSweep,
  type PointSpec
} from '../report/testing/sweep-fixture.js'

/** Without those that every short test would have. */
function find (arms: readonly SweepArm[], options: Partial<SweepOptions> = {}): Finding[] {
  return sweepFindings(makeSweep(arms, options)).filter(
    ({ code }) => code !== 'PERCENTILE_WITHHELD' && code !== 'NO_BASELINE'
  )
}

const short = ({ code, severity, arm, ratePerSec }: Finding): string => [code, severity, arm, ratePerSec].join(' ')

/** An arm whose knee is at 1,000, at one rate below its knee, one just below it, and one beyond. */
const at = (spec: PointSpec): SweepArm =>
  makeArm('stream', { points: [500, 990, 1_100].map((ratePerSec) => makePoint(ratePerSec, spec)) })

test('sweepFindings() has nothing to say of a clean sweep', t => {
  t.deepEqual(find([makeArm('baseline', { points: [makePoint(500), makePoint(1_100)] }), at({})]), [])
})

test("sweepFindings() calls a rate below the arm's own knee that was not carried invalid, " +
  'and says nothing beyond it', (t) => {
  const found = find([at({ ok: 190 })])
  t.deepEqual(
    found.map(short),
    ['RATE_NOT_REACHED invalid stream 500'],
    '990 is as near to the knee as the knee is known'
  )
  t.like(found[0], {
    size: 'small',
    concurrency: 8,
    round: 0,
    figure: 380 / 400,
    threshold: 0.99,
    message: 'stream at 500/s: 95 % of the offered requests were answered; 20 were never sent.'
  })
  t.deepEqual(
    find([makeArm('stream', { knee: null, failures: ['x'], points: [makePoint(5_000, { ok: 190 })] })]).map(short),
    ['ROUNDS_FAILED invalid stream ', 'KNEE_NOT_FOUND invalid stream ', 'RATE_NOT_REACHED invalid stream 5000'],
    'no knee excuses it'
  )
})

test('sweepFindings() refuses a generator without time left up to the knee, and warns beyond it', t => {
  t.deepEqual(find([at({ busy: 0.96 })]).map(short), [
    'GENERATOR_SATURATED invalid stream 500',
    'GENERATOR_SATURATED warning stream 990',
    'GENERATOR_SATURATED warning stream 1100'
  ])
})

test('sweepFindings() warns of lag, refuses a drift, and warns of a short window: up to the knee only', t => {
  t.deepEqual(find([at({ lagNs: 2_000_000 })]).map(short), ['SCHEDULE_LAG warning stream 500'])
  t.deepEqual(find([at({ serviceNs: 400_000_000 })]).map(short), ['WINDOW_SHORT warning stream 500'])
  const growing = Array.from(
    { length: 9 },
    (_, second) => makePointRound({ serviceNs: 1_000_000 * (1 + second) }).seconds![0]!
  )
  const drifting = { ratePerSec: 500, rounds: [{ ...makePointRound(), seconds: growing }], failures: [] }
  t.deepEqual(find([makeArm('stream', { points: [drifting, { ...drifting, ratePerSec: 1_100 }] })]).map(short), [
    'DRIFT invalid stream 500'
  ])
})

test('sweepFindings() refuses requests that fail, nothing right, and rounds that failed, wherever', t => {
  const broken = { ratePerSec: 1_100, rounds: [makeRound({ counts: { reset: 1 } })], failures: ['round 2: died\nhard'] }
  const found = find([
    makeArm('stream', {
      points: [
        broken,
        { ratePerSec: 2_000, rounds: [], failures: ['a', 'b'] },
        { ratePerSec: 3_000, rounds: [makeRound({ ok: 0 })], failures: [] }
      ]
    })
  ])
  t.deepEqual(found.map(short), [
    'ROUNDS_FAILED invalid stream 1100',
    'REQUEST_ERRORS invalid stream 1100',
    'ROUNDS_FAILED invalid stream 2000',
    'NO_RIGHT_RESPONSE invalid stream 3000'
  ])
  t.deepEqual(found.map(({ message }) => message).slice(0, 3), [
    'stream at 1,100/s: rounds are missing (round 2: died hard).',
    'stream at 1,100/s: 1 of 2,001 requests failed (1 reset).',
    'stream at 2,000/s: failed (a; b).'
  ])
})

test('sweepFindings() refuses a sweep without a knee, once it is over', t => {
  const knees = [null, { kind: 'below', lowestPerSec: 10 }, { kind: 'above', highestPerSec: 1e6 }] as const
  const arms = knees.map((knee, i) => makeArm(`stream#${i + 1}`, { knee }))
  const found = find(arms)
  t.deepEqual(found.map(short), [1, 2, 3].map(i => `KNEE_NOT_FOUND invalid stream#${i} `))
  t.deepEqual(
    found.map(({ message }) => message),
    [
      'stream#1: its knee was not found: the search was given up.',
      'stream#2: its knee was not found: not even 10.0/s met the bound.',
      'stream#3: its knee was not found: even 1,000,000/s met the bound.'
    ]
  )
  const unfinished = sweepFindings({ ...makeSweep(arms), finishedAt: null })
  t.deepEqual(unfinished.filter(({ code }) => /KNEE|RUN/.test(code)).map(short), [
    'KNEE_NOT_FOUND invalid stream#2 ',
    'KNEE_NOT_FOUND invalid stream#3 ',
    'RUN_UNFINISHED warning  '
  ])
})

test('sweepFindings() warns of a knee whose ends disagree', t => {
  const withVotes = (votes: Votes, brokenVotes: Votes): Finding[] =>
    find([makeArm('stream', { knee: { kind: 'found', ratePerSec: 1_000, brokenAtPerSec: 1_020, votes, brokenVotes } })])
  t.deepEqual(withVotes({ met: 3, broken: 1 }, { met: 1, broken: 4 }), [])
  const [finding, ...others] = withVotes({ met: 4, broken: 1 }, { met: 2, broken: 4 })
  t.deepEqual(others, [])
  t.like(finding, {
    code: 'KNEE_UNSURE',
    severity: 'warning',
    arm: 'stream',
    size: 'small',
    concurrency: 8,
    figure: 4 / 6,
    threshold: 0.75
  })
  t.is(
    finding?.message,
    'stream: its knee is unsure: 4 of 5 probes met the bound at the rate that counts as carried, and 4 of 6 broke it ' +
    'at the rate that counts as too high.'
  )
  t.deepEqual(withVotes({ met: 4, broken: 2 }, { met: 0, broken: 4 }).map(({ figure }) => figure), [4 / 6])
  t.deepEqual(withVotes({ met: 0, broken: 0 }, { met: 0, broken: 0 }), [])
  t.deepEqual(
    find([makeArm('stream', { knee: { kind: 'found', ratePerSec: 1_000, brokenAtPerSec: 1_020 } })]),
    [],
    'a result of an earlier version'
  )
})

test("sweepFindings() refuses a knee that may be the generator's, " +
  'and only warns where it is that of direct HTTP', (t) => {
  const probes = [
    makeProbe(1_000, true, 0.99),
    makeProbe(1_020, false, 0.96),
    makeProbe(1_020, false, 0.97),
    makeProbe(1_020, true, 0.2)
  ]
  const found = find([makeArm('baseline', { probes }), makeArm('stream', { probes })])
  t.deepEqual(found.map(short), ['GENERATOR_SATURATED invalid stream ', 'GENERATOR_SATURATED warning baseline '])
  t.deepEqual(
    found.map(({ message }) => message),
    [
      "stream: at 1,020/s the load generator itself worked 96 % of the time: the knee may be its own, and the arm's " +
        'higher.',
      'baseline: at 1,020/s the load generator itself worked 96 % of the time: the knee may be its own, and the ' +
        "arm's higher, so tunnels cost at least what is shown."
    ]
  )
  t.deepEqual(
    find([makeArm('stream', { probes: probes.map((probe) => ({ ...probe, busy: probe.isMet ? 1 : 0.94 })) })]),
    []
  )
  t.deepEqual(find([makeArm('stream', { probes: probes.map((probe) => ({ ...probe, busy: null })) })]), [])
})

test('sweepFindings() warns of what a run warns of, too', t => {
  const sweep = makeSweep([makeArm('stream', { points: [makePoint(500)] })], { rounds: 1 })
  const found = sweepFindings({
    ...sweep,
    metadata: {
      ...sweep.metadata,
      server: 'node',
      machine: { ...sweep.metadata.machine, cpus: 2 },
      program: { ...sweep.metadata.program, dirty: true }
    }
  })
  t.deepEqual(
    found.map(({ code }) => code),
    ['ONE_ROUND', 'NO_BASELINE', 'ORIGIN_FELL_BACK', 'PROGRAM_CHANGED', 'FEW_CPUS', 'PERCENTILE_WITHHELD']
  )
  t.is(found.at(-1)!.message, 'p99 is withheld where there were fewer than 1,000 responses: stream at 500/s (400).')
})
