import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { LINE_BYTES, SegmentOffset } from './layout.js'
import { readSegmentHeader, writeSegmentHeader } from './segment-header.js'
import { layOut, type SegmentSizes } from './segment-sizes.js'
import { arbitrarySizes, SMALLEST_SIZES } from './testing/arbitrary-sizes.js'

const sizes: SegmentSizes = { slotBytes: 2048, slots: 17, ringEntries: 128, inlineBytes: 544, constantBytes: 8192 }
const { totalBytes } = layOut(sizes)
const nonce = Uint8Array.from({ length: 16 }, (_, i) => 0xA0 + i)

function segment (): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(totalBytes)
  writeSegmentHeader(buffer, sizes, nonce)
  return buffer
}

test('writeSegmentHeader() never drifts: the header in hexadecimal, and nothing else', (t) => {
  const bytes = new Uint8Array(segment())
  t.is(totalBytes, 237_568)
  t.is(
    Buffer.from(bytes.slice(0, 48)).toString('hex'),
    '4854534d' +
      '02000000' +
      '00080000' +
      '11000000' +
      '80000000' +
      '20020000' +
      '00a00300' +
      '00200000' +
      'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'
  )
  t.true(bytes.subarray(48).every((byte) => byte === 0))
})

test('writeSegmentHeader() writes the magic last', (t) => {
  const wrong = new Uint8Array(17) // does not fit where the nonce goes
  const buffer = new SharedArrayBuffer(totalBytes)
  t.throws(() => { writeSegmentHeader(buffer, sizes, wrong) }, { instanceOf: RangeError })
  t.is(new Int32Array(buffer)[SegmentOffset.VERSION / 4], 2)
  t.is(new Int32Array(buffer)[SegmentOffset.MAGIC / 4], 0)
})

test('readSegmentHeader() lays out what writeSegmentHeader() wrote, in both kinds of buffer', (t) => {
  const small = arbitrarySizes.filter((any) => layOut(any).totalBytes < 8 * 1024 * 1024)
  fc.assert(
    fc.property(small, fc.boolean(), fc.uint8Array({ minLength: 16, maxLength: 16 }), (any, shared, anyNonce) => {
      const bytes = layOut(any).totalBytes
      const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
      writeSegmentHeader(buffer, any, anyNonce)
      t.deepEqual(readSegmentHeader(buffer, anyNonce), layOut(any))
    }),
    { numRuns: 30 }
  )
})

const broken: Array<
  [what: string, offset: keyof typeof SegmentOffset, value: number, message: RegExp, code?: ErrorCode]
> = [
  ['no magic', 'MAGIC', 0, /it must begin with the magic HTSM/, ErrorCode.PEER_CLOSED],
  ['a magic with another case', 'MAGIC', 0x4d535468, /magic HTSM/, ErrorCode.PEER_CLOSED],
  ['too small slots', 'SLOT_BYTES', 512, /slotBytes must be an integer from 1024/],
  ['slots that are no power of two', 'SLOT_BYTES', 2049, /slotBytes must be a power of two/],
  ['no slots', 'SLOTS', 0, /slots must be an integer/],
  ['slots beyond the sign', 'SLOTS', 0x80000011, /slots must be an integer from 16 to 65536: it is 2147483665/],
  ['one slot too many', 'SLOTS', 18, /its sizes make 241664 bytes: its header says 237568/],
  ['many slots', 'SLOTS', 65_536, /its sizes make \d+ bytes: its header says 237568/],
  ['a ring that is no power of two', 'RING_ENTRIES', 129, /ringEntries must be a power of two/],
  ['a larger ring', 'RING_ENTRIES', 256, /its sizes make/],
  ['a crooked inline limit', 'INLINE_BYTES', 545, /inlineBytes must be a multiple of 32/],
  ['constants that do not fill pages', 'CONSTANT_BYTES', 512, /constantBytes must be a multiple of 4096: it is 512/],
  ['an inline limit beyond a slot', 'INLINE_BYTES', 2048, /inlineBytes must be less than slotBytes/],
  ['fewer bytes', 'TOTAL_BYTES', 233_472, /its sizes make 237568 bytes: its header says 233472/],
  ['more bytes', 'TOTAL_BYTES', 0xffffffff, /its header says 4294967295/],
  ['another nonce', 'NONCE', 0xa3a2a1a1, /it must carry the nonce of this request/, ErrorCode.PEER_CLOSED]
]

for (const [what, offset, value, message, code = ErrorCode.PROTOCOL] of broken) {
  test(`readSegmentHeader() refuses ${what}`, (t) => {
    const buffer = segment()
    new DataView(buffer).setUint32(SegmentOffset[offset], value, true)
    const error = t.throws(() => readSegmentHeader(buffer, nonce), { instanceOf: TunnelError, message })
    t.is(error.code, code)
    t.regex(error.message, /^Cannot attach the shared memory: /)
  })
}

test('readSegmentHeader() names both versions when they differ, before it looks at what may differ with them', (t) => {
  const buffer = segment()
  const view = new DataView(buffer)
  view.setUint32(SegmentOffset.VERSION, 1, true)
  view.setUint32(SegmentOffset.SLOTS, 0, true)
  view.setUint32(SegmentOffset.NONCE, 0, true)
  const error = t.throws(() => readSegmentHeader(buffer, nonce), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.VERSION)
  t.is(
    error.message,
    'Cannot attach the shared memory: this side knows version 2 of its layout and the peer made version 1: run the ' +
    'same version of http-tunnel-bench on both sides'
  )
})

test('readSegmentHeader() refuses a nonce that differs in its last byte', (t) => {
  const other = nonce.slice()
  other[15]! ^= 1
  t.throws(() => readSegmentHeader(segment(), other), { message: /nonce/ })
})

test('readSegmentHeader() refuses a buffer that is longer or shorter than the header says', (t) => {
  for (const bytes of [0, 4, 127, 128, totalBytes - 4096, totalBytes + 4096]) {
    const buffer = new ArrayBuffer(bytes)
    new Uint8Array(buffer).set(new Uint8Array(segment()).subarray(0, Math.min(bytes, totalBytes)))
    const error = t.throws(() => readSegmentHeader(buffer, nonce), {
      instanceOf: TunnelError,
      message: bytes < LINE_BYTES ? /its header has 128 bytes/ : /bytes that its header says/
    })
    t.is(error.code, ErrorCode.PROTOCOL)
  }
})

test('readSegmentHeader() refuses garbage, or lays out a segment of just these bytes', (t) => {
  const change = fc.record({ at: fc.nat(47), to: fc.nat(255) })
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
    const buffer = segment()
    const bytes = new Uint8Array(buffer)
    for (const { at, to } of changes) bytes[at] = to
    try {
      const layout = readSegmentHeader(buffer, nonce)
      return (
        layout.totalBytes === totalBytes &&
        layOut(layout.sizes).totalBytes === totalBytes &&
        Buffer.compare(bytes.subarray(32, 48), nonce) === 0
      )
    } catch (error) {
      return error instanceof TunnelError
    }
  }))
  t.pass()
})

test('readSegmentHeader() reads each word once: a peer that changes it afterwards changes nothing', (t) => {
  const buffer = new SharedArrayBuffer(layOut(SMALLEST_SIZES).totalBytes)
  writeSegmentHeader(buffer, SMALLEST_SIZES, nonce)
  const layout = readSegmentHeader(buffer, nonce)
  new Uint8Array(buffer).fill(255)
  t.deepEqual(layout, layOut(SMALLEST_SIZES))
})
