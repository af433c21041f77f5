import test from 'ava'
import { emptyEngineCounters } from '../engine.js'
import { Spin, type SpinChoice } from './spin.js'

/** Time passes only when a yield lets others run. */
function spin (choice: SpinChoice, yieldUs = 1) {
  const counters = emptyEngineCounters()
  let yields = 0
  const system = { sched_yield: () => ++yields * 0 }
  return { spin: new Spin(choice, system, counters, () => yields * yieldUs / 1000), counters, yields: () => yields }
}

const nothing = (): number => 0

test('Spin learns that waits are short, and within six long ones that they no longer are', (t) => {
  const { spin: auto } = spin('auto')
  t.false(auto.isWorthwhile)
  for (let i = 0; i < 6; i++) auto.learn(0.199)
  t.true(auto.isWorthwhile)
  for (let i = 0; i < 100; i++) auto.learn(0.1)
  for (let i = 0; i < 6; i++) auto.learn(0.2)
  t.false(auto.isWorthwhile)
})

test('Spin does what it is told, whatever it learns', (t) => {
  const fixed = spin(50).spin
  const never = spin(0).spin
  for (let i = 0; i < 50; i++) {
    t.true(fixed.isWorthwhile)
    t.false(never.isWorthwhile)
    fixed.learn(10)
    never.learn(0)
  }
})

test('run() looks until it finds something, and lets others run in between', (t) => {
  const { spin: auto, counters, yields } = spin('auto')
  let looks = 0
  t.is(auto.run(() => ++looks === 100 ? 3 : 0, 0), 3)
  t.is(looks, 100)
  t.is(yields(), 99)
  t.like(counters, { spins: 1, spinHits: 1 })
  t.is(Math.round(counters.spinUs), 99)
})

test('run() hands on a signal', (t) => {
  const { spin: auto, yields } = spin('auto')
  t.is(auto.run(() => -1, 0), -1)
  t.is(yields(), 0)
})

test('run() gives up after its time, all of which it counts', (t) => {
  for (const [choice, limitUs] of [['auto', 200], [50, 50]] as const) {
    const { spin: one, counters, yields } = spin(choice)
    t.is(one.run(nothing, 0), 0)
    t.is(yields(), limitUs)
    t.like(counters, { spins: 1, spinHits: 0 })
    t.is(Math.round(counters.spinUs), limitUs)
  }
})

test('run() of one that learns looks once more after somebody wanted the processor, and does not count the time of ' +
  'others', (t) => {
  const { spin: auto, counters, yields } = spin('auto', 20)
  let looks = 0
  t.is(
    auto.run(() => (++looks === 2 ? 1 : 0), 0),
    1
  )
  t.is(auto.run(nothing, 0.02), 0)
  t.is(yields(), 2)
  t.is(counters.spinUs, 0)
  const fixed = spin(1000, 20)
  fixed.spin.run(nothing, 0)
  t.is(fixed.yields(), 50)
})
