import test from 'ava'
import fc from 'fast-check'
import { SlotPool } from './slot-pool.js'

test('SlotPool.tryReturn() takes back what was sent, once, and nothing else', (t) => {
  const pool = new SlotPool(4)
  const slot = pool.tryClaim(1)
  for (const foreign of [slot, slot + 1, -1, 4, 65_536, 0x7fff_ffff, -0x8000_0000, 0.5, NaN]) {
    t.false(pool.tryReturn(foreign), `${foreign}`)
  }
  pool.send(slot)
  for (const foreign of [slot + 1, -1, 4, 0.5, NaN]) t.false(pool.tryReturn(foreign), `${foreign}`)
  t.is(pool.available, 3)
  t.true(pool.tryReturn(slot))
  t.false(pool.tryReturn(slot))
  t.is(pool.available, 4)
})

test('SlotPool.unclaim() gives back a claim that was not sent', (t) => {
  const pool = new SlotPool(4)
  const slot = pool.tryClaim(1)
  t.is(pool.claimed, 1)
  pool.unclaim(slot)
  t.is(pool.claimed, 0)
  t.is(pool.available, 4)
  t.is(pool.heldBy(1), 0)
  t.false(pool.tryReturn(slot))
})

for (const slots of [1, 2, 16, 100, 512]) {
  test('SlotPool gives each stalled channel no more than a seventeenth of what the others left, rounded up, of ' +
    `${slots} slots`, (t) => {
    const pool = new SlotPool(slots)
    let channelId = 1
    for (let left = slots; left > 0; left = pool.available) {
      while (pool.canClaim(channelId)) pool.send(pool.tryClaim(channelId))
      t.is(pool.heldBy(channelId), Math.ceil(left / 17))
      channelId++
    }
    t.true(channelId - 1 >= Math.min(slots, 16 + 7 * Math.log2(slots / 17)), `${channelId - 1} channels`)
    t.false(pool.canClaim(channelId))
    t.is(pool.tryClaim(channelId), -1)
  })
}

test('SlotPool comes to rest at 1/(n + 16) of the pool for each of n busy channels', (t) => {
  for (const channels of [1, 2, 3, 7, 15, 127]) {
    const pool = new SlotPool(512)
    for (let moved = true; moved;) {
      moved = false
      for (let channelId = 1; channelId <= channels; channelId++) moved = pool.tryClaim(channelId) >= 0 || moved
    }
    const share = 512 / (channels + 16)
    for (let channelId = 1; channelId <= channels; channelId++) {
      t.true(Math.abs(pool.heldBy(channelId) - share) <= 1, `${channels} channels: ${pool.heldBy(channelId)}`)
    }
    t.true(pool.available >= Math.floor(share * 8))
  }
})

type State = { channelId: number, isSent: boolean }

test('SlotPool behaves as a list of slots', (t) => {
  const command = fc.record({
    what: fc.constantFrom(
      'claim',
      'claim',
      'claim',
      'claim',
      'send',
      'send',
      'return',
      'return',
      'unclaim',
      'return anything'
    ),
    channelId: fc.integer({ min: 1, max: 6 }),
    which: fc.nat(1000)
  })
  fc.assert(fc.property(fc.constantFrom(1, 2, 5, 16), fc.array(command, { maxLength: 200 }), (slots, commands) => {
    const pool = new SlotPool(slots)
    const held = new Map<number, State>()
    const pick = (isSent: boolean, which: number): number | undefined => {
      const some = [...held].filter(([, state]) => state.isSent === isSent).map(([slot]) => slot)
      return some[which % some.length]
    }
    for (const { what, channelId, which } of commands) {
      if (what === 'claim') {
        const own = [...held.values()].filter((state) => state.channelId === channelId).length
        const may = own * 16 < slots - held.size
        t.is(pool.canClaim(channelId), may)
        const slot = pool.tryClaim(channelId)
        t.is(slot >= 0, may)
        if (slot >= 0) {
          t.true(slot < slots && !held.has(slot))
          held.set(slot, { channelId, isSent: false })
        }
      } else if (what === 'return anything') {
        const slot = which - 500
        t.is(pool.tryReturn(slot), held.get(slot)?.isSent === true)
        if (held.get(slot)?.isSent === true) held.delete(slot)
      } else {
        const slot = pick(what === 'return', which)
        if (slot === undefined) continue
        if (what === 'send') {
          pool.send(slot)
          held.get(slot)!.isSent = true
        } else {
          if (what === 'return') t.true(pool.tryReturn(slot))
          else pool.unclaim(slot)
          held.delete(slot)
        }
      }
      t.is(pool.available, slots - held.size)
      t.is(pool.claimed, [...held.values()].filter((state) => !state.isSent).length)
      for (let id = 1; id <= 6; id++) {
        t.is(pool.heldBy(id), [...held.values()].filter((state) => state.channelId === id).length)
      }
      // A channel that has none gets one while there are any: the shares of the others never take the last one from it.
      if (pool.available > 0) t.true(pool.canClaim(7))
    }
  }), { numRuns: 500 })
})

test('SlotPool lets the shares never exceed the pool, and a share grow only while sixteen times as ' +
  'much is left', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.nat(63), { maxLength: 400 }), (slots, claims) => {
      const pool = new SlotPool(slots)
      for (const claim of claims) {
        const channelId = 1 + (claim % slots)
        const [before, left] = [pool.heldBy(channelId), pool.available]
        const got = pool.tryClaim(channelId) >= 0
        t.is(got, before * 16 < left)
        let shares = 0
        for (let id = 1; id <= slots; id++) shares += pool.heldBy(id)
        t.is(shares + pool.available, slots)
      }
    }),
    { numRuns: 300 }
  )
})
