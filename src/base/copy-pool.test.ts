import test from 'ava'
import { contentSlice } from './content.js'
import { CopyPool } from './copy-pool.js'
import { ErrorCode, TunnelError } from './errors.js'

const SOURCE = contentSlice(0, 10_000)
const LENGTHS = [1, 2, 63, 64, 65, 128, 255, 256, 257, 1000, 4096, 4097, 9000]

test('copy() copies what it was asked for, at every length', (t) => {
  const pool = new CopyPool()
  for (const bytes of LENGTHS) {
    const { view, release } = pool.copy(SOURCE, 7, bytes)
    t.deepEqual(Buffer.from(view), Buffer.from(SOURCE.subarray(7, 7 + bytes)))
    release()
  }
})

test('copy() leaves what is not released alone', (t) => {
  const pool = new CopyPool()
  const kept = Array.from({ length: 600 }, (_, i) => ({ bytes: LENGTHS[i % LENGTHS.length]!, start: i }))
    .map(({ bytes, start }) => ({ bytes, start, copy: pool.copy(SOURCE, start, bytes) }))
  for (const [i, { copy }] of kept.entries()) if (i % 3 === 0) copy.release()
  for (let i = 0; i < 300; i++) pool.copy(SOURCE, 5000, LENGTHS[i % LENGTHS.length]!)
  for (const [i, { bytes, start, copy }] of kept.entries()) {
    if (i % 3 !== 0) t.is(Buffer.compare(copy.view, SOURCE.subarray(start, start + bytes)), 0)
  }
})

test('copy() uses a released buffer and its view again, and wastes at most half of it', (t) => {
  const pool = new CopyPool()
  for (const bytes of LENGTHS) {
    const first = pool.copy(SOURCE, 0, bytes)
    const { view } = first
    t.true(view.buffer.byteLength < 2 * Math.max(bytes, 32 + 1))
    first.release()
    t.is(pool.copy(SOURCE, 1, bytes).view, view)
  }
})

test('release() throws when it is called again', (t) => {
  const { release } = new CopyPool().copy(SOURCE, 0, 10)
  release()
  t.is(t.throws(release, { instanceOf: TunnelError })?.code, ErrorCode.INTERNAL)
})
