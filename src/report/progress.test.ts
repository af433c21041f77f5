import test from 'ava'
import { formatMeasurement, formatStatus, type MeasurementPlace } from './progress.js'
import { makeRound } from './testing/fixture.js'

const place: MeasurementPlace = {
  number: 12, total: 80, round: 1, size: 'small', concurrency: 64, arm: 'stream', leftMs: 70_400
}

test('formatMeasurement() is one line with place, figures and time left', t => {
  const result = makeRound({ ok: 12_345, latencyNs: 1_240_000 })
  t.is(
    formatMeasurement(place, { kind: 'measured', result }),
    '[12/80] round 2 small c=64 stream  12,345 RPS  p50 1.24 ms  left 1m10s'
  )
})

test('formatMeasurement() counts errors, leaves out an unknown time left, and aligns the number', t => {
  const result = makeRound({ ok: 0, counts: { timeout: 1 } })
  t.is(
    formatMeasurement({ ...place, number: 3, leftMs: null }, { kind: 'measured', result }),
    '[ 3/80] round 2 small c=64 stream  0 RPS  1 error'
  )
})

test('formatMeasurement() keeps a failure on one line', t => {
  t.is(
    formatMeasurement(place, { kind: 'failed', reason: 'host died:\n\u001b[31mcode 1' }),
    '[12/80] round 2 small c=64 stream  failed: host died: [31mcode 1  left 1m10s'
  )
})

test('formatStatus() tells place, phase, share done and time left', t => {
  t.is(formatStatus(place, 'measuring', 80), '[12/80] round 2 small c=64 stream  measuring  13 % done  left 1m10s')
})

test('formatStatus() never fills the last column', t => {
  for (let columns = 2; columns < 80; columns++) t.true(formatStatus(place, 'measuring', columns).length < columns)
  t.is(formatStatus(place, 'measuring', 20), '[12/80] round 2 sm…')
})
