import test from 'ava'
import { BusyMeter } from './busy-meter.js'

test('BusyMeter takes CPU time for work, but not what was waiting awake', (t) => {
  const readings = [{ userUs: 1_000, systemUs: 500 }, { userUs: 91_000, systemUs: 60_500 }]
  const meter = new BusyMeter(() => readings.shift()!)
  meter.read(0, 7e6)
  meter.read(200e6, 57e6)
  t.is(meter.share(), (150 - 50) / 200)
})

test('BusyMeter reads the CPU time of this thread', (t) => {
  const meter = new BusyMeter()
  meter.read(0, 0)
  const beforeUs = process.cpuUsage().user
  while (process.cpuUsage().user - beforeUs < 50_000);
  meter.read(100e6, 0)
  t.true(meter.share()! >= 0.5)
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
