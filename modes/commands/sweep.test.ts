import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readSweepResult } from '../../src/result/read-result.js'
import { resolveSweepOptions } from '../options/sweep-options.js'
import { print } from '../testing/command-lines.js'
import { Program, runToEnd } from '../testing/program.js'
import { temporaryFolder } from '../testing/temporary.js'

const SHORT = [
  '--duration=50ms',
  '--warmup=0s',
  '--rounds=2',
  '--connections=4',
  '--precision=0.5',
  '--points=3',
  '--mode=threads',
  '--seed=4'
]
const FILES = ['SUMMARY.md', 'metadata.json', 'sweep.json', 'sweep.png', 'sweep.svg']

test.serial(
  'sweep writes tables, a plot and everything it found; report makes them again, byte for byte',
  async (t) => {
    const [out, TMPDIR] = [temporaryFolder(t), temporaryFolder(t)]
    // A bound that nothing breaks but the end of the machine would take long: this one is broken by rates that a busy
    // machine can still send.
    const { stdout, stderr, code } = await runToEnd(
      t,
      'tunnel-bench',
      ['sweep', ...SHORT, `--out=${out}`, '--arms=baseline,stream', '--p99-bound=1ms', '--rates=4000,2000'],
      { env: { TMPDIR } }
    )
    t.true(code === 0 || code === 3, stderr)
    const folder = join(out, readdirSync(out)[0]!)
    const read = (name: string): Buffer => readFileSync(join(folder, name))
    t.deepEqual(readdirSync(folder).sort(), FILES)
    t.deepEqual(readdirSync(TMPDIR), [])
    const result = readSweepResult(read('sweep.json').toString())
    t.deepEqual(result.ratesPerSec, [2000, 4000])
    t.deepEqual(
      result.arms.map(({ arm, points }) => [
        arm,
        points.map(({ rounds, failures }) => rounds.length + failures.length)
      ]),
      [
        ['baseline', [2, 2]],
        ['stream', [2, 2]]
      ]
    )
    for (const { probes } of result.arms) t.true(probes.length >= 2)
    t.regex(
      read('SUMMARY.md').toString(),
      /\n## Knees\n[^]*\| baseline [^]*\n## Latency at common rates\n[^]*\| +2,000 \| stream /
    )
    t.regex(read('sweep.svg').toString(), /^<svg /)
    t.is(read('sweep.png').subarray(1, 4).toString(), 'PNG')
    t.regex(stdout, /knee of baseline: [^]*Results: /)

    const before = new Map(FILES.map((name) => [name, read(name).toString('base64')]))
    for (const name of FILES) if (name.startsWith('S') || name.endsWith('g')) rmSync(join(folder, name))
    const report = await runToEnd(t, 'tunnel-bench', ['report', folder])
    t.is(report.code, 0, report.stderr)
    t.deepEqual(new Map(FILES.map((name) => [name, read(name).toString('base64')])), before)
  }
)

test.serial('sweep keeps what it has after Ctrl-C, and ends with exit code 130', async (t) => {
  const [out, TMPDIR] = [temporaryFolder(t), temporaryFolder(t)]
  const program = new Program(
    t,
    'tunnel-bench',
    [
      'sweep',
      '--mode=processes',
      '--duration=200ms',
      '--warmup=0s',
      '--arms=stream',
      '--connections=2',
      `--out=${out}`
    ],
    { env: { TMPDIR } }
  )
  await program.output(/^stream at .*(met|broken)$/m)
  program.kill('SIGINT')
  const { code, stdout, stderr } = await program.ended
  t.is(code, 130, stderr)
  t.regex(stdout, /Knees[^]*The sweep did not finish/)
  const result = readSweepResult(readFileSync(join(out, readdirSync(out)[0]!, 'sweep.json'), 'utf8'))
  t.true(result.finishedAt === null && result.arms[0]!.probes.length >= 1)
  t.deepEqual(readdirSync(TMPDIR), [])
})

// A response of 64 MiB takes more than 1 ms wherever it is measured, so no rate meets the bound.
const NO_KNEE = [
  '--arms=baseline',
  '--size=67108864',
  '--p99-bound=1ms',
  '--duration=50ms',
  '--warmup=0s',
  '--rounds=1',
  '--connections=1',
  '--mode=threads'
]

test.serial(
  'sweep ends with exit code 3 where it is invalid, and 0 with --allow-invalid; its findings are written, and found ' +
  'again by report',
  async (t) => {
    for (const [more, expected] of [
      [[], 3],
      [['--allow-invalid'], 0]
    ] as const) {
      const out = temporaryFolder(t)
      const { stdout, stderr, code } = await runToEnd(t, 'tunnel-bench', ['sweep', ...NO_KNEE, ...more, `--out=${out}`])
      t.is(code, expected, stderr)
      t[expected === 3 ? 'regex' : 'notRegex'](
        stderr,
        /ERR_TUNNEL_MEASUREMENT_INVALID.*|The measurement is invalid \(KNEE_NOT_FOUND\)/
      )
      t.regex(stdout, /\nInvalid\n\n {2}KNEE_NOT_FOUND baseline: /)
      const folder = join(out, readdirSync(out)[0]!)
      const { findings } = readSweepResult(readFileSync(join(folder, 'sweep.json'), 'utf8'))
      t.like(findings?.[0], { code: 'KNEE_NOT_FOUND', severity: 'invalid', arm: 'baseline' })
      const summary = readFileSync(join(folder, 'SUMMARY.md'), 'utf8')
      t.regex(summary, /`KNEE_NOT_FOUND` baseline/)
      rmSync(join(folder, 'SUMMARY.md'))
      t.is((await runToEnd(t, 'tunnel-bench', ['report', folder])).code, 0)
      t.is(readFileSync(join(folder, 'SUMMARY.md'), 'utf8'), summary)
    }
  }
)

test('resolveSweepOptions() takes --spin-us and --allow-invalid, and refuses what the engine cannot do', (t) => {
  t.is(resolveSweepOptions({}).options.spinUs, 'auto')
  t.like(resolveSweepOptions({ 'spin-us': '20', 'allow-invalid': true }), {
    options: { spinUs: 20 },
    allowInvalid: true
  })
  t.throws(() => resolveSweepOptions({ 'spin-us': '20', engine: 'node' }), {
    code: 'ERR_TUNNEL_USAGE',
    message: /--spin-us=20: it is for the epoll engine/
  })
})

for (const [flag, pattern] of [
  ['--p99-bound=10', /needs a unit/],
  ['--precision=0', /number from 0\.01 to 0\.5/],
  ['--rates=0', /number from 1 to 1000000/],
  ['--points=1', /integer from 2 to 100/],
  ['--max-connections=3', /integer from 64 to 4000/],
  ['--arrivals=bursts', /one of constant, poisson/],
  ['--size=huge', /must be small, large/]
] as const) {
  test(`sweep refuses ${flag}`, async (t) => {
    const { code, stderr } = await print('tunnel-bench', ['sweep', flag])
    t.is(code, 2)
    t.regex(stderr, pattern)
    t.regex(stderr, /ERR_TUNNEL_USAGE/)
  })
}
