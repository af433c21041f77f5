import test from 'ava'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { contentBytes, contentSlice, LARGE_BODY_BYTES, SMALL_BODY } from './content.js'

const PERIOD_BYTES = 65_521

function sha256 (bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('SMALL_BODY is the two bytes ok', (t) => {
  t.is(Buffer.from(SMALL_BODY).toString(), 'ok')
})

test('contentBytes() never drifts: results of different versions are about the same bytes', (t) => {
  t.is(LARGE_BODY_BYTES, 256 * 1024)
  t.is(Buffer.from(contentBytes(16)).toString('hex'), '193e3ab51f37d0bf39b8eeb4d33cb85f')
  t.is(sha256(contentBytes(LARGE_BODY_BYTES)), '5b36a83b65e2e0a1b9d0bf343a05baaa251626227b689797eaddf0c2be5bba40')
})

test('contentBytes() is the xorshift32 sequence, computed here a second time with big integers', (t) => {
  let x = 0x9E3779B9n
  const expected = Uint8Array.from({ length: 4096 }, () => {
    x ^= (x << 13n) & 0xffffffffn
    x ^= x >> 17n
    x ^= (x << 5n) & 0xffffffffn
    return Number(x & 0xffn)
  })
  t.deepEqual(contentBytes(4096), expected)
})

test('contentBytes() has exactly the period it says', (t) => {
  const bytes = contentBytes(3 * PERIOD_BYTES)
  t.deepEqual(bytes.subarray(PERIOD_BYTES, 2 * PERIOD_BYTES), bytes.subarray(0, PERIOD_BYTES))
  t.deepEqual(bytes.subarray(2 * PERIOD_BYTES), bytes.subarray(0, PERIOD_BYTES))
})

test('contentBytes() shifted by a power of two never looks right', (t) => {
  const bytes = contentBytes(2 * LARGE_BODY_BYTES)
  for (let shift = 1; shift <= LARGE_BODY_BYTES; shift *= 2) {
    t.notDeepEqual(bytes.subarray(shift, shift + 4096), bytes.subarray(0, 4096), `shift ${shift}`)
  }
})

test('contentSlice() is what the same place of contentBytes() holds', (t) => {
  const whole = contentBytes(4 * PERIOD_BYTES)
  const isSlice = fc.property(fc.nat(2 * PERIOD_BYTES), fc.nat(2 * PERIOD_BYTES), (offset, bytes) => {
    return Buffer.compare(contentSlice(offset, bytes), whole.subarray(offset, offset + bytes)) === 0
  })
  t.notThrows(() => {
    fc.assert(isSlice, {
      examples: [
        [0, 0],
        [PERIOD_BYTES - 1, 2],
        [PERIOD_BYTES, 1],
        [0, PERIOD_BYTES],
        [1, 2 * PERIOD_BYTES]
      ]
    })
  })
})

test('contentBytes() gives memory of its own', (t) => {
  contentBytes(10).fill(0)
  contentSlice(0, 10).fill(0)
  t.false(contentBytes(10).every((byte) => byte === 0))
})
