import { relayCommand } from '../testing/external-relay.js'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { markedProcesses, treeOf } from './process-tree.js'
import { startGuard } from './guard.js'
import { childrenOf, processesLike, rolesOf } from '../testing/processes.js'
import { Bench } from '../testing/run-folder.js'
import { isAlive, until } from '../testing/wait.js'

const linux = process.platform === 'linux' ? test.serial : test.serial.skip

/** In the command lines of this test only. */
const SECONDS = `600.${process.pid}`

/**
 * Forwards, ignores SIGTERM, and has a child that ignores it and has left its session, and one that has nothing to do
 * with it any more.
 */
const COMMAND = relayCommand(`
  process.title = 'test-guarded'
  process.on('SIGTERM', () => {})
  require('node:child_process').spawn('setsid', ['sh', '-c', 'trap : TERM; sleep ${SECONDS}; :'], { stdio: 'ignore' })
  require('node:child_process').execSync('(setsid sleep ${SECONDS} > /dev/null 2>&1 &)')
`)
const RUN = ['--sizes=small', '--concurrency=2', '--duration=60s', '--warmup=50ms', '--equal-load=0', '--arms=stream']
const SHORT = [
  '--sizes=small',
  '--concurrency=1',
  '--duration=50ms',
  '--warmup=0s',
  '--equal-load=0',
  '--rounds=1',
  '--arms=baseline',
  '--mode=threads'
]

for (const mode of ['threads', 'processes'] as const) {
  linux(
    `nothing that a run has started outlives its SIGKILL, and the next run says what it found: ${mode}`,
    async (t) => {
      const bench = new Bench(t, [
        ...RUN,
        `--mode=${mode}`,
        `--arm=mine=http://127.0.0.1:{port},start=${COMMAND} {port} {origin}`
      ])
      await bench.program.output(/about/)
      const [shell] = childrenOf(bench.program.pid).filter(({ command }) => command.includes('test-guarded'))
      const pids = [...treeOf(shell!.pid)!, ...rolesOf(bench.program.pid)].map(({ pid }) => pid)
      t.true(pids.length >= (mode === 'threads' ? 2 : 6))
      t.is(processesLike(new RegExp(`^sleep ${SECONDS}$`)).length, 2, 'one of them a daemon')
      // A role that does not get to know that its run has gone.
      if (mode === 'processes') process.kill(rolesOf(bench.program.pid)[0]!.pid, 'SIGSTOP')
      bench.program.kill('SIGKILL')
      await bench.program.ended
      await until(
        'all have ended',
        () => !pids.some(isAlive) && processesLike(new RegExp(`^s(h|leep).* ${SECONDS}`)).length === 0
      )
      const [left] = readdirSync(bench.temporary)
      t.true(existsSync(bench.folder))
      const next = new Bench(t, SHORT, { temporary: bench.temporary })
      const { stderr } = await next.program.ended
      t.true(
        stderr.startsWith(
          `tunnel-bench: found ${join(bench.temporary, left!)}, left by a run that was killed (process ` +
          `${bench.program.pid}, started `
        ),
        stderr
      )
      t.deepEqual(readdirSync(bench.temporary), [])
    }
  )
}

linux('startGuard() marks what is started from then on', async (t) => {
  startGuard()
  const mark = process.env.TUNNEL_BENCH_RUN!
  startGuard()
  t.is(process.env.TUNNEL_BENCH_RUN, mark)
  t.deepEqual(markedProcesses(mark), [])
  t.deepEqual(markedProcesses('another'), [])
  t.is(childrenOf(process.pid).filter(({ command }) => command.includes(mark)).length, 1)
})
