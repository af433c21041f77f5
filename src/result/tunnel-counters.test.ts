import test from 'ava'
import { makeCounters } from '../report/testing/fixture.js'
import { countersSince, TUNNEL_COUNTERS } from './tunnel-counters.js'

test('countersSince() subtracts every counter, and drops what a result does not hold', t => {
  const before = makeCounters(Object.fromEntries(TUNNEL_COUNTERS.map((name, i) => [name, i])))
  const after = makeCounters(Object.fromEntries(TUNNEL_COUNTERS.map((name, i) => [name, 10 * i])))
  t.deepEqual(
    countersSince({ ...after, lateFrames: 1 } as typeof after, before),
    makeCounters(Object.fromEntries(TUNNEL_COUNTERS.map((name, i) => [name, 9 * i])))
  )
})
