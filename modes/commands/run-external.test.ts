import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readRunResult } from '../../src/result/read-result.js'
import type { RunResult } from '../../src/result/run-result.js'
import { type Ended, runToEnd } from '../testing/program.js'
import { temporaryFolder } from '../testing/temporary.js'

const SHORT = ['--sizes=small', '--concurrency=2', '--rounds=1', '--warmup=0s', '--arms=baseline', '--mode=threads']

/** A folder with one program in it, in front of PATH. */
function withProgram (t: ExecutionContext, name: string, script: string): Record<string, string> {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
  return { PATH: `${folder}${delimiter}${process.env.PATH ?? ''}` }
}

async function runWith (
  t: ExecutionContext,
  args: readonly string[],
  env: Record<string, string>
): Promise<Ended & { result: RunResult | null; summary: string }> {
  const [out, TMPDIR] = [temporaryFolder(t), temporaryFolder(t)]
  const ended = await runToEnd(t, 'tunnel-bench', ['run', ...SHORT, ...args, `--out=${out}`], {
    env: { ...env, TMPDIR }
  })
  t.deepEqual(readdirSync(TMPDIR), [], 'nothing is left over')
  const [name] = readdirSync(out)
  if (name === undefined) return { ...ended, result: null, summary: '' }
  const read = (file: string): string => readFileSync(join(out, name, file), 'utf8')
  return { ...ended, result: readRunResult(read('result.json')), summary: read('SUMMARY.md') }
}

const OHA = `case "$1" in --version) echo "oha 1.9.0"; exit;; esac
echo '${JSON.stringify({
  summary: { total: 0.5, requestsPerSec: 1, totalData: 4000, successRate: 1 },
  latencyPercentiles: { p50: 0.0015, p90: 0.002, p99: 0.003, 'p99.9': null },
  statusCodeDistribution: { 200: 2000 },
  errorDistribution: { 'aborted due to deadline': 2 }
})}'`

test.serial('run --generator=oha takes the figures of oha, in the right units, and says whose they are', async (t) => {
  const { code, stderr, result, summary } = await runWith(
    t,
    ['--generator=oha', '--duration=500ms'],
    withProgram(t, 'oha', OHA)
  )
  t.is(code, 0, stderr)
  const [cell] = result!.cells
  const [round] = cell!.rounds
  t.like(round!, { windowMs: 500, bodyBytes: 4000, busy: null, reportedNs: { p50: 1_500_000 } })
  t.like(round!.counts, { sent: 2002, ok: 2000, unfinished: 2 })
  t.is(round!.cpu.load, null)
  t.is(cell!.equalLoad, undefined)
  t.like(result!.metadata, { options: { generator: 'oha', equalLoad: 0 }, versions: { oha: '1.9.0' } })
  t.regex(summary, /sent by oha 1\.9\.0, which verifies no body/)
  t.notRegex(summary, /withheld where there were fewer/)
  t.regex(summary, /^\| baseline +\| +2 \| +4,000 \| +1\.50 \| +3\.00 \| +1\.00× \|/m)
})

test.serial('run --generator=wrk takes what the script reported, histogram and all', async (t) => {
  const fake =
    'case "$1" in -v) echo "wrk 4.1.0 [epoll]"; exit 1;; esac\nprintf "figures 1500 1000000 0 0 0 0 0\\nlatency 500 ' +
    '1500\\n"'
  const { code, stderr, result, summary } = await runWith(
    t,
    ['--generator=wrk', '--duration=1s'],
    withProgram(t, 'wrk', fake)
  )
  t.is(code, 0, stderr)
  const [round] = result!.cells[0]!.rounds
  t.is(round!.counts.ok, 1500)
  t.is(round!.bodyBytes, null)
  t.is(round!.latency.count, 1500)
  t.is(result!.metadata.versions.wrk, '4.1.0')
  // 1,500 RPS x 0.5 ms leave more than half of the 2 connections unexplained: no fault of a generator that makes up
  // responses.
  t.deepEqual(
    result!
      .findings!.map(({ code }) => code)
      .filter((code) => ['LITTLES_LAW', 'EXTERNAL_GENERATOR', 'PERCENTILE_WITHHELD'].includes(code)),
    ['EXTERNAL_GENERATOR']
  )
  t.regex(summary, /\n### Warnings\n[^#]*The load was sent by wrk and not by this program: bodies were not verified/)
})

test.serial('run tells what an external program said when it failed', async (t) => {
  const { code, result } = await runWith(
    t,
    ['--generator=wrk', '--duration=1s'],
    withProgram(t, 'wrk', 'case "$1" in -v) echo "wrk 4.1.0"; exit 1;; esac\necho "too many open files" >&2; exit 3')
  )
  t.is(code, 1)
  t.deepEqual(result!.cells[0]!.failures, [
    'round 1: Cannot measure with wrk: it exited with code 3: too many open files'
  ])
})

test.serial('run names the program that is not installed, and makes no folder', async (t) => {
  const { code, stderr, result } = await runWith(t, ['--generator=oha'], { PATH: '/nowhere' })
  t.is(code, 1)
  t.regex(
    stderr,
    /^tunnel-bench: Cannot send load with oha: it cannot be run \(ENOENT\): install it so that it is in PATH, or use the own generator \(--generator=own\) \(ERR_TUNNEL_UNAVAILABLE\)\n$/
  )
  t.is(result, null)
})

for (const [args, pattern] of [
  [['--generator=wrk', '--duration=1500ms'], /must be whole seconds with --generator=wrk/],
  [['--generator=oha', '--equal-load=0.5'], /must be 0 with --generator=oha/],
  [['--generator=wrk', '--arms=stream-stalled'], /needs --generator=own: wrk has no clients that never read/],
  [['--generator=oha', '--arms=baseline,uds'], /--arms=uds: it needs --generator=own: oha sends over TCP only/],
  [['--generator=ab'], /one of own, oha, wrk/]
] as const) {
  test.serial(`run refuses ${args.join(' ')}`, async (t) => {
    const { code, stderr } = await runWith(t, args, {})
    t.is(code, 2)
    t.regex(stderr, pattern)
  })
}

const hasWrk = ((): boolean => {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === undefined
  }
  return true
})()

;(hasWrk ? test.serial : test.skip)(
  'run --generator=wrk measures with wrk itself, where it is installed',
  async (t) => {
    const { code, stderr, result } = await runWith(
      t,
      ['--generator=wrk', '--duration=1s', '--warmup=50ms', '--arms=stream'],
      {}
    )
    t.is(code, 0, stderr)
    const [round] = result!.cells[0]!.rounds
    t.true(round!.counts.ok > 0 && Math.abs(round!.windowMs - 1000) < 500)
    t.true(round!.latency.count > 0)
  }
)
