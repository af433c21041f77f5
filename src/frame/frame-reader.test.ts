import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { contentSlice } from '../base/content.js'
import { ErrorCode } from '../base/errors.js'
import { CHUNK_BYTES, FrameReader, MAX_PAYLOAD_LIMIT_BYTES } from './frame-reader.js'
import { decodeHeader, emptyHeader, encodeHeader, type FrameHeader } from './header.js'
import { FrameFlag, FrameType, HEADER_BYTES, HELLO_MAX_BYTES } from './layout.js'

interface Frame { readonly header: FrameHeader, readonly payload: Uint8Array }
interface Delivery extends Frame { readonly release: () => void, readonly copied: boolean }

function dataFrame (channelId: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length)
  const flags = payload.length === 0 ? FrameFlag.EOS : 0
  encodeHeader(frame, 0, { type: FrameType.DATA, channelId, payloadBytes: payload.length, flags, argument: 0 })
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Frames with these payload lengths; channel ids count them, and every payload differs. */
function framesOf (payloadLengths: readonly number[]): Uint8Array {
  return Buffer.concat(payloadLengths.map((bytes, i) => dataFrame(i + 1, contentSlice(i * 7919, bytes))))
}

/** The slow obvious twin: keeps all there is in one buffer and cuts whole frames off its front. */
function parseByConcatenation (pieces: Iterable<Uint8Array>, maxPayloadBytes: number): Frame[] {
  const frames: Frame[] = []
  let rest = Buffer.alloc(0)
  for (const piece of pieces) {
    rest = Buffer.concat([rest, piece])
    while (rest.length >= HEADER_BYTES) {
      const header = emptyHeader()
      decodeHeader(rest, 0, maxPayloadBytes, header)
      const end = HEADER_BYTES + header.payloadBytes
      if (rest.length < end) break
      frames.push({ header, payload: Uint8Array.from(rest.subarray(HEADER_BYTES, end)) })
      rest = rest.subarray(end)
    }
  }
  return frames
}

/**
 * Collects what a reader delivers, and measures it: which memory it reads into, and how many bytes it must have moved.
 */
class Bench {
  readonly reader: FrameReader
  readonly deliveries: Delivery[] = []
  readonly chunks = new Set<ArrayBufferLike>()
  movedBytes = 0
  #unreadBytes = 0
  #nextRead: { buffer: ArrayBufferLike, offset: number } | null = null

  constructor (maxPayloadBytes = MAX_PAYLOAD_LIMIT_BYTES, onFrame?: (delivery: Delivery) => void) {
    this.reader = new FrameReader(maxPayloadBytes, {
      onFrame: (header, payload, release, copied) => {
        const delivery = { header: { ...header }, payload, release, copied }
        this.#unreadBytes -= HEADER_BYTES + payload.length
        this.deliveries.push(delivery)
        onFrame?.(delivery)
      }
    })
  }

  /** Feeds `bytes` in pieces of the lengths that `nextPiece` names, as far as the claimed memory takes them. */
  feed (bytes: Uint8Array, nextPiece: () => number = () => Infinity): void {
    for (let offset = 0; offset < bytes.length;) {
      const room = this.reader.claim()
      this.chunks.add(room.buffer)
      // Memory that does not follow on what was read last: the beginning of the frame at hand was moved in front of it.
      const follows =
        this.#nextRead === null || (room.buffer === this.#nextRead.buffer && room.byteOffset === this.#nextRead.offset)
      if (!follows) this.movedBytes += this.#unreadBytes
      const piece = bytes.subarray(offset, offset + Math.min(room.length, nextPiece()))
      room.set(piece)
      offset += piece.length
      this.#unreadBytes += piece.length
      this.#nextRead = { buffer: room.buffer, offset: room.byteOffset + piece.length }
      this.reader.commit(piece.length)
    }
  }
}

function cycle (lengths: readonly number[]): () => number {
  let i = 0
  return () => lengths[i++ % lengths.length]!
}

function isSame (t: ExecutionContext, deliveries: readonly Frame[], expected: readonly Frame[]): void {
  t.is(deliveries.length, expected.length)
  for (const [i, { header, payload }] of expected.entries()) {
    t.deepEqual(deliveries[i]!.header, header)
    if (Buffer.compare(deliveries[i]!.payload, payload) !== 0) t.fail(`payload ${i} of ${payload.length} bytes differs`)
  }
}

const payloadBytes = fc.oneof(
  fc.nat(40),
  fc.nat(8192),
  fc.nat(MAX_PAYLOAD_LIMIT_BYTES),
  fc.constantFrom(4096, 4097, MAX_PAYLOAD_LIMIT_BYTES - 1, MAX_PAYLOAD_LIMIT_BYTES)
)
const pieceBytes = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((bytes) => [bytes, 1000]),
  fc.array(fc.integer({ min: 1, max: 2 * MAX_PAYLOAD_LIMIT_BYTES }), { minLength: 1, maxLength: 8 }),
  fc.constantFrom([HEADER_BYTES], [HEADER_BYTES - 1], [65_536], [Infinity])
)

test('FrameReader cuts a stream of any frames, in any pieces, as its slow twin does', (t) => {
  fc.assert(fc.property(fc.array(payloadBytes, { maxLength: 12 }), pieceBytes, (lengths, pieces) => {
    const stream = framesOf(lengths)
    const bench = new Bench()
    bench.feed(stream, cycle(pieces))
    isSame(t, bench.deliveries, parseByConcatenation([stream], MAX_PAYLOAD_LIMIT_BYTES))
    t.is(bench.deliveries.length, lengths.length)
    t.false(bench.reader.insideFrame)
    for (const { release } of bench.deliveries) release()
  }), { numRuns: 60 })
})

test('FrameReader cuts a stream that comes byte by byte', (t) => {
  const stream = framesOf([0, 1, 15, 16, 17, 4096, 4097, 0, 9000])
  const bench = new Bench()
  bench.feed(stream, () => 1)
  isSame(
    t,
    bench.deliveries,
    parseByConcatenation(
      Array.from(stream, (byte) => Uint8Array.of(byte)),
      MAX_PAYLOAD_LIMIT_BYTES
    )
  )
})

test('FrameReader keeps a payload as it came until it is released, however late and in whatever order', (t) => {
  const lateness = fc.array(fc.nat(30), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(
      fc.array(payloadBytes, { minLength: 5, maxLength: 40 }),
      pieceBytes,
      lateness,
      (lengths, pieces, delays) => {
        const nextDelay = cycle(delays)
        const kept: Array<Delivery & { dueAt: number }> = []
        let checked = 0
        const releaseDue = (now: number): void => {
          for (const delivery of kept.filter(({ dueAt }) => dueAt <= now)) {
            const i = delivery.header.channelId - 1
            if (Buffer.compare(delivery.payload, contentSlice(i * 7919, lengths[i]!)) !== 0) {
              t.fail(`payload ${i} changed before its release`)
            }
            delivery.release()
            kept.splice(kept.indexOf(delivery), 1)
            checked++
          }
        }
        let delivered = 0
        const bench = new Bench(MAX_PAYLOAD_LIMIT_BYTES, (delivery) => {
          kept.push({ ...delivery, dueAt: delivered + nextDelay() })
          releaseDue(delivered++)
        })
        bench.feed(framesOf(lengths), cycle(pieces))
        releaseDue(Infinity)
        t.is(checked, lengths.length)
      }
    ),
    { numRuns: 40 }
  )
})

test('FrameReader hands large payloads out where they were read, and small ones as copies', (t) => {
  const bench = new Bench()
  bench.feed(framesOf([4096, 4097, 65_536]))
  t.deepEqual(bench.deliveries.map(({ copied }) => copied), [true, false, false])
  t.deepEqual(bench.deliveries.map(({ payload }) => bench.chunks.has(payload.buffer)), [false, true, true])
})

test('FrameReader reads everything into one chunk as long as payloads are released at once', (t) => {
  const bench = new Bench(MAX_PAYLOAD_LIMIT_BYTES, ({ release }) => { release() })
  for (let i = 0; i < 40; i++) bench.feed(framesOf([MAX_PAYLOAD_LIMIT_BYTES, 10, 50_000]), () => 30_000)
  t.is(bench.chunks.size, 1)
})

test('FrameReader keeps at most 65 chunks when nothing is released: payloads are copies then', (t) => {
  const bench = new Bench()
  // 4,097 bytes of each chunk's 256 KiB are kept: what a slow reader could make of small payloads at worst.
  for (let i = 0; i < 100; i++) bench.feed(framesOf([4097, ...new Array<number>(70).fill(4000)]))
  t.is(bench.chunks.size, 65)
  t.true(bench.deliveries.slice(-1000).every(({ copied }) => copied))
  const copied = bench.deliveries.at(-71)!
  t.is(copied.payload.length, 4097)
  t.is(copied.payload.buffer.byteLength < CHUNK_BYTES, true)
})

test('FrameReader reads into released chunks again instead of taking more memory', (t) => {
  const bench = new Bench()
  for (let round = 0; round < 20; round++) {
    bench.feed(framesOf(new Array<number>(30).fill(65_536)))
    for (const { release } of bench.deliveries.splice(0).reverse()) release()
  }
  t.true(bench.chunks.size <= 12, `${bench.chunks.size} chunks for 30 payloads of 64 KiB at one time`)
})

test('FrameReader moves the beginning of a frame at most once', (t) => {
  for (const [payload, piece] of [
    [MAX_PAYLOAD_LIMIT_BYTES, 7],
    [MAX_PAYLOAD_LIMIT_BYTES, 65_536],
    [100_000, 4096],
    [5000, 1000],
    [3, 5]
  ] as const) {
    for (const releases of [true, false]) {
      const bench = new Bench(MAX_PAYLOAD_LIMIT_BYTES, ({ release }) => {
        if (releases) release()
      })
      const stream = framesOf(new Array<number>(12).fill(payload))
      bench.feed(stream, () => piece)
      t.is(bench.deliveries.length, 12)
      t.true(
        bench.movedBytes <= stream.length,
        `${bench.movedBytes} of ${stream.length} bytes moved (payload ${payload}, piece ${piece})`
      )
    }
  }
})

test('FrameReader never claims a sliver', (t) => {
  const bench = new Bench(1024)
  let least = Infinity
  for (let i = 0; i < 2000; i++) {
    least = Math.min(least, bench.reader.claim().length)
    bench.feed(framesOf([1000]), () => 333)
  }
  t.true(least >= CHUNK_BYTES / 8, `${least} bytes`)
})

test('FrameReader refuses an announcement beyond the limit before it takes memory for it', (t) => {
  for (const announced of [1025, 0xffffffff]) {
    const bench = new Bench(1024)
    const header = new Uint8Array(HEADER_BYTES)
    encodeHeader(header, 0, { type: FrameType.DATA, channelId: 1, payloadBytes: announced, flags: 0, argument: 0 })
    const before = process.memoryUsage().arrayBuffers
    t.throws(() => { bench.feed(header) }, { code: ErrorCode.PROTOCOL, message: new RegExp(`it is ${announced}$`) })
    t.is(bench.deliveries.length, 0)
    t.true(process.memoryUsage().arrayBuffers - before <= 2 * CHUNK_BYTES)
  }
})

test('FrameReader delivers what stands before a broken frame', (t) => {
  const bench = new Bench()
  t.throws(
    () => {
      bench.feed(Buffer.concat([framesOf([10, 5000]), Buffer.alloc(HEADER_BYTES)]))
    },
    { code: ErrorCode.PROTOCOL }
  )
  t.deepEqual(bench.deliveries.map(({ payload }) => payload.length), [10, 5000])
})

test('FrameReader takes a new limit from the next frame on, also in the middle of a batch', (t) => {
  const bench: Bench = new Bench(HELLO_MAX_BYTES, ({ header }) => {
    if (header.channelId === 1) bench.reader.maxPayloadBytes = 60_000
  })
  bench.feed(framesOf([1000, 60_000]), () => 900)
  t.deepEqual(bench.deliveries.map(({ payload }) => payload.length), [1000, 60_000])
  t.throws(() => { bench.feed(framesOf([60_001])) }, { code: ErrorCode.PROTOCOL })
})

test('FrameReader.release() throws when a payload is released a second time, and does no harm', (t) => {
  const bench = new Bench()
  bench.feed(framesOf([5000]))
  const [first] = bench.deliveries.splice(0)
  first!.release()
  t.throws(first!.release, { code: ErrorCode.INTERNAL })
  // Had the mistake been counted, the next payload's memory would be taken for free while it is in use.
  bench.feed(framesOf([5000]))
  bench.feed(framesOf(new Array<number>(8).fill(MAX_PAYLOAD_LIMIT_BYTES)))
  t.is(Buffer.compare(bench.deliveries[0]!.payload, contentSlice(0, 5000)), 0)
})

test('FrameReader.stop() ends delivery, also when called for a frame of a batch', (t) => {
  const bench: Bench = new Bench(1024, ({ header }) => { if (header.channelId === 2) bench.reader.stop() })
  bench.feed(framesOf([1, 2, 3, 4]))
  t.deepEqual(bench.deliveries.map(({ header }) => header.channelId), [1, 2])
})

test('FrameReader.insideFrame is true exactly between the first and the last byte of a frame', (t) => {
  const bench = new Bench()
  const frame = framesOf([3])
  t.false(bench.reader.insideFrame)
  for (const [i, byte] of frame.entries()) {
    bench.feed(Uint8Array.of(byte))
    t.is(bench.reader.insideFrame, i < frame.length - 1)
  }
})
