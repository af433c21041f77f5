import test from 'ava'
import fc from 'fast-check'
import { HEADER_BYTES } from '../../frame/layout.js'
import { type ArenaClaim, SendArena } from './send-arena.js'

const CHUNK_BYTES = 256 * 1024
const LARGE = 65_536

test('SendArena.claim() gives room for a header before the payload', (t) => {
  const claim = new SendArena(1).claim(100)!
  t.is(claim.view.length, 100)
  t.is(claim.view.byteOffset, claim.start + HEADER_BYTES)
  t.is(claim.end, claim.start + HEADER_BYTES + 100)
})

test('SendArena.claim() gives what is left of a chunk if that is worthwhile', (t) => {
  const arena = new SendArena(2)
  const first = arena.claim(CHUNK_BYTES - HEADER_BYTES - 5000)!
  const rest = arena.claim(LARGE)!
  t.is(rest.chunk, first.chunk)
  t.is(rest.view.length, 5000 - HEADER_BYTES)
  const next = arena.claim(LARGE)!
  t.not(next.chunk, first.chunk)
  t.is(next.view.length, LARGE)
})

test('ArenaClaim.commit() lets the next claim begin where the payload ends', (t) => {
  const arena = new SendArena(1)
  const first = arena.claim(LARGE)!
  first.commit(10)
  const second = arena.claim(LARGE)!
  t.is(second.start, first.end)
})

test('SendArena.abandon() gives the room of the last claim to the next one', (t) => {
  const arena = new SendArena(1)
  arena.claim(10)!.commit(10)
  const { start } = arena.claim(LARGE)!
  for (let i = 0; i < 100; i++) {
    const claim = arena.claim(LARGE)!
    t.is(claim.start, start + HEADER_BYTES + LARGE)
    if (i % 2 === 0) claim.commit(100)
    arena.abandon(claim)
  }
})

test('SendArena keeps at most its chunks, and uses them again', (t) => {
  const arena = new SendArena(3)
  const chunks = new Set<object>()
  for (let cycle = 0; cycle < 50; cycle++) {
    const claims = fillAll(arena)
    t.is(claims.length, 12)
    for (const claim of claims) {
      chunks.add(claim.chunk)
      arena.abandon(claim)
    }
  }
  t.is(chunks.size, 3)
})

test('SendArena.canClaim() is true as soon as the only chunk is free again', (t) => {
  const arena = new SendArena(1)
  const claims = fillAll(arena)
  t.false(arena.canClaim(LARGE))
  for (const claim of claims.slice(0, -1)) arena.release(claim.chunk, 1)
  t.false(arena.canClaim(LARGE))
  arena.release(claims.at(-1)!.chunk, 1)
  t.true(arena.canClaim(LARGE))
  t.not(arena.claim(LARGE), null)
})

test('SendArena.claim() of a short message finds memory that bulk cannot take, up to a bound', (t) => {
  const arena = new SendArena(6, 4)
  const bulk = fillAll(arena)
  const short: ArenaClaim[] = []
  for (let claim = arena.claim(4096); claim !== null; claim = arena.claim(4096)) {
    claim.commit(claim.view.length)
    short.push(claim)
    t.is(arena.claim(LARGE), null)
  }
  t.is(bulk.length, 2 * 4)
  t.is(short.length, 4 * Math.floor(CHUNK_BYTES / (HEADER_BYTES + 4096)))
  for (const claim of [...bulk, ...short]) arena.release(claim.chunk, 1)
  t.is(fillAll(arena).length, bulk.length, 'no chunk is kept beyond the limit')
})

test('SendArena.claim(always) gives room beyond the limit, to control frames alone, and gives it up again', (t) => {
  const arena = new SendArena(2)
  const claims = fillAll(arena)
  const chunks = new Set<object>(claims.map((claim) => claim.chunk))
  t.is(chunks.size, 2)
  const control: ArenaClaim[] = []
  for (let i = 0; i < 1000; i++) {
    const claim = arena.claim(500, true)!
    t.is(claim.view.length, 500)
    chunks.add(claim.chunk)
    claim.commit(500)
    control.push(claim)
    t.is(arena.claim(LARGE), null, 'a control frame must not let in data')
  }
  t.is(chunks.size, 2 + Math.ceil(1000 * 516 / CHUNK_BYTES))
  for (const claim of [...control, ...claims]) arena.release(claim.chunk, 1)
  t.is(fillAll(arena).length, claims.length, 'no chunk is kept beyond the limit')
})

test('SendArena: live claims never overlap, whatever is claimed, committed, sent and abandoned', (t) => {
  const action = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('claim' as const),
        bytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 131_072 })),
        always: fc.nat(9)
      })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('commit' as const),
        which: fc.nat(),
        part: fc.double({ min: 0, max: 1, noNaN: true })
      })
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon' as const), which: fc.nat() }) }
  )
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const arena = new SendArena(3)
    const live: ArenaClaim[] = []
    for (const one of actions) {
      if (one.kind === 'claim') {
        const always = one.always === 0
        const couldClaim = arena.canClaim(one.bytes)
        const claim = arena.claim(one.bytes, always)
        if (!always && couldClaim !== (claim !== null)) throw new Error(`canClaim() said ${couldClaim}`)
        if (claim === null) continue
        if (claim.view.length < 1 || claim.view.length > one.bytes || (always && claim.view.length !== one.bytes)) {
          throw new Error(`${claim.view.length} bytes for ${one.bytes}`)
        }
        live.push(claim)
      } else if (live.length > 0) {
        const index = one.which % live.length
        const claim = live[index]!
        if (one.kind === 'commit') {
          if (claim.committedBytes === 0) claim.commit(Math.max(1, Math.floor(claim.view.length * one.part)))
          continue
        }
        live.splice(index, 1)
        if (one.kind === 'abandon') arena.abandon(claim)
        else arena.release(claim.chunk, 1)
      }
      assertApart(live)
    }
    for (const claim of live) arena.abandon(claim)
    if (fillAll(arena).length !== 12) throw new Error('memory was lost')
  }), { numRuns: 300 })
  t.pass()
})

function assertApart (live: readonly ArenaClaim[]): void {
  const sorted = [...live].sort((one, other) => one.start - other.start)
  for (const [i, claim] of sorted.entries()) {
    if (claim.end > claim.chunk.bytes.length) throw new Error('a claim goes beyond its chunk')
    const next = sorted.slice(i + 1).find((other) => other.chunk === claim.chunk)
    if (next !== undefined && next.start < claim.end) {
      throw new Error(`claims overlap: ${claim.start}..${claim.end} and ${next.start}..${next.end}`)
    }
  }
}

/** Fills all memory with bulk frames. */
function fillAll (arena: SendArena): ArenaClaim[] {
  const claims: ArenaClaim[] = []
  for (let claim = arena.claim(LARGE); claim !== null; claim = arena.claim(LARGE)) {
    claim.commit(claim.view.length)
    claims.push(claim)
  }
  return claims
}
