import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { LoadJob, LoadResult } from '../../src/load/job.js'
import { emptyCounts } from '../../src/metrics/counts.js'
import type { MeasurementOutcome, MeasurementPlace } from '../../src/report/progress.js'
import type { CellResult, RunOptions } from '../../src/result/run-result.js'
import { makeCounters, timesNs } from '../../src/report/testing/fixture.js'
import { type MatrixHooks, planMatrix, runMatrix } from './run-matrix.js'
import { resolveRunOptions } from '../options/run-options.js'
import { type Roles, RoleSupervisor } from '../roles/role-supervisor.js'

function optionsOf (given: Record<string, string> = {}): RunOptions {
  return resolveRunOptions({
    arms: 'baseline,stream',
    sizes: 'small',
    concurrency: '1',
    rounds: '2',
    seed: '1',
    'equal-load': '0',
    ...given
  }).options
}

const TUNNEL = { host: makeCounters({ framesSent: 3 }), plugin: makeCounters({ framesReceived: 3 }) }

const CPU = { userUs: 1, systemUs: 2 }

function loadResult (found: Partial<LoadResult> = {}): LoadResult {
  return {
    counts: { ...emptyCounts(), sent: 3, ok: 3 },
    windowMs: 100,
    allResponses: 4,
    bodyBytes: 6,
    latency: timesNs([1000]).encoded,
    connect: timesNs([1000]).encoded,
    problems: [],
    cpu: CPU,
    response: null,
    lag: null,
    offered: null,
    unsent: 0,
    seconds: [],
    retried: 0,
    statuses: { 200: 3 },
    busy: 0.5,
    ...found
  }
}

/** Roles that note what happens to them in `log`. `measure` decides what each measurement comes to. */
function fakeRoles (
  log: string[],
  measure: (transport: string, job: Omit<LoadJob, 'target'>) => Promise<LoadResult>,
  start = async (): Promise<void> => {}
): () => Roles {
  return () => ({
    engine: 'node',
    engineNote: null,
    server: 'node',
    serverNote: null,
    start: async () => {
      log.push('start')
      await start()
    },
    measure: async (transport, job) => {
      log.push(transport)
      return {
        result: await measure(transport, job),
        cpu: { load: null, origin: CPU },
        tunnel: transport === 'baseline' ? null : TUNNEL
      }
    },
    countSystemCalls: async () => ({ responses: 0, calls: {} }),
    close: async () => {
      log.push('close')
    },
    closeNow: async () => {}
  })
}

const silent = { onStart: () => {}, onDone: () => {} }
const never = new AbortController().signal

async function runWith (
  options: RunOptions, createRoles: () => Roles, hooks: MatrixHooks, signal: AbortSignal
): Promise<CellResult[]> {
  return await runMatrix(options, new RoleSupervisor(createRoles, () => {}, signal), hooks)
}

test('planMatrix() runs every arm once in each round, one directly after the other', (t) => {
  const plan = planMatrix(
    optionsOf({
      arms: 'baseline,stream,stream-stalled,baseline',
      sizes: 'small,large',
      concurrency: '1,8',
      rounds: '3'
    })
  )
  t.deepEqual(
    plan.map(({ size, concurrency, round }) => `${size.name} ${concurrency} ${round}`),
    ['small', 'large'].flatMap((size) =>
      [1, 8].flatMap((concurrency) => [0, 1, 2].map((round) => `${size} ${concurrency} ${round}`))
    )
  )
  for (const { arms } of plan) {
    t.deepEqual(arms.map((arm) => arm.label).sort(), ['baseline', 'baseline#2', 'stream', 'stream-stalled'])
  }
})

test('planMatrix() draws a new order for each round, the same one for the same seed', (t) => {
  const orders = (seed: string): string[] =>
    planMatrix(optionsOf({ seed, rounds: '40' })).map(({ arms }) => arms.map((arm) => arm.label).join())
  t.deepEqual(orders('7'), orders('7'))
  t.notDeepEqual(orders('7'), orders('8'))
  const first = orders('7').filter((order) => order === 'baseline,stream').length
  t.true(first > 5 && first < 35, `baseline is first in ${first} of 40 rounds`)
})

test('runMatrix() measures the plan and files each round in its cell', async (t) => {
  const log: string[] = []
  const jobs: Array<Omit<LoadJob, 'target'>> = []
  const options = optionsOf({
    arms: 'baseline,stream-stalled',
    sizes: 'small,1000',
    concurrency: '1,2',
    'load-threads': '2',
    duration: '100ms',
    warmup: '50ms',
    'request-timeout': '3s'
  })
  const cells = await runWith(options, fakeRoles(log, async (_transport, job) => {
    jobs.push(job)
    return loadResult()
  }), silent, never)
  t.deepEqual(log, ['start', ...planMatrix(options).flatMap(({ arms }) => arms.map((arm) => arm.transport)), 'close'])
  t.deepEqual(
    cells.map(({ size, concurrency, arm }) => `${size} ${concurrency} ${arm}`),
    ['small', '1000'].flatMap((size) =>
      [1, 2].flatMap((concurrency) => ['baseline', 'stream-stalled'].map((arm) => `${size} ${concurrency} ${arm}`))
    )
  )
  for (const cell of cells) {
    t.deepEqual(cell.failures, [])
    t.deepEqual(cell.rounds.map((round) => round.round), [0, 1])
    t.is(cell.transport, cell.arm === 'baseline' ? 'baseline' : 'stream')
    t.is(cell.bodyBytes, cell.size === 'small' ? 2 : 1000)
    for (const round of cell.rounds) t.deepEqual(round.tunnel, cell.arm === 'baseline' ? null : TUNNEL)
    for (const round of cell.rounds) {
      t.deepEqual(
        round.cpu,
        { load: CPU, origin: CPU },
        "the load role's own figure, and what was sampled of the others"
      )
    }
  }
  t.deepEqual(
    [
      ...new Set(
        jobs.map(
          ({ path, concurrency, threads, stalledReaders }) => `${path} ${concurrency} ${threads} ${stalledReaders}`
        )
      )
    ].sort(),
    ['/bytes/1000', '/small'].flatMap((path) =>
      ['1 1', '2 2'].flatMap((load) => [`${path} ${load} 0`, `${path} ${load} 1`])
    )
  )
  for (const job of jobs) t.like(job, { durationMs: 100, warmupMs: 50, requestTimeoutMs: 3000, stalledPath: '/large' })
  const positions = cells.flatMap((cell) =>
    cell.rounds.map((round) => `${cell.size} ${cell.concurrency} ${round.round} ${round.position}`)
  )
  t.is(new Set(positions).size, 16, 'every place of every round is taken once')
})

test('runMatrix() notes a failure in its cell, starts the roles anew, and goes on', async (t) => {
  const log: string[] = []
  const outcomes: MeasurementOutcome[] = []
  let measured = 0
  const cells = await runWith(optionsOf(), fakeRoles(log, async () => {
    if (++measured === 2) throw new TunnelError(ErrorCode.ROLE_FAILED, 'The host role ended')
    return loadResult()
  }), { ...silent, onDone: (_place, outcome) => { outcomes.push(outcome) } }, never)
  const [, failed] = planMatrix(optionsOf())[0]!.arms
  t.deepEqual(log.filter((entry) => entry === 'start' || entry === 'close'), ['start', 'close', 'start', 'close'])
  t.deepEqual(outcomes.map((outcome) => outcome.kind), ['measured', 'failed', 'measured', 'measured'])
  for (const cell of cells) {
    t.deepEqual(cell.failures, cell.arm === failed!.label ? ['round 1: The host role ended'] : [])
    t.deepEqual(cell.rounds.map((round) => round.round), cell.arm === failed!.label ? [1] : [0, 1])
  }
})

test('runMatrix() takes a measurement without any good response for a failure, and one with ' +
  'some errors not', async (t) => {
  const all = await runWith(
    optionsOf(),
    fakeRoles([], async () =>
      loadResult({ counts: { ...emptyCounts(), sent: 5, reset: 5 }, problems: ['reset: cut off', 'refused: nobody'] })
    ),
    silent,
    never
  )
  for (const cell of all) {
    t.deepEqual(
      cell.failures,
      [1, 2].map((round) => `round ${round}: no request of 5 succeeded: reset: cut off; refused: nobody`)
    )
  }
  const some = await runWith(
    optionsOf(),
    fakeRoles([], async () => loadResult({ counts: { ...emptyCounts(), sent: 5, ok: 1, reset: 4 } })),
    silent,
    never
  )
  for (const cell of some) t.deepEqual([cell.rounds.length, cell.failures.length], [2, 0])
  const slow = await runWith(
    optionsOf(),
    fakeRoles([], async () => loadResult({ counts: { ...emptyCounts(), sent: 1, unfinished: 1 } })),
    silent,
    never
  )
  for (const cell of slow) t.deepEqual([cell.rounds.length, cell.failures.length], [2, 0])
})

test('runMatrix() rejects where the roles never start, and has closed them', async (t) => {
  const log: string[] = []
  const refused = new TunnelError(ErrorCode.ORIGIN_UNAVAILABLE, 'no origin')
  const error = await t.throwsAsync(
    runWith(
      optionsOf(),
      fakeRoles(
        log,
        async () => loadResult(),
        async () => {
          throw refused
        }
      ),
      silent,
      never
    )
  )
  t.is(error, refused)
  t.deepEqual(log, ['start', 'close'])
})

test('runMatrix() notes a restart that fails as a failure, and tries again for the next measurement', async (t) => {
  const log: string[] = []
  let starts = 0
  let measured = 0
  const cells = await runWith(optionsOf(), fakeRoles(log, async () => {
    if (++measured === 1) throw new Error('lost')
    return loadResult()
  }, async () => { if (++starts === 2) throw new TunnelError(ErrorCode.ROLE_FAILED, 'no plugin') }), silent, never)
  t.deepEqual(cells.flatMap((cell) => cell.failures).sort(), ['round 1: Error: lost', 'round 1: no plugin'])
  t.is(cells.flatMap((cell) => cell.rounds).length, 2)
  t.is(log.filter((entry) => entry === 'start').length, 3)
  t.is(log.filter((entry) => entry === 'close').length, 3)
})

test('runMatrix() tells where it is, and an estimate of the time left that ends with the run', async (t) => {
  const started: MeasurementPlace[] = []
  const done: MeasurementPlace[] = []
  await runWith(
    optionsOf(),
    fakeRoles([], async () => loadResult()),
    {
      ...silent,
      onStart: (place) => {
        started.push(place)
      },
      onDone: (place) => {
        done.push(place)
      }
    },
    never
  )
  t.deepEqual(
    started.map(({ number, total, round }) => [number, total, round]),
    [
      [1, 4, 0],
      [2, 4, 0],
      [3, 4, 1],
      [4, 4, 1]
    ]
  )
  t.deepEqual(started.map(({ leftMs }) => leftMs === null), [true, false, false, false])
  t.deepEqual(done.map(({ leftMs }) => leftMs === null), [false, false, false, true])
})

test('runMatrix() ends with what there is when it is interrupted in a measurement, and has ' +
  'closed the roles', async (t) => {
  const log: string[] = []
  const interrupt = new AbortController()
  let measured = 0
  const cells = await runWith(
    optionsOf(),
    fakeRoles(log, async () => {
      if (++measured === 2) interrupt.abort()
      return loadResult()
    }),
    silent,
    interrupt.signal
  )
  t.is(cells.flatMap((cell) => cell.rounds).length, 1)
  t.is(measured, 2)
  t.is(log.filter((entry) => entry === 'start').length, 1)
  t.is(log.at(-1), 'close')
})

test('runMatrix() neither measures nor fails when it is interrupted in the start of the roles', async (t) => {
  const log: string[] = []
  const interrupt = new AbortController()
  const cells = await runWith(optionsOf(), fakeRoles(log, async () => loadResult(), async () => {
    interrupt.abort()
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted')
  }), silent, interrupt.signal)
  t.deepEqual(cells.flatMap((cell) => [...cell.rounds, ...cell.failures]), [])
  t.deepEqual(log, ['start', 'close', 'close'])
})

test('runMatrix() starts nothing when it is interrupted before', async (t) => {
  const log: string[] = []
  await runWith(optionsOf(), fakeRoles(log, async () => loadResult()), silent, AbortSignal.abort())
  t.deepEqual(log, [])
})

test('planMatrix() has half as many rounds at equal load, after the closed loops of the same cell', (t) => {
  const plan = planMatrix(optionsOf({ 'equal-load': '0.5', rounds: '3', concurrency: '1,8' }))
  t.deepEqual(plan.map(({ concurrency, round, isEqualLoad }) => `${concurrency} ${round} ${String(isEqualLoad)}`),
    [1, 8].flatMap((c) => [`${c} 0 false`, `${c} 1 false`, `${c} 2 false`, `${c} 0 true`, `${c} 1 true`]))
})

test('runMatrix() sends all arms one plan at a fraction of what the slowest did', async (t) => {
  const jobs: Array<Omit<LoadJob, 'target'> & { transport: string }> = []
  const options = optionsOf({
    'equal-load': '0.5',
    arrivals: 'constant',
    concurrency: '2',
    rounds: '2',
    seed: '9',
    warmup: '300ms'
  })
  const done: MeasurementPlace[] = []
  const cells = await runWith(options, fakeRoles([], async (transport, job) => {
    jobs.push({ ...job, transport })
    const ok = transport === 'stream' ? 100 : 300
    return loadResult({ counts: { ...emptyCounts(), sent: ok, ok } })
  }), { ...silent, onDone: (place) => { done.push(place) } }, never)
  const open = jobs.filter(({ pace }) => pace.kind === 'open')
  t.is(open.length, 2)
  t.deepEqual(jobs.slice(-2), open)
  // 100 responses in 100 ms.
  for (const job of open) {
    t.like(job, {
      pace: { kind: 'open', ratePerSec: 500, arrivals: 'constant', seed: 9, maxConnections: 2 },
      warmupMs: 100,
      concurrency: 2
    })
  }
  t.deepEqual(open.map(({ transport }) => transport).sort(), ['baseline', 'stream'])
  for (const cell of cells) {
    t.deepEqual([cell.rounds.length, cell.equalLoad?.ratePerSec, cell.equalLoad?.rounds.length], [2, 500, 1])
  }
  t.deepEqual(done.map(({ ratePerSec }) => ratePerSec), [null, null, null, null, 500, 500])
  t.deepEqual(done.map(({ number, total }) => [number, total]), [1, 2, 3, 4, 5, 6].map((number) => [number, 6]))
})

test('runMatrix() notes what fails at equal load there, and leaves it out where no arm has answered', async (t) => {
  const cells = await runWith(
    optionsOf({ 'equal-load': '0.5', rounds: '1' }),
    fakeRoles([], async (transport, { pace }) => {
      if (pace.kind === 'open' && transport === 'stream') {
        throw new TunnelError(ErrorCode.ROLE_FAILED, 'The host role ended')
      }
      return loadResult()
    }),
    silent,
    never
  )
  t.deepEqual(
    cells.map((cell) => [cell.failures, cell.equalLoad?.rounds.length, cell.equalLoad?.failures]),
    [
      [[], 1, []],
      [[], 0, ['round 1: The host role ended']]
    ]
  )
  const dead = await runWith(
    optionsOf({ 'equal-load': '0.5', rounds: '1' }),
    fakeRoles([], async () => {
      throw new Error('lost')
    }),
    silent,
    never
  )
  for (const cell of dead) t.deepEqual([cell.failures.length, cell.equalLoad], [1, undefined])
})
