import { createHash } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { AnyBodyCheck, ExactBodyCheck, HashBodyCheck, type BodyCheck } from './body-check.js'

/** Feeds `body` cut at `cuts`, each piece at another place of a larger view. */
function checkInPieces (check: BodyCheck, body: Buffer, cuts: readonly number[]): string | null {
  const edges = [...new Set([0, ...cuts.filter((cut) => cut < body.length), body.length])].sort((a, b) => a - b)
  check.reset()
  for (let i = 1; i < edges.length; i++) {
    const piece = body.subarray(edges[i - 1], edges[i])
    const view = Buffer.alloc(piece.length + i + 3, 0xee)
    piece.copy(view, i)
    check.add(view, i, i + piece.length)
  }
  return check.verdict()
}

const bodies = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const cuts = fc.array(fc.nat(300), { maxLength: 6 })

test('BodyCheck accepts the expected body however it is cut, one after another', (t) => {
  fc.assert(fc.property(bodies, cuts, cuts, (body, first, second) => {
    const check = new ExactBodyCheck(body)
    t.is(checkInPieces(check, body, first), null)
    t.is(checkInPieces(check, body, second), null)
    t.false(check.isWrong)
  }))
})

test('BodyCheck finds one changed byte wherever it is, and forgets it with reset()', (t) => {
  fc.assert(
    fc.property(
      bodies.filter((body) => body.length > 0),
      cuts,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (body, pieces, at, change) => {
        const check = new ExactBodyCheck(body)
        const wrong = Buffer.from(body)
        wrong[at % body.length]! ^= change
        t.is(checkInPieces(check, wrong, pieces), 'body differs from the expected bytes')
        t.true(check.isWrong)
        t.is(checkInPieces(check, body, pieces), null)
      }
    )
  )
})

test('BodyCheck finds a body that is shorter or longer', (t) => {
  for (const size of [3, 1_000]) {
    const body = Buffer.alloc(size, 1)
    const check = new ExactBodyCheck(body)
    t.is(checkInPieces(check, body.subarray(1), []), `body is shorter than the expected ${size} bytes`)
    t.false(check.isWrong)
    t.is(checkInPieces(check, Buffer.alloc(size + 1, 1), [2]), `body is longer than the expected ${size} bytes`)
    t.true(check.isWrong)
    t.is(checkInPieces(check, Buffer.alloc(0), []), `body is shorter than the expected ${size} bytes`)
  }
})

test('HashBodyCheck accepts the bodies of its hash however they are cut, and no other', (t) => {
  fc.assert(fc.property(bodies, bodies, cuts, (body, other, pieces) => {
    const check = new HashBodyCheck(createHash('sha256').update(body).digest('hex'))
    t.is(checkInPieces(check, body, pieces), null)
    t.is(checkInPieces(check, other, pieces) === null, other.equals(body))
    check.reset()
    check.add(other, 0, other.length)
    t.is(checkInPieces(check, body, pieces), null, 'what was cut off is forgotten')
    t.is(check.receivedBytes, body.length)
  }))
})

test('AnyBodyCheck accepts any body, and counts its bytes', (t) => {
  const check = new AnyBodyCheck()
  for (const size of [0, 3, 1_000]) {
    t.is(checkInPieces(check, Buffer.alloc(size), [1]), null)
    t.is(check.receivedBytes, size)
  }
})
