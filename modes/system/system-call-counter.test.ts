import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode } from '../../src/base/errors.js'
import { SystemCallCounter } from './system-call-counter.js'
import { childrenOf, processesLike } from '../testing/processes.js'
import { Bench } from '../testing/run-folder.js'
import { temporaryFolder } from '../testing/temporary.js'
import { until } from '../testing/wait.js'

/** Where strace is installed and may attach. */
const mayTrace =
  process.platform === 'linux' &&
  spawnSync('strace', ['-c', '-o', '/dev/null', process.execPath, '--version']).status === 0
const traced = mayTrace ? test.serial : test.serial.skip

const CALLS = 1000

/** Asks so often for a file that is not there, on every message. */
function startCaller (t: ExecutionContext): { pid: number, call: () => Promise<void> } {
  const child = spawn(
    process.execPath,
    [
      '-e',
      `process.on('message', () => { for (let i = 0; i < ${CALLS}; i++) { try { fs.accessSync('/nowhere') } catch {} ` +
      '} process.send(\'done\') })'
    ],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }
  )
  t.teardown(() => child.kill('SIGKILL'))
  return {
    pid: child.pid!,
    call: async () => {
      child.send('call')
      await once(child, 'message')
    }
  }
}

const tracers = (pid: number): string[] => processesLike(new RegExp(`^strace -c .*-p ${pid}\\b`))

traced(
  'SystemCallCounter counts each call of each role exactly, failed ones too, while it is attached, and leaves',
  async (t) => {
    const [one, two] = [startCaller(t), startCaller(t)]
    await one.call()
    const counter = await SystemCallCounter.attach({ one: [one.pid], two: [two.pid] })
    t.teardown(async () => {
      await counter.close()
    })
    await one.call()
    await two.call()
    await two.call()
    const calls = await counter.detach()
    await one.call()
    // Some architectures have no access(2).
    t.deepEqual(
      Object.entries(calls).map(([role, named]) => [role, named.access ?? named.faccessat]),
      [
        ['one', CALLS],
        ['two', 2 * CALLS]
      ]
    )
    t.deepEqual([...tracers(one.pid), ...tracers(two.pid)], [])
  }
)

traced('SystemCallCounter.attach() says why it cannot, and then is attached to nothing', async (t) => {
  const { pid } = startCaller(t)
  // Beyond the largest that Linux gives.
  await t.throwsAsync(SystemCallCounter.attach({ one: [pid], two: [4_194_305] }), {
    code: ErrorCode.UNAVAILABLE,
    message: /^Cannot count system calls of process 4194305: .*No such process/
  })
  t.deepEqual(tracers(pid), [])
})

const MATRIX = [
  '--sizes=small',
  '--concurrency=4',
  '--arms=baseline,stream',
  '--duration=100ms',
  '--warmup=0s',
  '--rounds=1',
  '--count-syscalls',
  '--allow-invalid'
]

traced('--count-syscalls counts the calls of every role but the generator, and shows them', async (t) => {
  const bench = new Bench(t, MATRIX)
  const { stderr } = await bench.end(t)
  t.false(stderr.includes('SYSCALLS_NOT_COUNTED'), stderr)
  t.deepEqual(
    bench.result.cells.map(({ arm, systemCalls }) => [arm, Object.keys(systemCalls ?? {}).sort()]),
    [
      ['baseline', ['origin']],
      ['stream', ['host', 'origin', 'plugin']]
    ]
  )
  for (const { systemCalls, rounds } of bench.result.cells) {
    t.is(rounds.length, 1)
    for (const { responses, calls } of Object.values(systemCalls!)) {
      // A role that answers has to read and to write; several responses may share a call.
      t.true(responses > 0 && Object.values(calls).reduce((sum, count) => sum + count, 0) > responses / 10)
    }
  }
  const summary = bench.read('SUMMARY.md')
  t.true(summary.includes('### System calls per response'))
  t.regex(summary, /\n\| stream +\| +4 \|.* (sendto|writev|sendmsg|write|recvfrom|read|epoll_p?wait) \d/)
})

test('--count-syscalls goes on without strace, says so, and how to get it', async (t) => {
  const bench = new Bench(t, MATRIX, { path: temporaryFolder(t) })
  const { code, stderr } = await bench.end(t)
  t.is(code, 0, stderr)
  t.is(stderr.match(/SYSCALLS_NOT_COUNTED/g)?.length, 1)
  t.regex(stderr, /strace is not installed: install strace \(apt-get install strace\)/)
  t.deepEqual(
    bench.result.findings
      ?.filter(({ code }) => code === 'SYSCALLS_NOT_COUNTED')
      .map(({ severity, figure, cure }) => [severity, figure, /apt-get install strace/.test(cure)]),
    [['warning', 2, true]]
  )
  t.true(bench.read('SUMMARY.md').includes('System calls were not counted in 2 of 2 cells.'))
})

traced('Ctrl-C while system calls are counted leaves no strace behind, and the figures of the rounds', async (t) => {
  const bench = new Bench(t, MATRIX)
  await bench.program.output(/^counting system calls/m)
  await until('strace runs', () => childrenOf(bench.program.pid).some(({ command }) => command.startsWith('strace')))
  const pids = childrenOf(bench.program.pid).map(({ pid }) => pid)
  bench.program.kill('SIGINT')
  t.is((await bench.program.ended).code, 130)
  t.deepEqual(pids.flatMap(tracers), [])
  t.deepEqual(bench.result.cells.map(({ rounds }) => rounds.length), [1, 1])
})
