import { execFile } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { BroadcastChannel } from 'node:worker_threads'
import test from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { encodeRequest, encodeTicket, newRequest } from './segment-messages.js'
import { layOut } from './segment-sizes.js'
import { sharedArrayMemory } from './shared-array-memory.js'
import { SMALLEST_SIZES } from './testing/arbitrary-sizes.js'
import { SegmentPeer } from './testing/segment-peer.js'

const memory = sharedArrayMemory()
const { totalBytes } = layOut(SMALLEST_SIZES)

/** The channel on which the answer to `request` is awaited. */
function channelOf (request: Uint8Array): BroadcastChannel {
  return new BroadcastChannel(`http-tunnel-segment:${Buffer.from(request.subarray(8)).toString('hex')}`)
}

function post (request: Uint8Array, message: unknown): void {
  const channel = channelOf(request)
  channel.postMessage(message)
  channel.close()
}

test('sharedArrayMemory() shares a segment between two threads, which both see what the other writes', async (t) => {
  const plugin = SegmentPeer.inThread(t, memory.kind)
  const { segment, ticket, settle } = memory.offer(await plugin.bytesOf({ do: 'request' }), SMALLEST_SIZES)
  t.is(await plugin.valueOf({ do: 'attach', ticket }), totalBytes)
  settle()
  const bytes = new Uint8Array(segment.buffer)
  bytes[totalBytes - 1] = 42
  t.is(await plugin.valueOf({ do: 'read', at: totalBytes - 1 }), 42)
  await plugin.tell({ do: 'write', at: 4096, value: 43 })
  t.is(bytes[4096], 43)
})

test('sharedArrayMemory() shares a segment that a thread makes with one that attaches', async (t) => {
  const host = SegmentPeer.inThread(t, memory.kind)
  const plugin = SegmentPeer.inThread(t, memory.kind)
  const ticket = await host.bytesOf({
    do: 'offer',
    request: await plugin.bytesOf({ do: 'request' }),
    sizes: SMALLEST_SIZES
  })
  await plugin.tell({ do: 'attach', ticket })
  await host.tell({ do: 'write', at: 4096, value: 44 })
  t.is(await plugin.valueOf({ do: 'read', at: 4096 }), 44)
})

test('sharedArrayMemory() attaches however many turns of the loop the ticket takes', async (t) => {
  for (const turns of [0, 1, 2, 100]) {
    const request = memory.request()
    const { segment, ticket } = memory.offer(request.bytes, SMALLEST_SIZES)
    for (let i = 0; i < turns; i++) await turn()
    t.is(request.attach(ticket).buffer.byteLength, segment.buffer.byteLength)
  }
})

test('sharedArrayMemory() refuses a request and a ticket from another process', (t) => {
  const foreign = t.throws(
    () => memory.offer(encodeRequest({ ...newRequest(memory.kind), pid: process.pid + 1 }), SMALLEST_SIZES),
    { instanceOf: TunnelError }
  )
  t.is(foreign.code, ErrorCode.UNAVAILABLE)
  t.is(
    foreign.message,
    `Cannot offer shared memory: host and plugin run in different processes, ${process.pid} and ${process.pid + 1}, ` +
    'and a SharedArrayBuffer is for threads of one process: run both in one, or use memory of kind memfd'
  )
  const request = memory.request()
  const { ticket } = memory.offer(request.bytes, SMALLEST_SIZES)
  new DataView(ticket.buffer).setUint32(4, process.pid + 1, true)
  const error = t.throws(() => request.attach(ticket), { instanceOf: TunnelError, message: /different processes/ })
  t.is(error.code, ErrorCode.UNAVAILABLE)
})

test('sharedArrayMemory() between two processes says so', async (t) => {
  const { peer } = SegmentPeer.inProcess(t, memory.kind)
  const error = await t.throwsAsync(
    peer.tell({ do: 'offer', request: memory.request().bytes, sizes: SMALLEST_SIZES }),
    { instanceOf: TunnelError, message: /different processes/ }
  )
  t.is(error.code, ErrorCode.UNAVAILABLE)
})

test('sharedArrayMemory() says that no segment has come, as between containers whose process ids are equal', (t) => {
  const request = memory.request()
  const error = t.throws(() => request.attach(encodeTicket(memory.kind, request.bytes.slice(8))), {
    instanceOf: TunnelError,
    message: /the peer says that it has sent it, and it is not there/
  })
  t.is(error.code, ErrorCode.UNAVAILABLE)
})

const oddMessages: Array<[what: string, message: unknown, pattern: RegExp, code?: ErrorCode]> = [
  ['a string', 'segment', /must send a SharedArrayBuffer/],
  ['a copy', new ArrayBuffer(totalBytes), /must send a SharedArrayBuffer/],
  ['a view', new Uint8Array(new SharedArrayBuffer(totalBytes)), /must send a SharedArrayBuffer/],
  ['a short buffer', new SharedArrayBuffer(8), /header has 128 bytes/],
  ['a buffer without header', new SharedArrayBuffer(totalBytes), /magic HTSM/, ErrorCode.PEER_CLOSED]
]

for (const [what, message, pattern, code = ErrorCode.PROTOCOL] of oddMessages) {
  test(`sharedArrayMemory() refuses ${what} in the place of a segment`, async (t) => {
    for (const turns of [0, 2]) {
      const request = memory.request()
      post(request.bytes, message)
      for (let i = 0; i < turns; i++) await turn()
      const error = t.throws(() => request.attach(encodeTicket(memory.kind, request.bytes.slice(8))), {
        instanceOf: TunnelError,
        message: pattern
      })
      t.is(error.code, code)
    }
  })
}

test('sharedArrayMemory() refuses a segment that was made for another request', (t) => {
  const [mine, other] = [memory.request(), memory.request()]
  post(mine.bytes, memory.offer(other.bytes, SMALLEST_SIZES).segment.buffer)
  t.throws(() => mine.attach(encodeTicket(memory.kind, mine.bytes.slice(8))), {
    instanceOf: TunnelError,
    message: /it was made for another one/
  })
})

test('sharedArrayMemory() says how many bytes it lacks when memory is full, and how to ask for fewer', (t) => {
  const full = sharedArrayMemory(() => { throw new RangeError('Array buffer allocation failed') })
  const error = t.throws(() => full.offer(full.request().bytes, SMALLEST_SIZES), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.LIMIT)
  t.is(
    error.message,
    `Cannot offer shared memory: memory is full: there are no ${totalBytes} bytes: choose fewer slots or smaller ones`
  )
})

test('sharedArrayMemory() keeps no process alive for a request that is never answered', async (t) => {
  const code = `import('${new URL('shared-array-memory.js', import.meta.url).href}').then(({ sharedArrayMemory }) => ` +
    '{ sharedArrayMemory().request() })'
  await t.notThrowsAsync(promisify(execFile)(process.execPath, ['-e', code], { timeout: 30_000 }))
})
