import test from 'ava'
import type { Engine } from '../engine.js'
import { registerAlarmTests } from './alarm-tests.js'
import { registerConnectTests } from './connect-tests.js'
import { registerEndingTests } from './ending-tests.js'
import { registerListenTests } from './listen-tests.js'
import { registerMemoryTests } from './memory-tests.js'
import { Rig, type Suite } from './rig.js'
import { registerResetTests } from './reset-tests.js'
import { registerSocketFileTests } from './socket-file-tests.js'
import { registerStreamTests } from './stream-tests.js'
import { registerTurnTests } from './turn-tests.js'

/** Registers the tests every engine must pass, on real sockets. Call it at the top of a test file. */
export function runEngineSuite (name: string, createEngine: () => Engine): void {
  const suite: Suite = {
    onBoth (title, body) {
      for (const kind of ['tcp', 'unix'] as const) this.once(`${title} (${kind})`, (t, rig) => body(t, rig, kind))
    },
    once (title, body, serially = false) {
      const register = serially ? test.serial : test
      register(`${name} engine: ${title}`, async (t) => {
        const rig = new Rig(t, createEngine())
        await body(t, rig)
        await rig.verify()
      })
    }
  }
  registerTurnTests(suite)
  registerAlarmTests(suite)
  registerStreamTests(suite)
  registerMemoryTests(suite)
  registerEndingTests(suite)
  registerResetTests(suite)
  registerConnectTests(suite)
  registerListenTests(suite)
  registerSocketFileTests(suite)
}
