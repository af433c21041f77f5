import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { byEffort } from '../../src/base/testing/effort.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { loadUws } from '../../src/origin/uws-origin.js'
import { ohaFileNames } from '../../src/report/file-names.js'
import { DEFAULT_SEGMENT_SIZES } from '../../src/shm/segment-sizes.js'
import { PROGRAM } from '../measure/metadata.js'
import { runToEnd } from '../testing/program.js'
import { Bench, checkEqualLoad, checkRounds, TABLE_HEADER } from '../testing/run-folder.js'
import { temporaryFolder } from '../testing/temporary.js'
import { until } from '../testing/wait.js'

/** What short windows measure on a busy machine is not valid, and not what is tested. */
const SHORT = ['--duration=100ms', '--warmup=50ms', '--allow-invalid']
const CONCURRENCY = byEffort({ quick: [8], full: [1, 8] })
/** Of all arms and sizes; each is measured in two rounds and once at equal load. */
const CELLS = 6 * CONCURRENCY.length
const SMALL_MATRIX = [...SHORT, '--sizes=small,large', `--concurrency=${CONCURRENCY.join()}`, '--rounds=2']

/** What `--engine=auto` comes to here. */
const ENGINE = ENGINES_HERE[0]!
const preferred = await loadUws().then(() => 'uws', () => 'node')

for (const [mode, server, ran] of [['threads', 'auto', preferred], ['processes', 'node', 'node']] as const) {
  test.serial(`run measures the whole matrix without an error: ${mode}, ${server} server`, async (t) => {
    const bench = new Bench(t, [...SMALL_MATRIX, `--mode=${mode}`, `--server=${server}`, '--seed=5'])
    const { code, stdout, stderr } = await bench.end(t)
    if (preferred === 'uws') t.is(stderr, '')
    t.is(code, 0)
    const { result } = bench
    checkRounds(t, result)
    checkEqualLoad(t, result)
    t.like(result.metadata, { program: { name: PROGRAM.name, version: PROGRAM.version }, engine: ENGINE, server: ran })
    t.deepEqual(result.metadata.options, {
      mode,
      arms: ['baseline', 'stream', 'shm'],
      sizes: ['small', 'large'],
      concurrency: CONCURRENCY,
      durationMs: 100,
      warmupMs: 50,
      rounds: 2,
      server,
      engine: 'auto',
      spinUs: 'auto',
      loadThreads: 1,
      requestTimeoutMs: 10_000,
      seed: 5,
      quick: false,
      generator: 'own',
      equalLoad: 0.5,
      arrivals: 'poisson',
      segment: DEFAULT_SEGMENT_SIZES
    })
    t.is(result.metadata.versions.node, process.versions.node)
    t.true(result.finishedAt! > result.startedAt)

    const summary = bench.read('SUMMARY.md')
    t.is(summary.split('\n').filter((line) => line === TABLE_HEADER).length, 2)
    for (const heading of [
      '## Small responses (2 bytes)',
      '## Large responses (256 KiB)',
      '## Reading the results',
      '### Rules',
      '### Warnings'
    ]) {
      t.true(summary.includes(`\n${heading}\n`), heading)
    }
    t.regex(stdout, new RegExp(`^baseline, stream, shm in ${mode}, ${ran} origin, ${ENGINE} engine, seed 5; about \\d`))
    t.is(
      [...stdout.matchAll(/^\[ ?\d+\/\d+\] round \d (small|large) c=\d (baseline|stream|shm) {2}[\d,.]+ RPS/gm)].length,
      2 * CELLS
    )
    t.is(
      [
        ...stdout.matchAll(
          /^\[ ?\d+\/\d+\] round 1 (small|large) c=\d (baseline|stream|shm) at [\d,.]+\/s {2}[\d,.]+ RPS/gm
        )
      ].length,
      CELLS
    )
    t.is(summary.split('\n').filter((line) => line === '### At equal load').length, 2)
    t.true(stdout.includes(`Results: ${bench.folder}/SUMMARY.md`))
    t.is(summary.split('\n').filter((line) => line === '### What the tunnel did').length, 2)
    t.regex(summary, /^\| stream +\| +8 \| request +\| +[\d,]+ \| +[\d,]+ \| +[\d.]+ % \| +n\/a \|/m)
    t.false(stdout.includes('tunnel_zero_copy_bytes'))
    t.notRegex(stdout, /\x1b/, 'colours or cursor movements on what is no terminal') // eslint-disable-line no-control-regex
  })
}

test.serial('report makes SUMMARY.md and the oha files again, byte for byte, from result.json alone', async (t) => {
  const bench = new Bench(t, [
    ...SHORT,
    '--warmup=0s',
    '--sizes=small,large',
    '--concurrency=2',
    '--rounds=1',
    '--mode=threads'
  ])
  t.is((await bench.end(t)).code, 0)
  const before = new Map(readdirSync(bench.folder).map((name) => [name, bench.read(name)]))
  for (const name of before.keys()) if (name !== 'result.json') rmSync(join(bench.folder, name))
  const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', ['report', bench.folder])
  t.is(code, 0, stderr)
  before.delete('metadata.json')
  t.deepEqual(new Map(readdirSync(bench.folder).map((name) => [name, bench.read(name)])), before)
  t.true(stdout.endsWith(`Rendered ${bench.folder}/SUMMARY.md\n`))
})

test.serial(
  'run compares the baseline with itself, loads from two threads, has clients that stall, and takes a config file',
  async (t) => {
    const config = join(temporaryFolder(t), 'config.json')
    writeFileSync(
      config,
      JSON.stringify({
        arms: ['baseline', 'baseline', 'stream-stalled', 'stream'],
        sizes: [1000],
        concurrency: [2],
        rounds: 9,
        'load-threads': 2,
        duration: '100ms',
        warmup: '0s',
        mode: 'threads'
      })
    )
    const bench = new Bench(t, [`--config=${config}`, '--rounds=2', '--allow-invalid'])
    t.is((await bench.end(t)).code, 0)
    const { result } = bench
    checkRounds(t, result)
    t.like(result.metadata.options, {
      arms: ['baseline', 'baseline#2', 'stream-stalled', 'stream'],
      rounds: 2,
      loadThreads: 2,
      warmupMs: 0
    })
    t.deepEqual(
      result.cells.map((cell) => [cell.arm, cell.transport, cell.size, cell.bodyBytes]),
      [
        ['baseline', 'baseline', '1000', 1000],
        ['baseline#2', 'baseline', '1000', 1000],
        ['stream-stalled', 'stream', '1000', 1000],
        ['stream', 'stream', '1000', 1000]
      ]
    )
    t.regex(bench.read('SUMMARY.md'), /^\| baseline#2 +\| +2 \|/m)
    t.is(new Set(ohaFileNames(result.cells).values()).size, 4)
  }
)

test.serial('run measures with two load threads in processes, too', async (t) => {
  const bench = new Bench(t, [
    ...SHORT,
    // The only window: a shorter one may pass without a response where other programs come first.
    '--duration=1s',
    '--sizes=large',
    '--concurrency=3',
    '--rounds=1',
    '--mode=processes',
    '--load-threads=2',
    '--arms=stream'
  ])
  t.is((await bench.end(t)).code, 0)
  checkRounds(t, bench.result)
})

test.serial('run goes on to its end when nobody reads its output any more', async (t) => {
  const bench = new Bench(t, [
    ...SHORT,
    '--sizes=small',
    '--concurrency=1',
    '--rounds=3',
    '--mode=threads',
    '--equal-load=0'
  ])
  await bench.program.output(/^\[1\/9\]/m)
  bench.program.child.stdout!.destroy()
  bench.program.child.stderr!.destroy()
  t.is((await bench.end(t)).code, 0)
  checkRounds(t, bench.result)
})

test.serial('run says in a sentence why the roles cannot start, and leaves nothing behind', async (t) => {
  const temporary = temporaryFolder(t)
  const missing = join(temporary, 'x'.repeat(100))
  const bench = new Bench(t, [...SHORT, '--arms=stream'], { temporary: missing })
  const { code, stderr } = await bench.program.ended
  t.is(code, 1)
  t.regex(
    stderr,
    /^tunnel-bench: Cannot make a folder for the tunnel's sockets in [^\n]* \(ERR_TUNNEL_ADDRESS_DENIED\)\n$/
  )
  t.deepEqual(readdirSync(bench.out), [])
  t.deepEqual(readdirSync(temporary), [])
})

test.serial('run removes what a killed run has left, and only that', async (t) => {
  const temporary = temporaryFolder(t)
  const killed = new Bench(
    t,
    [...SHORT, '--duration=60s', '--sizes=small', '--concurrency=1', '--mode=threads', '--arms=stream'],
    { temporary }
  )
  await killed.program.output(/about/)
  const running = readdirSync(temporary)
  t.is(running.length, 1)
  const beside = new Bench(
    t,
    [...SHORT, '--sizes=small', '--concurrency=1', '--rounds=1', '--mode=threads', '--arms=stream'],
    { temporary }
  )
  t.is((await beside.program.ended).code, 0)
  t.deepEqual(readdirSync(temporary), running, 'the folder of a run that lives')
  killed.program.kill('SIGKILL')
  await killed.program.ended
  t.deepEqual(readdirSync(temporary), running)
  const next = new Bench(
    t,
    [...SHORT, '--sizes=small', '--concurrency=1', '--rounds=1', '--mode=threads', '--arms=stream'],
    { temporary }
  )
  t.is((await next.end(t)).code, 0)
  t.true(readFileSync(join(next.folder, 'SUMMARY.md'), 'utf8').length > 0)
})

test.serial('run goes on where its results cannot be written, shows what it found, and ends with 1', async (t) => {
  const bench = new Bench(t, [
    '--duration=200ms',
    '--warmup=0s',
    '--rounds=2',
    '--sizes=small',
    '--concurrency=1',
    '--arms=baseline',
    '--equal-load=0',
    '--mode=threads',
    '--allow-invalid'
  ])
  await until('it has made its folder', () => readdirSync(bench.out).length > 0)
  mkdirSync(join(bench.folder, 'result.json.part'))
  const { code, stdout, stderr } = await bench.program.ended
  t.is(code, 1)
  t.regex(
    stderr,
    /^\ntunnel-bench: Cannot write \S+result\.json: EISDIR[^\n]*: make room, or make the folder writable; measuring goes on, and the end tries again\ntunnel-bench: Cannot write [^\n]*\n$/
  )
  t.regex(stdout, /^\[2\/2\][^]*Small responses \(2 bytes\)/m)
})
