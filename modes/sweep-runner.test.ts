import test, { type ExecutionContext } from 'ava'
import type { Socket } from 'node:net'
import { createEngine } from '../src/engine/create-engine.js'
import type { EngineName } from '../src/engine/engine.js'
import { ENGINES_HERE } from '../src/engine/testing/engines.js'
import type { LoadJob, LoadResult } from '../src/load/job.js'
import { runLoad } from '../src/load/run-load.js'
import { serve } from '../src/load/testing/load-rig.js'
import { response, type RawServer } from '../src/load/testing/raw-server.js'
import { emptyCounts } from '../src/metrics/counts.js'
import { encodeNs } from '../src/report/testing/fixture.js'
import type { SweepOptions } from '../src/report/sweep-result.js'
import type { Roles } from './standing-roles.js'
import { resolveSweepOptions } from './sweep-options.js'
import { SweepRunner, type SweepStep } from './sweep-runner.js'

const OK = response('ok')
const workerUrl = new URL('../workers/load-slice.js', import.meta.url)
const never = new AbortController().signal

const optionsOf = (given: Record<string, string> = {}): SweepOptions => resolveSweepOptions({ seed: '1', ...given }).options

/** Answers `ratePerSec` requests a second and not one more: a bucket that holds `burst` tokens, and a queue of whoever waits for one. */
async function tokenBucket (t: ExecutionContext, ratePerSec: number, burst: number): Promise<RawServer> {
  const waiting: Socket[] = []
  let [tokens, filledAt] = [burst, performance.now()]
  const pour = (): void => {
    const now = performance.now()
    tokens += (now - filledAt) / 1_000 * ratePerSec
    filledAt = now
    while (tokens >= 1 && waiting.length > 0) {
      tokens--
      waiting.shift()!.write(OK)
    }
    // A timer that comes late takes nothing from those who wait.
    if (waiting.length === 0) tokens = Math.min(burst, tokens)
  }
  const timer = setInterval(pour, 1)
  t.teardown(() => { clearInterval(timer) })
  return await serve(t, (socket) => {
    waiting.push(socket)
    pour()
  })
}

function rolesOf (measure: (transport: string, job: Omit<LoadJob, 'target'>) => Promise<LoadResult>): () => Roles {
  return () => ({
    engine: 'node',
    engineNote: null,
    server: 'node',
    serverNote: null,
    start: async () => {},
    measure: async (transport, job) => ({ result: await measure(transport, job), cpu: {}, tunnel: null }),
    close: async () => {}
  })
}

async function sweepWith (options: SweepOptions, measure: (transport: string, job: Omit<LoadJob, 'target'>) => Promise<LoadResult>, signal = never): Promise<{ runner: SweepRunner, steps: SweepStep[] }> {
  const steps: SweepStep[] = []
  const runner = new SweepRunner(options, rolesOf(measure), { onReady: () => {}, onStart: () => {}, onStep: (step) => { steps.push(step) } }, signal)
  await runner.run()
  return { runner, steps }
}

/** Carries any rate up to `capacityPerSec`. */
function fakeLoad (capacityPerSec: number, { pace, durationMs }: Omit<LoadJob, 'target'>): LoadResult {
  const offered = pace.kind === 'open' ? Math.round(pace.ratePerSec * durationMs / 1_000) : null
  const most = Math.round(capacityPerSec * durationMs / 1_000)
  const ok = Math.min(offered ?? most, most)
  const isLate = offered !== null && offered > most
  const latency = encodeNs([1e6], ok)
  return { counts: { ...emptyCounts(), sent: ok, ok }, windowMs: durationMs, allResponses: ok, bodyBytes: ok * 2, latency, response: offered === null ? null : encodeNs([isLate ? 1e9 : 1e6], ok), lag: offered === null ? null : encodeNs([1], ok), offered, unsent: (offered ?? ok) - ok, seconds: [], statuses: {}, busy: 0.1, connect: encodeNs([1e5]), problems: [], cpu: null }
}

for (const name of ENGINES_HERE as readonly EngineName[]) {
  test.serial(`a sweep finds the capacity of a token bucket within 5 % (${name})`, async (t) => {
    const server = await tokenBucket(t, 500, 5)
    const engine = createEngine(name)
    const options = optionsOf({ arms: 'baseline', connections: '32', arrivals: 'constant', 'p99-bound': '30ms', precision: '0.02', duration: '1500ms', warmup: '100ms', rounds: '1', rates: '100' })
    const { runner } = await sweepWith(options, async (_transport, job) => await runLoad(engine, { ...job, target: server.address }, { workerUrl }))
    const { knee, points } = runner.arms[0]!
    const probes = JSON.stringify(runner.arms[0]!.probes.map(({ ratePerSec, p99Ns, achieved, isMet }) => [ratePerSec, p99Ns, achieved, isMet]))
    if (knee?.kind !== 'found') return t.fail(probes)
    t.true(knee.ratePerSec >= 475 && knee.ratePerSec <= 525, `${knee.ratePerSec}: ${probes}`)
    // A request of the warm-up may be sent in the window.
    t.true(points[0]!.rounds[0]!.counts.ok + points[0]!.rounds[0]!.counts.unfinished >= points[0]!.rounds[0]!.offered!)
  })
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
    for (const { rounds, failures } of arm.points) t.deepEqual([rounds.map(({ round }) => round), failures], [[0, 1], []])
  }
  const probed = steps.flatMap((step) => step.kind === 'probe' ? [step.arm] : [])
  t.true(probed.slice(0, 6).includes('baseline') && probed.slice(0, 6).includes('stream'), 'probes of the arms are interleaved')
  const points = steps.flatMap((step) => step.kind === 'point' ? [step] : [])
  t.deepEqual(points.map(({ left }) => left), Array.from({ length: 16 }, (_, i) => 15 - i))
  for (let i = 0; i < points.length; i += 2) t.is(points[i]!.ratePerSec, points[i + 1]!.ratePerSec, 'the arms follow each other directly')
})

test('SweepRunner gives up an arm that fails, and goes on with the others', async (t) => {
  const { runner } = await sweepWith(optionsOf({ arms: 'baseline,stream', points: '2', rounds: '1' }), async (transport, job) => {
    if (transport === 'stream' && job.pace.kind === 'open') throw new Error('lost')
    return fakeLoad(1_000, job)
  })
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
