import http from 'node:http'
import type { ExecutionContext } from 'ava'
import { contentBytes, LARGE_BODY_BYTES } from '../base/content.js'
import { startOrigin } from '../origin/start-origin.js'
import { request, sha256 } from './testing/http.js'
import type { TunnelRig } from './testing/rig.js'
import { connect, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'

const LARGE_HASH = sha256(contentBytes(LARGE_BODY_BYTES))

async function start (t: ExecutionContext, rig: TunnelRig) {
  // The other server closes connections that idle for 8 seconds, which a busy machine may make them do.
  const origin = await startOrigin({ server: 'node', port: 0 })
  t.teardown(() => origin.close())
  return rig.start(origin.address)
}

/** `requests` of /large one after the other on one connection. Returns how many came whole. */
async function fetchLarge (t: ExecutionContext, port: number, requests: number): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  let whole = 0
  for (let i = 0; i < requests; i++) {
    const { body } = await request(port, '/large', { agent })
    if (sha256(body) === LARGE_HASH) whole++
  }
  return whole
}

testEach('256 clients at one time get every byte of /large', async (t, rig) => {
  const { port, host } = await start(t, rig)
  const whole = await Promise.all(Array.from({ length: 256 }, (_, i) => fetchLarge(t, port, 1 + i % 2)))
  t.deepEqual(whole, whole.map((_, i) => 1 + i % 2))
  t.is(host.stats().counters.channelsOpened, 256)
  await rig.verify()
})

testEach('a client that never reads does not stop 63 others, and loses nothing itself', async (t, rig) => {
  const { port } = await start(t, rig)
  const stalled = connect(t, port)
  stalled.socket.pause()
  const bytes = 32 * 1024 * 1024
  stalled.socket.write(`GET /bytes/${bytes} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const whole = await Promise.all(Array.from({ length: 63 }, () => fetchLarge(t, port, 2)))
  t.deepEqual(whole, whole.map(() => 2))
  t.is(stalled.receivedBytes, 0)
  stalled.socket.resume()
  await stalled.untilReceived(bytes)
  const { received } = stalled
  const bodyStart = received.indexOf('\r\n\r\n') + 4
  await stalled.untilReceived(bodyStart + bytes)
  t.is(sha256(stalled.received.subarray(bodyStart)), sha256(contentBytes(bytes)))
  stalled.socket.end()
  await stalled.untilClose()
  await rig.verify()
})

testEach('uploads whose origin never reads do not stop others', async (t, rig) => {
  // The first 8 connections are never read; the others are echoed.
  let connections = 0
  const origin = await startTcpOrigin(t, ({ socket }) => {
    if (connections++ < 8) socket.pause()
    else socket.pipe(socket)
  })
  const { port } = await rig.start(origin.address)
  const upload = contentBytes(16 * 1024 * 1024)
  for (let i = 0; i < 8; i++) {
    connect(t, port).socket.write(upload)
    await origin.peer(i)
  }
  const question = contentBytes(400_000)
  for (let i = 0; i < 5; i++) {
    const client = connect(t, port)
    client.socket.end(question)
    await client.untilEnd()
    t.is(Buffer.compare(client.received, question), 0)
  }
  await rig.verify()
})
