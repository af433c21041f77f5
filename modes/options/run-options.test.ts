import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { type RawRunOptions, resolveRunOptions, RUN_FLAGS } from './run-options.js'
import { LADDER } from '../plan/arms.js'
import { DEFAULT_SEGMENT_SIZES } from '../../src/shm/segment-sizes.js'
import { temporaryFolder } from '../testing/temporary.js'

function refuses (t: ExecutionContext, given: RawRunOptions, pattern: RegExp): void {
  const error = t.throws(() => resolveRunOptions(given), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.USAGE)
  t.regex(error.message, pattern)
}

function configFile (t: ExecutionContext, content: unknown): string {
  const file = join(temporaryFolder(t), 'config.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

test('resolveRunOptions() fills in the defaults that --help names', (t) => {
  const { options: { seed, ...options }, out } = resolveRunOptions({})
  t.deepEqual(options, {
    mode: 'processes',
    arms: ['baseline', 'stream', 'shm'],
    sizes: ['small', 'large'],
    concurrency: [1, 8, 64, 256],
    durationMs: 1000,
    warmupMs: 250,
    rounds: 5,
    server: 'auto',
    engine: 'auto',
    spinUs: 'auto',
    loadThreads: 1,
    requestTimeoutMs: 10_000,
    quick: false,
    generator: 'own',
    equalLoad: 0.5,
    arrivals: 'poisson',
    segment: DEFAULT_SEGMENT_SIZES
  })
  t.true(Number.isInteger(seed) && seed >= 0 && seed <= 0xffff_ffff)
  t.is(out, 'bench_results')
  const named = Object.fromEntries(
    Object.entries(RUN_FLAGS)
      .filter(([name, flag]) => flag.standard !== undefined && !['seed', 'config', 'arm'].includes(name))
      .map(([name, flag]) => [name, flag.standard])
  )
  t.deepEqual(resolveRunOptions({ ...named, seed: '1' }).options, resolveRunOptions({ seed: '1' }).options)
})

test('resolveRunOptions() draws a new seed for each run', (t) => {
  t.true(new Set(Array.from({ length: 5 }, () => resolveRunOptions({}).options.seed)).size > 1)
})

test('resolveRunOptions() takes every flag', (t) => {
  t.deepEqual(resolveRunOptions({
    arms: 'baseline,baseline,shm-stalled',
    sizes: '1000,small',
    concurrency: '3,2',
    duration: '50ms',
    warmup: '0s',
    rounds: '7',
    mode: 'threads',
    server: 'node',
    engine: 'epoll',
    'spin-us': '20',
    'load-threads': '2',
    'request-timeout': '100ms',
    seed: '0',
    'equal-load': '0.25',
    arrivals: 'constant',
    'slot-bytes': '4096',
    slots: '64',
    'ring-entries': '128',
    'inline-bytes': '512',
    out: 'elsewhere',
    'allow-invalid': true
  }), {
    options: {
      mode: 'threads',
      arms: ['baseline', 'baseline#2', 'shm-stalled'],
      sizes: ['1000', 'small'],
      concurrency: [3, 2],
      durationMs: 50,
      warmupMs: 0,
      rounds: 7,
      server: 'node',
      engine: 'epoll',
      spinUs: 20,
      loadThreads: 2,
      requestTimeoutMs: 100,
      seed: 0,
      quick: false,
      generator: 'own',
      equalLoad: 0.25,
      arrivals: 'constant',
      segment: { slotBytes: 4096, slots: 64, ringEntries: 128, inlineBytes: 512, constantBytes: 1_048_576 }
    },
    out: 'elsewhere',
    allowInvalid: true,
    requested: { arms: true, segment: true }
  })
})

test('resolveRunOptions() with quick shortens what is not given', (t) => {
  const { options } = resolveRunOptions({ quick: true, rounds: '3' })
  t.like(options, { quick: true, durationMs: 200, warmupMs: 100, rounds: 3 })
  t.deepEqual(options.arms, ['baseline', 'stream', 'shm'])
})

test('resolveRunOptions() has no sizes of shared memory where no arm uses any', (t) => {
  t.is(resolveRunOptions({ arms: 'baseline,stream' }).options.segment, null)
})

test('resolveRunOptions() takes sizes of shared memory from a config file, and checks them ' +
  'together with flags', (t) => {
  const config = configFile(t, { slots: 100, 'inline-bytes': 2048 })
  t.deepEqual(resolveRunOptions({ config, slots: '200' }).options.segment, {
    ...DEFAULT_SEGMENT_SIZES,
    slots: 200,
    inlineBytes: 2048
  })
  refuses(
    t,
    { config, 'slot-bytes': '2048' },
    /^Cannot use --slot-bytes=2048 --slots=100 --inline-bytes=2048: --inline-bytes must be less than --slot-bytes/
  )
})

test('resolveRunOptions() knows what of the shared memory was requested, in a config file too', (t) => {
  const config = configFile(t, { arms: ['shm'] })
  t.deepEqual(resolveRunOptions({}).requested, { arms: false, segment: false })
  t.deepEqual(resolveRunOptions({ ladder: true }).requested, { arms: false, segment: false })
  t.deepEqual(resolveRunOptions({ config, slots: '64' }).requested, { arms: true, segment: true })
})

test('resolveRunOptions() takes a config file, flags first, and its quick last', (t) => {
  const config = configFile(t, {
    sizes: ['small'],
    concurrency: [2, 4],
    rounds: 3,
    seed: 9,
    quick: true,
    duration: '300ms',
    arms: 'stream,baseline'
  })
  const { options } = resolveRunOptions({ config, rounds: '1' })
  t.like(options, {
    sizes: ['small'],
    concurrency: [2, 4],
    rounds: 1,
    seed: 9,
    quick: true,
    durationMs: 300,
    warmupMs: 100,
    arms: ['stream', 'baseline']
  })
})

const refused: Array<[given: RawRunOptions, pattern: RegExp]> = [
  [{ arms: 'fast' }, /--arms=fast: it must be one of baseline,/],
  [{ arms: '' }, /--arms=: it must be a list/],
  [{ sizes: 'medium' }, /--sizes=medium: it must be small, large/],
  [{ sizes: 'small,small' }, /--sizes=small,small: it must not name a value twice/],
  [{ concurrency: '1,x' }, /--concurrency=x: it must be an integer from 1 to 4000/],
  [{ concurrency: '0' }, /--concurrency=0: it must be an integer from 1 to 4000/],
  [{ concurrency: '4001' }, /--concurrency=4001: it must be an integer from 1 to 4000/],
  [{ concurrency: '8,8' }, /--concurrency=8,8: it must not name a value twice/],
  [{ concurrency: '8,08' }, /--concurrency=08: it must be an integer/],
  [{ duration: '5' }, /--duration "5": a duration needs a unit/],
  [{ duration: '49ms' }, /--duration=49ms: it must be from 50ms to 24h/],
  [{ warmup: '-1s' }, /--warmup "-1s"/],
  [{ rounds: '0' }, /--rounds=0: it must be an integer from 1 to 1000/],
  [{ rounds: '1001' }, /--rounds=1001: it must be an integer from 1 to 1000/],
  [{ rounds: 'abc' }, /--rounds=abc: it must be an integer from 1 to 1000/],
  [
    { 'count-syscalls': true, mode: 'threads' },
    /--count-syscalls=true: it needs a process for each role: leave it out, or use --mode=processes/
  ],
  [{ mode: 'fibers' }, /--mode=fibers: it must be one of threads, processes/],
  [{ server: 'nginx' }, /--server=nginx: it must be one of auto, lab, uws, node/],
  [{ 'load-threads': '0' }, /--load-threads=0: it must be an integer from 1 to 64/],
  [{ 'request-timeout': '99ms' }, /--request-timeout=99ms: it must be from 100ms to 24h/],
  [{ seed: '4294967296' }, /--seed=4294967296: it must be an integer from 0 to 4294967295/],
  [{ 'slot-bytes': '5000' }, /^Cannot use --slot-bytes=5000: --slot-bytes must be a power of two: it is 5000/],
  [{ slots: 'many' }, /^Cannot use --slots=many: it must be an integer from 16 to 65536/],
  [
    { arms: 'baseline,stream', 'ring-entries': '64' },
    /^Cannot use --ring-entries=64: it is for arms with shared memory: leave it out, or add shm to --arms/
  ],
  [{ out: '' }, /--out=: it must be text that is not empty/],
  [
    { config: '/nowhere/config.json' },
    /--config=\/nowhere\/config\.json: ENOENT.*: name a file that holds one JSON object/
  ]
]
for (const [given, pattern] of refused) {
  test(`resolveRunOptions() refuses ${JSON.stringify(given)}`, (t) => { refuses(t, given, pattern) })
}

const refusedConfigs: Array<[content: unknown, pattern: RegExp]> = [
  ['{', /--config=\S+: .*JSON.*: name a file that holds one JSON object/],
  ['', /--config=\S+: Unexpected end of JSON input: name a file/],
  [[], /it must hold one JSON object of options, for example/],
  [null, /it must hold one JSON object of options/],
  [
    { round: 3 },
    /there is no option "round": known are arms, .*slot-bytes, slots, ring-entries, inline-bytes, .*quick$/
  ],
  [{ config: 'more.json' }, /there is no option "config"/],
  [{ rounds: 1.5 }, /--rounds=1\.5: it must be an integer/],
  [{ rounds: null }, /--rounds=null: it must be an integer/],
  [{ seed: null }, /--seed=null: it must be an integer/],
  [{ duration: 5 }, /--duration=5: it must be a duration with its unit/],
  [{ arms: ['stream'], slots: 64 }, /--slots=64: it is for arms with shared memory/],
  [{ slots: null }, /--slots=null: it must be an integer/],
  [{ quick: 'yes' }, /--quick=yes: it must be true or false/],
  [{ mode: ['threads'] }, /--mode=\["threads"\]: it must be one of/],
  [{ arms: [] }, /--arms=\[\]: it must be a list/],
  [{ out: 5 }, /--out=5: it must be text/]
]
for (const [content, pattern] of refusedConfigs) {
  test(`resolveRunOptions() refuses a config file of ${JSON.stringify(content)}`, (t) => {
    refuses(t, { config: configFile(t, content) }, pattern)
  })
}

test('resolveRunOptions() takes the ladder, and programs from outside after it', (t) => {
  const { options } = resolveRunOptions({
    ladder: true,
    arm: 'mine=http://127.0.0.1:80\nyours=http://127.0.0.1:{port},start=run {port}',
    'origin-port': '9876'
  })
  t.deepEqual(options.arms, [...LADDER, 'mine', 'yours'])
  t.deepEqual(options.externalArms, [
    { name: 'mine', url: 'http://127.0.0.1:80', start: null },
    { name: 'yours', url: 'http://127.0.0.1:{port}', start: 'run {port}' }
  ])
  t.is(options.originPort, 9876)
  t.deepEqual(resolveRunOptions({ arms: 'mine,direct', arm: ['mine=http://127.0.0.1:80'] }).options.arms, [
    'mine',
    'baseline'
  ])
})

test('resolveRunOptions() refuses the ladder beside a list of arms, and an arm that is there already', (t) => {
  for (const [given, message] of [
    [{ ladder: true, arms: 'baseline' }, /--arms=baseline: it names arms, and --ladder names others/],
    [{ ladder: 'yes' }, /--ladder=yes: it must be true or false/],
    [{ arm: 'a=http://x:1\na=http://x:2' }, /there is such an arm already/],
    [{ arm: 'shm=http://x:1' }, /there is such an arm already/],
    [{ arm: 'direct=http://x:1' }, /there is such an arm already/]
  ] as const) t.throws(() => resolveRunOptions(given), { code: ErrorCode.USAGE, message })
})
