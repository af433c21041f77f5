import test from 'ava'
import { nowNs } from '../base/clock.js'
import type { Alarm, Engine, Polled } from '../engine/engine.js'
import { Pacer } from './pacer.js'

const PRECISION_NS = 10_000_000

/** An engine of which the test decides when it rings, and sees whether it may sleep. */
function fakeEngine (): { engine: Engine, ring: () => void, set: number[], awake: Set<Polled>, isClosed: () => boolean } {
  const set: number[] = []
  const awake = new Set<Polled>()
  let ring = (): void => {}
  let closed = false
  const alarm = (onRing: () => void): Alarm => {
    ring = onRing
    return { precisionNs: PRECISION_NS, set: (atNs) => { set.push(atNs) }, close: () => { closed = true } }
  }
  const engine = { alarm, pollUntilAsleep: (polled: Polled) => { awake.add(polled) } } as unknown as Engine
  return { engine, ring: () => { ring() }, set, awake, isClosed: () => closed }
}

test('Pacer sets the alarm early by what it may be wrong, and stays awake for the rest', (t) => {
  const fake = fakeEngine()
  const due: number[] = []
  const firstNs = nowNs() + 3 * PRECISION_NS
  const pacer = new Pacer(fake.engine, (now) => {
    due.push(now)
    return Infinity
  })
  pacer.start(firstNs)
  t.deepEqual(fake.set, [firstNs - PRECISION_NS])
  t.is(fake.awake.size, 0)
  t.true(pacer.trySleep())
  while (nowNs() < firstNs - PRECISION_NS / 2);
  fake.ring()
  t.is(fake.awake.size, 1)
  t.false(pacer.trySleep())
  while (!pacer.poll());
  t.is(due.length, 1)
  t.true(due[0]! >= firstNs)
  t.true(pacer.trySleep(), 'nothing is planned any more')
  t.is(fake.set.length, 1)
  pacer.stop()
  t.true(fake.isClosed())
})

test('Pacer counts the time between two looks at the clock as idle, and only where nothing else happened', (t) => {
  const fake = fakeEngine()
  const pacer = new Pacer(fake.engine, () => Infinity)
  pacer.start(nowNs() + PRECISION_NS / 2)
  pacer.poll()
  const beforeNs = nowNs()
  while (nowNs() - beforeNs < 1e6);
  pacer.noteWork()
  pacer.poll()
  t.is(pacer.idleNs, 0)
  const lookedNs = nowNs()
  while (nowNs() - lookedNs < 2e6);
  pacer.poll()
  t.true(pacer.idleNs >= 2e6)
  pacer.stop()
})
