import test from 'ava'
import { relayCommand } from '../testing/external-relay.js'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { formatAddress, tcpAddress, type Address } from '../../src/base/address.js'
import { ErrorCode } from '../../src/base/errors.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { loopbacks, makeName } from '../../src/engine/testing/names.js'
import { startOrigin } from '../../src/origin/start-origin.js'
import { commandOf } from '../plan/external-arm.js'
import { ExternalProcess } from './external-process.js'
import { parseStat, treeOf } from '../system/process-tree.js'
import { Bench } from '../testing/run-folder.js'
import { childrenOf, processesLike } from '../testing/processes.js'
import { temporaryFolder } from '../testing/temporary.js'
import { isAlive, until } from '../testing/wait.js'

/** A TCP relay as somebody else may have written it; it has a child of its own, and ignores SIGTERM where told. */
const COMMAND = relayCommand(`
  process.title = 'test-external'
  if (more[0]) process.on('SIGTERM', () => {})
  require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
`)

const linux = process.platform === 'linux' ? test.serial : test.serial.skip

linux('an external arm joins the rounds with its CPU time, and ends with all its children', async (t) => {
  const bench = new Bench(t, [
    '--sizes=small',
    '--concurrency=4',
    '--duration=100ms',
    '--warmup=50ms',
    '--rounds=2',
    '--allow-invalid',
    '--arms=baseline',
    `--arm=mine=http://127.0.0.1:{port},start=${COMMAND} {port} {origin}`
  ])
  await bench.program.output(/^\[1\/6\]/m)
  const [shell] = childrenOf(bench.program.pid).filter(({ command }) => command.includes('test-external'))
  const tree = treeOf(shell!.pid)!
  t.true(tree.length >= 2, 'the program and its child')
  const { code } = await bench.program.ended
  t.is(code, 0)
  // Whoever inherits what was killed has to wait for it, too, before its number is free.
  await until('all have ended', () => !tree.some(({ pid }) => isAlive(pid)))
  const cells = bench.result.cells.filter(({ arm }) => arm === 'mine')
  t.is(cells[0]?.transport, 'external')
  t.is(cells[0]?.rounds.length, 2)
  for (const { cpu, counts } of cells[0]!.rounds) {
    t.true(counts.ok > 0)
    t.true(cpu.external !== null && cpu.external !== undefined && cpu.external.userUs + cpu.external.systemUs >= 0)
  }
  t.true(cells[0]!.rounds.some(({ cpu }) => cpu.external!.userUs + cpu.external!.systemUs > 0))
  t.true(bench.read('SUMMARY.md').includes('CPU external (µs)'))
})

linux('Ctrl-C ends an external arm that ignores SIGTERM, and its child', async (t) => {
  const bench = new Bench(t, [
    '--sizes=small',
    '--concurrency=4',
    '--duration=60s',
    '--arms=baseline',
    `--arm=mine=http://127.0.0.1:{port},start=${COMMAND} {port} {origin} stubborn`
  ])
  await bench.program.output(/about/)
  const [shell] = childrenOf(bench.program.pid).filter(({ command }) => command.includes('test-external'))
  const tree = treeOf(shell!.pid)!
  t.true(tree.length >= 2)
  bench.program.kill('SIGINT')
  t.is((await bench.program.ended).code, 130)
  await until('all have ended', () => !tree.some(({ pid }) => isAlive(pid)))
})

for (const [program, script] of [
  ['haproxy', 'sh examples/haproxy-two-hops.sh {port} {origin}'],
  ['nginx', 'sh examples/nginx-stream.sh {port} {origin} 1'],
  ['nginx', 'sh examples/nginx-stream.sh {port} {origin} 2']
] as const) {
  const installed = isUsable(program) ? linux : test.serial.skip
  installed(`the example "${script}" carries an arm, and leaves nothing behind`, async (t) => {
    const origin = await startOrigin({ server: 'node', port: 0 })
    t.teardown(async () => { await origin.close() })
    const [target, folder] = [await unusedTarget(), temporaryFolder(t)]
    const command = `TMPDIR=${folder} exec ` +
      `${commandOf(script, formatAddress(origin.address), target.kind === 'tcp' ? target.port : 0)}`
    const external = await ExternalProcess.start({ name: 'mine', command, target, isInterrupted: () => false })
    const pids = external.pids()
    t.true(pids.length > 1 && readdirSync(folder).length === 1)
    await external.close()
    t.deepEqual(readdirSync(folder), [])
    await until('all have ended', () => !pids.some(isAlive))
  })

  installed(`the example "${script}" ends when one of its programs does`, async (t) => {
    const origin = await startOrigin({ server: 'node', port: 0 })
    t.teardown(async () => { await origin.close() })
    const [target, folder] = [await unusedTarget(), temporaryFolder(t)]
    const command = `TMPDIR=${folder} exec ` +
      `${commandOf(script, formatAddress(origin.address), target.kind === 'tcp' ? target.port : 0)}`
    const external = await ExternalProcess.start({ name: 'mine', command, target, isInterrupted: () => false })
    t.teardown(async () => { await external.close() })
    const pids = external.pids()
    const victim = pids.flatMap(childrenOf).find((child) => child.command.startsWith(program))!
    process.kill(victim.pid, 'SIGKILL')
    await until('all have ended', () => !pids.some(isAlive))
    t.deepEqual(readdirSync(folder), [])
  })
}

/** Installed, and nginx with its module for streams, which is a package of its own in places. */
function isUsable (program: string): boolean {
  const { status, stderr } = spawnSync(program, program === 'nginx' ? ['-V'] : ['-v'], { encoding: 'utf8' })
  if (status !== 0 || program !== 'nginx') return status === 0
  const [, modules = ''] = /--modules-path=(\S+)/.exec(stderr) ?? []
  return /--with-stream(\s|$)/.test(stderr) || existsSync(`${modules}/ngx_stream_module.so`)
}

/** Nothing listens there. */
async function unusedTarget (): Promise<Address> {
  const server = createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => { server.close(resolve) })
  return tcpAddress('127.0.0.1', port)
}

test('ExternalProcess.start() says that the command ended, and its last words', async (t) => {
  const target = await unusedTarget()
  await t.throwsAsync(
    ExternalProcess.start({
      name: 'mine',
      command: 'echo no such config >&2; sleep 0.2; exit 3',
      target,
      isInterrupted: () => false
    }),
    {
      code: ErrorCode.ROLE_FAILED,
      message:
        /^Cannot use the arm mine: its command exited with code 3: it has to stay in the foreground .*; it said: no such config$/
    }
  )
})

linux('ExternalProcess.start() gives up on what does not answer in time, and leaves nothing behind', async (t) => {
  const target = await unusedTarget()
  await t.throwsAsync(
    ExternalProcess.start({
      name: 'mine',
      command: 'sleep 612 & sleep 613',
      target,
      isInterrupted: () => false,
      readyMs: 300
    }),
    { code: ErrorCode.ROLE_FAILED, message: /was not answered with status 200 within 300 ms/ }
  )
  t.deepEqual(processesLike(/^sleep 61[23]$/), [])
})

for (const engine of ENGINES_HERE) {
  test('ExternalProcess.start() asks at a port that browsers refuse, and with a limit that is no whole number, ' +
    `engine ${engine}`, async (t) => {
    // fetch() refuses port 10080 (WHATWG's list of bad ports).
    const [host] = loopbacks(1) as [string]
    const origin = await startOrigin({ server: 'node', host, port: 10080 })
    t.teardown(async () => {
      await origin.close()
    })
    const external = await ExternalProcess.start({
      name: 'mine',
      command: null,
      target: origin.address,
      engine,
      isInterrupted: () => false,
      readyMs: 9_999.67
    })
    await external.close()
    const target = await unusedTarget()
    await t.throwsAsync(
      ExternalProcess.start({
        name: 'mine',
        command: null,
        target,
        engine,
        isInterrupted: () => false,
        readyMs: 1500.67
      }),
      {
        message:
          /was not answered with status 200 within 1500\.67 ms \(.*ERR_TUNNEL_CONNECT_REFUSED: .*nothing listens there/
      }
    )
    const named = makeName([...loopbacks(1), host])
    await (
      await ExternalProcess.start({
        name: 'mine',
        command: null,
        target: tcpAddress(named.host, 10080),
        engine,
        isInterrupted: () => false
      })
    ).close()
  })
}

test('ExternalProcess.start() gives up when it is interrupted', async (t) => {
  await t.throwsAsync(
    ExternalProcess.start({
      name: 'mine',
      command: 'sleep 600',
      target: await unusedTarget(),
      isInterrupted: () => true
    }),
    { code: ErrorCode.INTERRUPTED }
  )
})

test('ExternalProcess leaves a program that it has not started alone, and knows nothing of its CPU time', async (t) => {
  const origin = await startOrigin({ server: 'node', port: 0 })
  t.teardown(async () => { await origin.close() })
  const external = await ExternalProcess.start({
    name: 'mine',
    command: null,
    target: origin.address,
    isInterrupted: () => false
  })
  t.is((await external.sample()).cpu, null)
  await external.close()
})

test('parseStat() reads a command with spaces and parentheses, and counts ended children', (t) => {
  t.deepEqual(parseStat('42 (a b) c) S 7 40 40 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 100 0 0\n'),
    { pid: 42, state: 'S', parent: 7, group: 40, userTicks: 44, systemTicks: 66 })
})
