import test from 'ava'
import type { Alarm, Engine, Polled } from '../../engine/engine.js'
import { Pacer } from './pacer.js'

const PRECISION_NS = 10_000_000
/** So early is the alarm set at first. */
const MARGIN_NS = 3_000_000

/**
 * An engine of which the test decides when it rings, and sees whether it may sleep; and a clock that the test turns.
 */
function fakeEngine (): {
  engine: Engine
  clock: { ns: number }
  now: () => number
  ring: () => void
  set: number[]
  awake: Set<Polled>
  isClosed: () => boolean
} {
  const clock = { ns: 1e9 }
  const set: number[] = []
  const awake = new Set<Polled>()
  let ring = (): void => {}
  let closed = false
  const alarm = (onRing: () => void): Alarm => {
    ring = onRing
    return {
      precisionNs: PRECISION_NS,
      set: (atNs) => {
        set.push(atNs)
      },
      close: () => {
        closed = true
      }
    }
  }
  const engine = {
    alarm,
    pollUntilAsleep: (polled: Polled) => {
      awake.add(polled)
    }
  } as unknown as Engine
  return {
    engine,
    clock,
    now: () => clock.ns,
    ring: () => {
      ring()
    },
    set,
    awake,
    isClosed: () => closed
  }
}

test('Pacer sets the alarm early, and stays awake for the rest', (t) => {
  const fake = fakeEngine()
  const due: number[] = []
  const firstNs = fake.now() + 3 * PRECISION_NS
  const pacer = new Pacer(fake.engine, (now) => {
    due.push(now)
    return Infinity
  }, fake.now)
  pacer.start(firstNs)
  t.deepEqual(fake.set, [firstNs - MARGIN_NS])
  t.is(fake.awake.size, 0)
  t.true(pacer.trySleep())
  fake.clock.ns = firstNs - MARGIN_NS / 2
  fake.ring()
  t.is(fake.awake.size, 1)
  t.false(pacer.trySleep())
  t.false(pacer.poll())
  fake.clock.ns = firstNs
  t.true(pacer.poll())
  t.deepEqual(due, [firstNs])
  t.true(pacer.trySleep(), 'nothing is planned any more')
  t.is(fake.set.length, 1)
  pacer.stop()
  t.true(fake.isClosed())
})

test('Pacer counts the time between two looks at the clock as idle, and only where nothing else happened', (t) => {
  const fake = fakeEngine()
  const pacer = new Pacer(fake.engine, () => Infinity, fake.now)
  pacer.start(fake.now() + MARGIN_NS)
  pacer.poll()
  fake.clock.ns += 1e6
  pacer.noteWork()
  pacer.poll()
  t.is(pacer.idleNs, 0)
  fake.clock.ns += 2e6
  pacer.poll()
  t.is(pacer.idleNs, 2e6)
  pacer.stop()
})

test('Pacer sets the alarm earlier after it rang late, up to a limit, and a little later after it ' +
  'rang in time', (t) => {
  const fake = fakeEngine()
  const HOUR_NS = 3_600_000_000_000
  const pacer = new Pacer(fake.engine, (now) => now + HOUR_NS, fake.now)
  /**
   * One start after another; each alarm rings at once, which is long before or (`late`) as if long after what it was
   * set to.
   */
  const ring = (late: boolean): number => {
    const nextNs = fake.now() + (late ? MARGIN_NS * 10 : HOUR_NS)
    pacer.start(nextNs)
    const margin = nextNs - fake.set.at(-1)!
    if (late) fake.clock.ns = nextNs + 1
    fake.ring()
    return margin
  }
  ring(true)
  const grown = ring(false)
  t.is(grown, MARGIN_NS + (PRECISION_NS / 200) * 19)
  t.is(ring(false), grown - PRECISION_NS / 200)
  for (let i = 0; i < 1_000; i++) ring(false)
  t.is(ring(false), PRECISION_NS / 10)
  pacer.stop()
})
