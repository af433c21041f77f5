import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { LoadJob } from '../../src/load/job.js'
import type { RoleTypes } from '../../workers/roles.js'
import type { Oddity } from '../../workers/testing/odd-role.js'
import { type Launch, type RoleTimeouts, RoleHandle, type RoleRunner } from './role-handle.js'
import { ODD_LAUNCHES } from '../testing/odd-roles.js'

/** For what never answers. */
const SHORT_MS = 100

/** For what answers: however busy the machine is. */
const longTimeouts = (): RoleTimeouts => ({ answerMs: 30_000 })

const optionsOf = (oddity?: Oddity): RoleTypes['load']['options'] =>
  ({ oddity }) as unknown as RoleTypes['load']['options']
const jobOf = (path: string): LoadJob => ({ path }) as LoadJob

/** Notes the runners it launches, and whether they were killed. */
function watched (launch: Launch): { launch: Launch, runners: RoleRunner[], kills: () => number } {
  const runners: RoleRunner[] = []
  let kills = 0
  return {
    runners,
    kills: () => kills,
    launch: (name) => {
      const runner = launch(name)
      runners.push(runner)
      return {
        ...runner,
        kill: () => {
          kills++
          runner.kill()
        }
      }
    }
  }
}

for (const [mode, launchOdd] of ODD_LAUNCHES) {
  test(`${mode}: a role starts, takes jobs and closes, and close() may be called by several`, async (t) => {
    const { launch, runners, kills } = watched(launchOdd)
    const role = await RoleHandle.start(launch, 'load', optionsOf())
    t.teardown(async () => { await role.close() })
    t.regex(role.ready.engine, /^odd in/)
    t.deepEqual(await role.measure(jobOf('/any'), 0), jobOf('/any') as never)
    await Promise.all([role.close(), role.close()])
    t.is(await runners[0]!.ended, 'exited with code 0')
    t.is(kills(), 0)
    await role.close()
  })

  test(`${mode}: start() passes on why a role refused, and ends it`, async (t) => {
    const { launch, runners, kills } = watched(launchOdd)
    const error = await t.throwsAsync(RoleHandle.start(launch, 'load', optionsOf('refuse')), {
      instanceOf: TunnelError
    })
    t.is(error.code, ErrorCode.ADDRESS_IN_USE)
    t.is(await runners[0]!.ended, 'exited with code 0')
    t.is(kills(), 0)
  })

  test(`${mode}: start() tells of a role that dies in it`, async (t) => {
    const error = await t.throwsAsync(RoleHandle.start(launchOdd, 'load', optionsOf('exit')), {
      instanceOf: TunnelError
    })
    t.is(error.code, ErrorCode.ROLE_FAILED)
    t.is(
      error.message,
      `The load role ended unexpectedly: it exited with code 7${mode === 'threads' ? '' : ': these are my last words'}`
    )
  })

  test(`${mode}: start() gives up a role that does not answer, and ends it`, async (t) => {
    const { launch, runners } = watched(launchOdd)
    const error = await t.throwsAsync(RoleHandle.start(launch, 'load', optionsOf('hang'), { answerMs: SHORT_MS }), {
      instanceOf: TunnelError
    })
    t.is(error.code, ErrorCode.ROLE_FAILED)
    t.is(error.message, `Cannot start the load role: no answer within ${SHORT_MS} ms`)
    t.truthy(await runners[0]!.ended)
  })

  test(`${mode}: measure() rejects when the role dies in the middle, and so does every later call`, async (t) => {
    const role = await RoleHandle.start(launchOdd, 'load', optionsOf())
    t.teardown(async () => { await role.close() })
    const error = await t.throwsAsync(role.measure(jobOf('throwLater'), 60_000), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.ROLE_FAILED)
    t.regex(error.message, /^The load role ended unexpectedly: it exited with code 1: [^]*nobody caught me/)
    t.is((await t.throwsAsync(role.sample(), { instanceOf: TunnelError })).message, error.message)
    await role.close()
  })

  test(`${mode}: measure() is given up after the time it should take and the time for an answer`, async (t) => {
    const timeouts = longTimeouts()
    const role = await RoleHandle.start(launchOdd, 'load', optionsOf(), timeouts)
    t.teardown(async () => { await role.close() })
    timeouts.answerMs = SHORT_MS
    const error = await t.throwsAsync(role.measure(jobOf('hang'), 50), { instanceOf: TunnelError })
    t.is(error.message, `Cannot run a job of the load role: no answer within ${SHORT_MS + 50} ms`)
  })

  for (const oddity of ['linger', 'mute'] as const) {
    test(`${mode}: close() kills a role that does not end (${oddity})`, async (t) => {
      const { launch, runners, kills } = watched(launchOdd)
      const timeouts = longTimeouts()
      const role = await RoleHandle.start(launch, 'load', optionsOf(oddity), timeouts)
      timeouts.answerMs = SHORT_MS
      await role.close()
      t.is(kills(), 1)
      t.is(await runners[0]!.ended, mode === 'threads' ? 'exited with code 1' : 'was ended by SIGKILL')
    })
  }
}

test('close() returns even where killing does not help', async (t) => {
  const immortal: Launch = (name) => ({ ...ODD_LAUNCHES[0]![1](name), ended: new Promise(() => {}), kill: () => {} })
  const timeouts = longTimeouts()
  const role = await RoleHandle.start(immortal, 'load', optionsOf(), timeouts)
  timeouts.answerMs = SHORT_MS
  await role.close()
  t.pass()
})
