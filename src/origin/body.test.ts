import test from 'ava'
import fc from 'fast-check'
import { contentBytes, PERIOD_BYTES } from '../base/content.js'
import { type Body, CollectedBody, contentBody } from './body.js'

function readAll (body: Body, from = 0): Buffer {
  const views: Uint8Array[] = []
  for (let offset = from; offset < body.bytes;) {
    const view = body.viewAt(offset)
    if (view.length === 0) throw new Error(`no bytes at ${offset}`)
    views.push(view)
    offset += view.length
  }
  return Buffer.concat(views)
}

test('contentBody() is the content sequence, from whatever offset it is read on', t => {
  const expected = Buffer.from(contentBytes(1_000_000))
  for (const bytes of [0, 1, PERIOD_BYTES - 1, PERIOD_BYTES, PERIOD_BYTES + 1, 262_144, 262_145, 1_000_000]) {
    t.true(readAll(contentBody(bytes)).equals(expected.subarray(0, bytes)), `${bytes} bytes`)
    for (const from of [1, PERIOD_BYTES - 1, PERIOD_BYTES, 262_143]) {
      t.true(
        readAll(contentBody(bytes), from).equals(expected.subarray(Math.min(from, bytes), bytes)),
        `${bytes} bytes from ${from}`
      )
    }
  }
})

test('contentBody() serves every length from the same memory', t => {
  t.is(contentBody(1).viewAt(0).buffer, contentBody(1_073_741_824).viewAt(1_073_741_823).buffer)
  t.is(contentBody(1_073_741_824).viewAt(1_073_741_823).length, 1)
})

test('CollectedBody returns what was appended, however it was cut', t => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 150_000 }), { maxLength: 8 }), lengths => {
    const whole = contentBytes(lengths.reduce((sum, length) => sum + length, 0))
    const body = new CollectedBody(whole.length)
    let at = 0
    for (const length of lengths) {
      if (!body.tryAppend(whole.subarray(at, at + length))) return false
      at += length
    }
    return readAll(body).equals(whole)
  }), { numRuns: 50 })
  t.pass()
})

test('CollectedBody keeps a copy, not the piece', t => {
  const body = new CollectedBody(10)
  const piece = Buffer.from('abc')
  body.tryAppend(piece)
  piece.fill(0)
  t.is(readAll(body).toString(), 'abc')
})

test('CollectedBody holds as many blocks as its bytes fill, though they came one by one', t => {
  const body = new CollectedBody(131_072)
  for (let i = 0; i < 131_072; i++) body.tryAppend(new Uint8Array([i]))
  const buffers = new Set<ArrayBufferLike>()
  for (let offset = 0; offset < body.bytes; offset += 1024) buffers.add(body.viewAt(offset).buffer)
  t.is(buffers.size, 2)
})

test('CollectedBody refuses the piece that would exceed its limit and keeps what it has', t => {
  const body = new CollectedBody(5)
  t.true(body.tryAppend(Buffer.from('abcd')))
  t.false(body.tryAppend(Buffer.from('ef')))
  t.is(body.bytes, 4)
  t.true(body.tryAppend(Buffer.from('e')))
  t.is(readAll(body).toString(), 'abcde')
})

test('CollectedBody without bytes has an empty view', t => {
  t.is(new CollectedBody(5).viewAt(0).length, 0)
})
