import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { unixAddress } from '../../base/address.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { Random } from '../../engine/testing/random.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import { Recorder } from '../testing/recorder.js'
import { SIDES } from '../testing/harness.js'
import { Link, other } from '../testing/link.js'
import { makeStreamPair, type StreamPair } from '../testing/stream-pair.js'
import { StreamTransport } from './stream-transport.js'

async function makeLink (t: ExecutionContext): Promise<Link & { pair: StreamPair }> {
  const link = await Link.make(t, {
    maxUnreadBytes: 0,
    maxUnreadFrames: 0,
    makePair: () => makeStreamPair(createTestEngine)
  })
  link.start(65_536)
  return link as Link & { pair: StreamPair }
}

test('StreamTransport.flush() sends frames that lie one after the other as one write', async (t) => {
  const link = await makeLink(t)
  const { a, pair } = link
  for (let i = 0; i < 50; i++) {
    await a.sendData(100)
    a.send(FrameType.PING, 0, i)
  }
  t.deepEqual(pair.sockets.a.writes, [])
  a.transport.flush()
  t.deepEqual(pair.sockets.a.writes, [50 * (HEADER_BYTES + 100 + HEADER_BYTES)])
  await link.untilDelivered(t)
  await link.verify(t)
})

test('StreamTransport.flush() sends frames with a gap between them as several writes, in order', async (t) => {
  const link = await makeLink(t)
  const { a, pair } = link
  const claims = [a.tryClaim(100)!, a.tryClaim(100)!, a.tryClaim(100)!]
  const payloads = claims.map((claim) => a.fill(claim, 60))
  for (const i of [2, 0, 1]) a.sendClaim(claims[i]!, payloads[i]!)
  a.transport.flush()
  // The last claim gave its room back; the gaps of the other two remain.
  t.deepEqual(pair.sockets.a.writes, [76, 76, 76])
  await link.untilDelivered(t)
  await link.verify(t)
})

test('StreamTransport writes exactly headers and payloads', async (t) => {
  const link = await makeLink(t)
  const { a, pair } = link
  await a.sendTraffic(new Random(3), 300, 65_536)
  await link.untilDelivered(t)
  const written = pair.sockets.a.writes.reduce((sum, bytes) => sum + bytes, 0)
  t.is(written, a.sent.reduce((sum, frame) => sum + HEADER_BYTES + frame.payload.length, 0))
  t.true(pair.sockets.a.writes.length < a.sent.length)
  await link.verify(t)
})

test('StreamTransport hands out large payloads where they arrived and copies small ones, and ' +
  'counts both', async (t) => {
  const link = await makeLink(t)
  const { a, b } = link
  for (const bytes of [4096, 4097, 65_536]) await a.sendData(bytes)
  a.transport.flush()
  await link.untilDelivered(t)
  t.is(b.transport.counters.copiedBytesReceived, 4096)
  t.is(b.transport.counters.zeroCopyBytesReceived, 4097 + 65_536)
  t.is(a.transport.counters.zeroCopyBytesSent, 4096 + 4097 + 65_536)
  await link.verify(t)
})

test('StreamTransport copies what it hands out once many payloads are kept, and keeps all of them whole', async (t) => {
  const link = await makeLink(t)
  const { a, b } = link
  b.recorder.keeps = () => true
  for (let i = 0; i < 400; i++) await a.sendData(65_536)
  a.transport.flush()
  await link.untilDelivered(t)
  t.true(b.transport.counters.copiedBytesReceived > 0)
  t.true(b.transport.counters.zeroCopyBytesReceived > 0)
  for (const { view, copy } of b.recorder.kept) t.is(Buffer.compare(view, copy), 0)
  for (const { release } of b.recorder.kept) release()
  await link.verify(t)
})

test('StreamTransport.connect() tells the engine\'s error if nothing listens', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'stream-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const transport = StreamTransport.connect(createTestEngine(), unixAddress(join(directory, 'none')), 1000)
  const recorder = new Recorder()
  transport.start(recorder)
  transport.send(FrameType.PING, 0, 1)
  transport.flush()
  t.is((await recorder.untilClose())?.code, ErrorCode.CONNECT_REFUSED)
  t.is(recorder.closes.length, 1)
})

test('StreamTransport.connect() may be aborted and closed before the connection stands', async (t) => {
  for (const end of ['abort', 'close'] as const) {
    const directory = mkdtempSync(join(tmpdir(), 'stream-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    const engine = createTestEngine()
    const peer = new Recorder()
    const listener = await engine.listen(unixAddress(join(directory, 's')), (socket) => {
      StreamTransport.accept(socket).start(peer)
    })
    t.teardown(() => listener.close())
    const transport = StreamTransport.connect(engine, listener.address, 1000)
    const recorder = new Recorder()
    transport.start(recorder)
    transport.send(FrameType.PING, 0, 1)
    if (end === 'abort') transport.abort(new TunnelError(ErrorCode.CLOSED, 'Enough'))
    else transport.close()
    const error = await recorder.untilClose()
    t.is(error?.code, end === 'abort' ? ErrorCode.CLOSED : undefined)
    if (end === 'close') {
      t.is(await peer.untilClose(), null)
      t.is(peer.frames.length, 1, 'what was sent before the connection stood arrives')
    }
    // The accepted side learns of it in a turn of its own.
    while (engine.counters.socketsOpened > engine.counters.socketsClosed) await setImmediate()
    t.is(engine.counters.socketsOpened, engine.counters.socketsClosed)
  }
})

test('StreamTransport offers nothing beyond HELLO, and refuses a peer that does', async (t) => {
  const { a, b } = await makeLink(t)
  t.is(a.transport.offer(null).length, 0)
  t.is(b.transport.offer(new Uint8Array(0)).length, 0)
  a.transport.attach(new Uint8Array(0))
  t.throws(() => b.transport.offer(new Uint8Array(1)), { code: ErrorCode.PROTOCOL })
  t.throws(() => { a.transport.attach(new Uint8Array(1)) }, { code: ErrorCode.PROTOCOL })
})

for (const from of SIDES) {
  test(`StreamTransport takes a link that ends inside a frame from side ${from} for the death ` +
    'of the peer', async (t) => {
    const link = await makeLink(t)
    const { recorder } = link[other(from)]
    const header = new Uint8Array(HEADER_BYTES)
    encodeHeader(header, 0, { type: FrameType.DATA, channelId: 1, payloadBytes: 100, flags: 0, argument: 0 })
    link.pair.sockets[from].inject(header)
    link.pair.sockets[from].shutdown()
    const error = await recorder.untilClose()
    t.is(error?.code, ErrorCode.PEER_CLOSED)
    t.regex(error!.message, /^Cannot read a frame to its end: the peer closed the link inside it/)
    t.is(recorder.frames.length, 0)
    await link.verify(t)
  })
}
