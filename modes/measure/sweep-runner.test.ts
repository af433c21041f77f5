import test from 'ava'
import type { LoadJob, LoadResult } from '../../src/load/job.js'
import { emptyCounts } from '../../src/metrics/counts.js'
import { timesNs } from '../../src/report/testing/fixture.js'
import { optionsOf, sweepWith } from '../testing/sweep.js'

/** Carries any rate up to `capacityPerSec`. */
function fakeLoad (capacityPerSec: number, { pace, durationMs }: Omit<LoadJob, 'target'>): LoadResult {
  const offered = pace.kind === 'open' ? Math.round(pace.ratePerSec * durationMs / 1_000) : null
  const most = Math.round(capacityPerSec * durationMs / 1_000)
  const ok = Math.min(offered ?? most, most)
  const isLate = offered !== null && offered > most
  const latency = timesNs([1e6], ok).encoded
  return {
    counts: { ...emptyCounts(), sent: ok, ok },
    windowMs: durationMs,
    allResponses: ok,
    bodyBytes: ok * 2,
    latency,
    response: offered === null ? null : timesNs([isLate ? 1e9 : 1e6], ok).encoded,
    lag: offered === null ? null : timesNs([1], ok).encoded,
    offered,
    unsent: (offered ?? ok) - ok,
    seconds: [],
    retried: 0,
    statuses: {},
    busy: 0.1,
    connect: timesNs([1e5]).encoded,
    problems: [],
    cpu: null
  }
}

test('SweepRunner finds the knee of each arm, and measures all arms at rates that span them', async (t) => {
  const seeds = new Map<string, Set<number>>()
  const options = optionsOf({ arms: 'baseline,stream', points: '4', rounds: '2' })
  const { runner, steps } = await sweepWith(options, async (transport, job) => {
    if (job.pace.kind === 'open') seeds.set(transport, (seeds.get(transport) ?? new Set()).add(job.pace.seed))
    return fakeLoad(transport === 'stream' ? 700 : 4_000, job)
  })
  const knees = runner.arms.map(({ knee }) => knee?.kind === 'found' ? knee.ratePerSec : NaN)
  t.true(knees[0]! <= 4_001 && knees[0]! > 4_000 / 1.04 && knees[1]! <= 701 && knees[1]! > 700 / 1.04, knees.join())
  t.is(runner.ratesPerSec.length, 4)
  t.true(runner.ratesPerSec[0]! < 75 && runner.ratesPerSec[3]! > knees[0]!)
  for (const arm of runner.arms) {
    t.deepEqual(arm.points.map(({ ratePerSec }) => ratePerSec), runner.ratesPerSec)
    for (const { rounds, failures } of arm.points) {
      t.deepEqual([rounds.map(({ round }) => round), failures], [[0, 1], []])
    }
  }
  const probed = steps.flatMap((step) => step.kind === 'probe' ? [step.arm] : [])
  t.true(
    probed.slice(0, 6).includes('baseline') && probed.slice(0, 6).includes('stream'),
    'probes of the arms are interleaved'
  )
  const points = steps.flatMap((step) => step.kind === 'point' ? [step] : [])
  t.deepEqual(points.map(({ left }) => left), Array.from({ length: 16 }, (_, i) => 15 - i))
  for (let i = 0; i < points.length; i += 2) {
    t.is(points[i]!.ratePerSec, points[i + 1]!.ratePerSec, 'the arms follow each other directly')
  }
})

test('SweepRunner gives up an arm that fails, and goes on with the others', async (t) => {
  const { runner } = await sweepWith(
    optionsOf({ arms: 'baseline,stream', points: '2', rounds: '1' }),
    async (transport, job) => {
      if (transport === 'stream' && job.pace.kind === 'open') throw new Error('lost')
      return fakeLoad(1_000, job)
    }
  )
  const [baseline, stream] = runner.arms
  t.is(baseline!.knee?.kind, 'found')
  t.is(stream!.knee, null)
  t.is(stream!.failures.length, 3)
  t.regex(stream!.failures[0]!, /^probe of 700\/s: Error: lost$/)
  for (const point of stream!.points) t.deepEqual(point.failures, ['round 1: Error: lost'])
})

test('SweepRunner keeps what it has when it is interrupted, and measures nothing more', async (t) => {
  const interrupt = new AbortController()
  let measured = 0
  const { runner } = await sweepWith(optionsOf({ arms: 'baseline' }), async (_transport, job) => {
    if (++measured === 4) interrupt.abort()
    return fakeLoad(1_000, job)
  }, interrupt.signal)
  t.is(measured, 4)
  t.deepEqual([runner.arms[0]!.probes.length, runner.arms[0]!.knee, runner.arms[0]!.points], [2, null, []])
})
