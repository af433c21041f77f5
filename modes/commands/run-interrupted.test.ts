import { byEffort } from '../../src/base/testing/effort.js'
import { readdirSync } from 'node:fs'
import test from 'ava'
import { rolesOf } from '../testing/processes.js'
import { Bench, TABLE_HEADER } from '../testing/run-folder.js'
import { isAlive, until } from '../testing/wait.js'

const LOAD = [
  '--sizes=small',
  '--concurrency=2',
  '--duration=200ms',
  '--warmup=50ms',
  '--equal-load=0',
  '--allow-invalid'
]
const ALL_MODES = ['threads', 'processes'] as const
const MODES = byEffort<ReadonlyArray<'threads' | 'processes'>>({ quick: ALL_MODES.slice(-1), full: ALL_MODES })
const ROLES = ['origin', 'host', 'plugin', 'load'] as const

for (const mode of MODES) {
  test.serial(`${mode}: Ctrl-C ends a run with exit code 130, what was measured, and nothing left over`, async (t) => {
    const bench = new Bench(t, [...LOAD, `--mode=${mode}`, '--rounds=50'], { ownGroup: true })
    await bench.program.output(/^\[ *3\/150\]/m)
    const roles = rolesOf(bench.program.pid)
    t.is(roles.length, mode === 'threads' ? 0 : 6)
    bench.program.killGroup('SIGINT')
    const { code, stdout, stderr } = await bench.end(t)
    t.is(code, 130)
    t.regex(
      stderr,
      /^\ntunnel-bench: interrupted: closing in good order; once more to stop at once\ntunnel-bench: Interrupted: the tables hold what was measured until then \(ERR_TUNNEL_INTERRUPTED\)\n$/
    )
    for (const role of roles) t.false(isAlive(role.pid), role.command)
    t.regex(stdout, /Small responses \(2 bytes\)[^]*Results: /)
    t.true(bench.read('SUMMARY.md').includes(TABLE_HEADER))
    const { cells, finishedAt } = bench.result
    t.true(cells.flatMap((cell) => cell.rounds).length >= 3)
    t.deepEqual(cells.flatMap((cell) => cell.failures), [])
    t.true(finishedAt !== null)
  })

  for (const kill of ['SIGTERM', 'SIGHUP'] as const) {
    test.serial(`${mode}: ${kill} while the roles start leaves no folder, no role and no socket`, async (t) => {
      const bench = new Bench(t, [...LOAD, `--mode=${mode}`, '--duration=60s'])
      await until('the roles are being started', () => readdirSync(bench.temporary).length > 0)
      bench.program.kill(kill)
      const { code, stderr } = await bench.program.ended
      t.is(code, 130, stderr)
      t.regex(
        stderr,
        /tunnel-bench: Interrupted before the first measurement was done: there are no results \(ERR_TUNNEL_INTERRUPTED\)\n$/
      )
      t.deepEqual(readdirSync(bench.temporary), [])
      t.deepEqual(readdirSync(bench.out), [])
    })
  }

  test.serial(`${mode}: a second Ctrl-C stops a run at once`, async (t) => {
    const bench = new Bench(t, [...LOAD, `--mode=${mode}`, '--duration=60s'])
    await bench.program.output(/about/)
    const roles = rolesOf(bench.program.pid)
    bench.program.kill('SIGINT')
    await bench.program.output(/once more to stop at once/)
    const { code, signal } = await bench.program.insist('SIGINT')
    t.deepEqual([code, signal], [130, null])
    t.deepEqual(readdirSync(bench.temporary), [])
    await until('the roles have ended', () => !roles.some((role) => isAlive(role.pid)))
  })
}

for (const name of ROLES) {
  test.serial(`a ${name} that is killed costs one measurement, and the run goes on`, async (t) => {
    const bench = new Bench(t, [...LOAD, '--mode=processes', '--arms=stream', '--rounds=4'])
    await bench.program.output(/^\[1\/4\]/m)
    const victim = rolesOf(bench.program.pid).find(({ command }) => command.includes(`workers/${name}.js`))!
    process.kill(victim.pid, 'SIGKILL')
    const { code, stdout } = await bench.end(t)
    t.is(code, 1)
    const [cell] = bench.result.cells
    t.is(cell!.failures.length, 1)
    t.regex(
      cell!.failures[0]!,
      new RegExp(`^round [234]: The ${name} role ended unexpectedly: it was ended by SIGKILL$`)
    )
    t.is(cell!.rounds.length, 3)
    t.regex(
      stdout,
      new RegExp(`^\\[\\d/4\\] round \\d small c=2 stream {2}failed: The ${name} role ended unexpectedly`, 'm')
    )
    t.regex(
      bench.read('SUMMARY.md'),
      new RegExp(`3 of 4 rounds.*The ${name} role ended unexpectedly: it was ended by SIGKILL`)
    )
  })
}
