import test from 'ava'
import { machineMs, nowNs } from './clock.js'

test('nowNs() is an integer that never goes back', (t) => {
  const times = Array.from({ length: 10_000 }, nowNs)
  t.true(times.every((time) => Number.isSafeInteger(time)))
  t.true(times.every((time, i) => i === 0 || time >= times[i - 1]!))
})

test('nowNs() and machineMs() measure in the units of their names', async (t) => {
  const startNs = nowNs()
  const startMs = machineMs()
  await new Promise((resolve) => setTimeout(resolve, 20))
  const elapsedMs = machineMs() - startMs
  const elapsedNs = nowNs() - startNs
  // A timer of 20 ms may fire a little early by another clock, and as late as it likes; nowNs() was started first and
  // read last.
  t.true(elapsedMs > 15)
  t.true(elapsedNs >= elapsedMs * 1e6 - 10_000)
})

test('machineMs() is the clock that every thread reads', (t) => {
  const beforeMs = Number(process.hrtime.bigint()) / 1e6
  const nowMs = machineMs()
  const afterMs = Number(process.hrtime.bigint()) / 1e6
  t.true(nowMs >= beforeMs - 0.002)
  t.true(nowMs <= afterMs)
})
