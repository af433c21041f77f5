import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { contentBytes } from '../base/content.js'
import { contentBody } from './body.js'
import { sendBody } from './node-origin.js'
import { RawClient, requestHead } from './testing/raw-client.js'
import { openServer, testServers } from './testing/servers.js'

const MIB = 1_048_576
const BODY_BYTES = 64 * MIB

/**
 * Reads a response to its end, a small piece per turn of the event loop, into one buffer. `onPiece` sees the body bytes
 * read so far.
 * @returns The body's hash.
 */
async function readSlowly (
  t: ExecutionContext,
  port: number,
  request: string,
  bodyBytes: number,
  onPiece: (bodyBytes: number) => void
): Promise<string> {
  const hash = createHash('sha256')
  let head = ''
  let done = 0
  return await new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: Buffer.alloc(32_768),
        callback (length, buffer) {
          let piece = Buffer.from(buffer.buffer, buffer.byteOffset, length)
          if (done === 0 && !head.endsWith('\r\n\r\n')) {
            const end = piece.indexOf('\r\n\r\n') + 4
            head += piece.toString('latin1', 0, end)
            piece = piece.subarray(end)
          }
          hash.update(piece)
          done += piece.length
          onPiece(done)
          if (done === bodyBytes) resolve(hash.digest('hex'))
          setImmediate(() => socket.resume())
          return false
        }
      }
    })
    t.teardown(() => {
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${done} bytes`)))
    socket.write(request)
  })
}

testServers('a slow reader of /bytes/N costs no memory', async (t, server) => {
  const { port } = await openServer(t, server)
  const before = process.memoryUsage.rss()
  let peak = before
  const hash = await readSlowly(t, port, requestHead('GET', `/bytes/${BODY_BYTES}`), BODY_BYTES, () => {
    peak = Math.max(peak, process.memoryUsage.rss())
  })
  t.is(hash, createHash('sha256').update(contentBytes(BODY_BYTES)).digest('hex'))
  t.true(peak - before < BODY_BYTES / 2, `grew by ${Math.round((peak - before) / MIB)} MiB`)
})

test('sendBody() takes no more from a body than its reader and the sockets do', async t => {
  let taken = 0
  let ahead = 0
  const content = contentBody(BODY_BYTES)
  const server = createServer((_request, response) => sendBody(response, {
    bytes: BODY_BYTES,
    viewAt (offset) {
      const view = content.viewAt(offset)
      taken += view.length
      return view
    }
  }))
  t.teardown(() => { server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.write(requestHead('GET', '/', 'Connection: close'))
  let read = 0
  for await (const piece of socket) {
    read += (piece as Buffer).length
    ahead = Math.max(ahead, taken - read)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.is(taken, BODY_BYTES)
  t.true(ahead < BODY_BYTES / 2, `${Math.round(ahead / MIB)} MiB ahead`)
})

for (const how of ['closes', 'resets'] as const) {
  testServers(`a client that ${how} in the middle of a transfer harms nobody else`, async (t, server) => {
    const { port } = await openServer(t, server)
    const bystander = await RawClient.connect(t, port)
    for (const request of [
      requestHead('GET', '/bytes/1073741824'),
      requestHead('GET', '/large'),
      requestHead('GET', '/large').repeat(100),
      requestHead('POST', '/echo', 'Content-Length: 1000000') + 'x'.repeat(500_000),
      requestHead('POST', '/echo', 'Transfer-Encoding: chunked') + 'ffff\r\nxxx',
      requestHead('POST', '/echo', `Content-Length: ${BODY_BYTES}`) + 'x'.repeat(BODY_BYTES)
    ]) {
      const client = await RawClient.connect(t, port)
      client.write(request)
      if (request.startsWith('GET')) await client.received(received => received.length > 0)
      if (how === 'closes') client.socket.destroy()
      else client.socket.resetAndDestroy()
      await client.closed()
      bystander.write(requestHead('GET', '/small'))
    }
    t.deepEqual((await bystander.responses(6)).map(({ body }) => body.toString()), Array(6).fill('ok'))
  })
}

testServers('a client that closes in the middle of its own echo harms nobody else', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo', `Content-Length: ${BODY_BYTES}`))
  client.write(Buffer.alloc(BODY_BYTES))
  await client.received(received => received.length > 100_000)
  client.socket.resetAndDestroy()
  const bystander = await RawClient.connect(t, port)
  bystander.write(requestHead('GET', '/small'))
  t.is((await bystander.responses(1))[0]?.body.toString(), 'ok')
})

testServers(
  'a stalled reader and a silent upload outlive the 8 to 12 seconds that uWebSockets gives them',
  async (t, server) => {
    const { port } = await openServer(t, server)
    const reader = await RawClient.connect(t, port)
    reader.write(requestHead('GET', `/bytes/${BODY_BYTES}`))
    await reader.received((received) => received.length > 0)
    reader.socket.pause()
    const upload = await RawClient.connect(t, port)
    upload.write(requestHead('POST', '/echo', 'Content-Length: 10') + 'hello')
    for (const request of [
      requestHead('GET', `/bytes/${BODY_BYTES}`),
      requestHead('POST', '/echo', 'Content-Length: 10', 'Expect: 100-continue') + 'hello'
    ]) {
      const gone = await RawClient.connect(t, port)
      gone.write(request)
      await gone.received((received) => received.length > 0)
      gone.socket.destroy()
    }

    // Not to synchronise: that this much time passes is the case under test.
    await delay(14_000)
    upload.write('world')
    t.is((await upload.responses(1))[0]?.body.toString(), 'helloworld')
    t.false(reader.socket.destroyed)
    reader.socket.destroy()
  }
)
