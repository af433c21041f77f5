import test from 'ava'
import { nowNs } from '../base/clock.js'
import { BusyMeter } from './busy-meter.js'

const LONG_NS = 150e6

/** The share of a stretch in which the thread computed all the time, and says that it was idle for `idleShare` of it. */
function shareOf (idleShare: number): number {
  const meter = new BusyMeter()
  const startNs = nowNs()
  meter.read(startNs, 0)
  while (nowNs() - startNs < LONG_NS);
  const endNs = nowNs()
  meter.read(endNs, (endNs - startNs) * idleShare)
  return meter.share()!
}

test('BusyMeter takes CPU time for work, but not what was waiting awake', (t) => {
  const all = shareOf(0)
  t.true(all > 0.1, String(all))
  t.true(shareOf(1) < all - 0.1)
})

test('BusyMeter knows nothing of a stretch that is too short for the system\'s clock', (t) => {
  const meter = new BusyMeter()
  t.false(meter.hasBegun)
  t.is(meter.share(), null)
  meter.read(0, 0)
  t.true(meter.hasBegun)
  meter.read(99e6, 0)
  t.is(meter.share(), null)
})
