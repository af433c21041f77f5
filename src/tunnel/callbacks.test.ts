import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { WITHIN_A_PROCESS } from './testing/transports.js'

const program = new URL('./testing/throwing-callbacks.js', import.meta.url)

for (const engine of ENGINES_HERE) {
  for (const transport of WITHIN_A_PROCESS) {
    test(`what users' callbacks throw ends up uncaught, one by one, and nothing else is the worse for it (${engine}, ` +
      `${transport})`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'callbacks-'))
      t.teardown(() => {
        rmSync(folder, { recursive: true })
      })
      const child = fork(program, [engine, transport, join(folder, 's')], { execArgv: [] })
      const ended = once(child, 'exit')
      t.teardown(async () => {
        child.kill('SIGKILL')
        await ended
      })
      const [message] = (await once(child, 'message')) as [{ answers: string[]; uncaught: string[]; channels: number }]
      t.deepEqual(message.answers, ['ECONNRESET', 'ECONNRESET', 'hello', 'hello', 'hello'])
      t.is(message.channels, 0)
      const own = ['attach', 'onChannel', 'onData', 'onReset 5', 'drain', 'close', 'onFatal']
      for (const what of own) t.is(message.uncaught.filter((one) => one === what).length, 1, what)
      const events = new Set(message.uncaught.filter((one) => !own.includes(one)))
      for (const event of [
        'host attached',
        'host detached',
        'host refused',
        'plugin attached',
        'plugin waiting',
        'plugin detached',
        'other refused'
      ]) { t.true(events.has(event), event) }
      t.deepEqual(
        [...events].filter((event) => !/^(host|plugin|other) [a-z-]+$/.test(event)),
        [],
        'nothing but what they threw'
      )
    })
  }
}
