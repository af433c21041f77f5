import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import type { LoadJob } from '../src/load/job.js'
import { childChannel, portChannel, RoleControl } from './control.js'
import type { RoleTypes } from './roles.js'
import type { Oddity } from './testing/odd-role.js'

const ENTRY_POINT = new URL('testing/odd-role.js', import.meta.url)

interface Carrier {
  readonly control: RoleControl<'load'>
  readonly ended: Promise<unknown>
}

const carriers: Record<string, (t: ExecutionContext) => Carrier> = {
  'a port': (t) => {
    const worker = new Worker(ENTRY_POINT)
    t.teardown(async () => { await worker.terminate() })
    return { control: new RoleControl(portChannel(worker)), ended: once(worker, 'exit') }
  },
  'an IPC channel': (t) => {
    const child = fork(fileURLToPath(ENTRY_POINT), [], { serialization: 'advanced' })
    t.teardown(() => { child.kill('SIGKILL') })
    const control = new RoleControl<'load'>(childChannel(child))
    return { control, ended: once(child, 'exit') }
  }
}

const optionsOf = (oddity?: Oddity): RoleTypes['load']['options'] =>
  ({ oddity }) as unknown as RoleTypes['load']['options']
const jobOf = (path: string): LoadJob => ({ path, expect: { kind: 'content', bytes: 5 } }) as LoadJob

for (const [name, open] of Object.entries(carriers)) {
  test(`over ${name} a role starts, samples, runs jobs and ends`, async (t) => {
    const { control, ended } = open(t)
    t.regex((await control.start(optionsOf())).engine, /^odd in \d+$/)
    const sample = await control.sample()
    t.is(sample.stats, null)
    t.true(sample.rssBytes > 0)
    if (process.platform === 'linux') t.true(sample.cpu !== null && sample.cpu.userUs + sample.cpu.systemUs >= 0)
    t.deepEqual(await control.measure(jobOf('/any')), jobOf('/any') as never)
    await control.close()
    await ended
    control.release()
  })

  test(`over ${name} an error keeps its code and message, in start() and measure()`, async (t) => {
    const { control } = open(t)
    const refused = await t.throwsAsync(control.start(optionsOf('refuse')), { instanceOf: TunnelError })
    t.is(refused.code, ErrorCode.ADDRESS_IN_USE)
    t.is(refused.message, 'Cannot listen: the port is taken')
    await control.start(optionsOf())
    t.is(
      (await t.throwsAsync(control.measure(jobOf('refuse')), { instanceOf: TunnelError })).code,
      ErrorCode.ADDRESS_IN_USE
    )
  })

  test(`over ${name} a bug is told as one, with the stack of where it was`, async (t) => {
    const { control } = open(t)
    const error = await t.throwsAsync(control.start(optionsOf('bug')), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.INTERNAL)
    t.is(error.message, 'out of range')
    t.regex(error.stack ?? '', /odd-role/)
  })

  test(`over ${name} measure() of a role that was not started is refused`, async (t) => {
    const { control } = open(t)
    const error = await t.throwsAsync(control.measure(jobOf('/any')), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.INTERNAL)
    t.regex(error.message, /takes no jobs, or was not started/)
  })

  test(`over ${name} close() of a role that failed to start, or never started, ends it`, async (t) => {
    for (const oddity of ['refuse', null] as const) {
      const { control, ended } = open(t)
      if (oddity !== null) await t.throwsAsync(control.start(optionsOf(oddity)))
      await control.close()
      await ended
    }
    t.pass()
  })
}

test('a role process ends when its orchestrator is gone', async (t) => {
  const child = fork(fileURLToPath(ENTRY_POINT), [], { serialization: 'advanced' })
  t.teardown(() => { child.kill('SIGKILL') })
  child.disconnect()
  t.deepEqual(await once(child, 'exit'), [0, null])
})

test('a role process ignores what its terminal or a service manager sends to all', async (t) => {
  const child = fork(fileURLToPath(ENTRY_POINT), [], { serialization: 'advanced' })
  t.teardown(() => { child.kill('SIGKILL') })
  const control = new RoleControl<'load'>(childChannel(child))
  await control.start(optionsOf())
  const exited = once(child, 'exit')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal)
  t.is((await control.sample()).stats, null)
  await control.close()
  t.deepEqual(await exited, [0, null])
})
