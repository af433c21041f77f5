import test from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { OriginOutage } from './origin-outage.js'
import { type RepeatedEvent, RepeatedEvents } from './repeated-events.js'
import { until } from './testing/rig.js'
import type { TunnelEvent } from './tunnel.js'

const busy = new TunnelError(ErrorCode.PEER_BUSY, 'Busy')
const full = new TunnelError(ErrorCode.LIMIT, 'Full')
const NEVER_MS = 3_600_000

function collect (intervalMs: number): { told: RepeatedEvent[], events: RepeatedEvents } {
  const told: RepeatedEvent[] = []
  return { told, events: new RepeatedEvents((event) => { told.push(event) }, intervalMs) }
}

test('RepeatedEvents tells the first at once, and counts the others of its kind and reason', (t) => {
  const { told, events } = collect(NEVER_MS)
  for (let i = 0; i < 2000; i++) events.note({ kind: 'refused', error: busy })
  events.note({ kind: 'refused', error: full })
  events.note({ kind: 'turned-away', error: full })
  t.deepEqual(told.map(({ kind, error, count }) => [kind, error.code, count]),
    [['refused', busy.code, 1], ['refused', full.code, 1], ['turned-away', full.code, 1]])
  events.stop()
  t.deepEqual(told.slice(3), [{ kind: 'refused', error: busy, count: 1999 }])
})

test('RepeatedEvents tells as many at once as it may', (t) => {
  const { told, events } = collect(NEVER_MS)
  for (let i = 0; i < 20; i++) events.note({ kind: 'refused', error: full }, 8)
  t.is(told.length, 8)
  events.stop()
  t.is(told.at(-1)!.count, 12)
})

test('RepeatedEvents tells what it held back once an interval, and the next at once after a quiet one', async (t) => {
  const { told, events } = collect(20)
  t.teardown(() => { events.stop() })
  for (let i = 0; i < 5; i++) events.note({ kind: 'refused', error: busy })
  await until(() => told.length === 2)
  t.is(told[1]!.count, 4)
  // Each of these is held back until an interval has passed in which there was none.
  let tries = 0
  await until(() => {
    if (told.length > 2) return true
    if (tries++ % 50 === 49) events.note({ kind: 'refused', error: busy })
    return false
  })
  t.true(told[2]!.count >= 1)
})

test('OriginOutage tells an outage once per reason, and its end', (t) => {
  const told: TunnelEvent[] = []
  const outage = new OriginOutage((event) => { told.push(event) })
  t.teardown(() => { outage.stop() })
  outage.handleSuccess()
  for (let i = 0; i < 3; i++) {
    for (const error of [busy, busy, full, busy]) outage.handleFailure(error)
    outage.handleSuccess()
    outage.handleSuccess()
  }
  const one = ['origin-unreachable', 'origin-unreachable', 'origin-reachable']
  t.deepEqual(told.map(({ kind }) => kind), [...one, ...one, ...one])
})

test('OriginOutage tells little of an origin that comes and goes', (t) => {
  const told: TunnelEvent[] = []
  const outage = new OriginOutage((event) => { told.push(event) })
  for (let i = 0; i < 1000; i++) {
    outage.handleFailure(busy)
    outage.handleSuccess()
  }
  t.is(told.length, 10)
  outage.stop()
  t.like(told.at(-1), { kind: 'origin-unreachable', count: 995 })
})
