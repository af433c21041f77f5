import { nowNs } from '../../base/clock.js'
import type { Suite } from './rig.js'

const MS_NS = 1e6

export function registerAlarmTests (suite: Suite): void {
  suite.once('alarm() rings once at a time that is set, without any socket, and hardly before it', async (t, rig) => {
    let rings = 0
    let onRing = (): void => {}
    const alarm = rig.engine.alarm(() => {
      rings++
      onRing()
    })
    t.teardown(() => alarm.close())
    for (const delayMs of [30, 0, -5, 5]) {
      const atNs = nowNs() + delayMs * MS_NS
      await new Promise<void>((resolve) => {
        onRing = resolve
        alarm.set(atNs)
      })
      t.true(nowNs() >= atNs - alarm.precisionNs)
    }
    await rig.turns(5)
    t.is(rings, 4)
    alarm.close()
  })

  suite.once('alarm() rings for the time that was set last, and not after close()', async (t, rig) => {
    const rung: string[] = []
    const [one, other, closed] = ['one', 'other', 'closed'].map((name) => rig.engine.alarm(() => { rung.push(name) }))
    t.teardown(() => { for (const alarm of [one, other, closed]) alarm!.close() })
    const startNs = nowNs()
    one!.set(startNs + 5 * MS_NS)
    one!.set(startNs + 3_600_000 * MS_NS)
    closed!.set(startNs + 5 * MS_NS)
    closed!.close()
    closed!.close()
    other!.set(startNs + 40 * MS_NS)
    while (rung.length === 0) await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(rung, ['other'])
    one!.close()
    other!.close()
  })

  suite.once('alarm() may be set again, and closed, when it rings', async (t, rig) => {
    let rings = 0
    await new Promise<void>((resolve) => {
      const alarm = rig.engine.alarm(() => {
        if (++rings < 3) alarm.set(nowNs() + MS_NS)
        else {
          alarm.close()
          resolve()
        }
      })
      t.teardown(() => alarm.close())
      alarm.set(nowNs())
    })
    await rig.turns(5)
    t.is(rings, 3)
  })
}
