import http from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { contentBytes, contentSlice, LARGE_BODY_BYTES } from '../base/content.js'
import { startOrigin } from '../origin/start-origin.js'
import { loadUws } from '../origin/uws-origin.js'
import { request, sha256 } from './testing/http.js'
import { portOf, type TunnelRig } from './testing/rig.js'
import { connect } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { byEffort } from '../base/testing/effort.js'

// One after the other, for uWebSockets.js closes connections that idle for 8 seconds, which a busy machine may make
// them do.

async function start (t: ExecutionContext, rig: TunnelRig, server: 'uws' | 'node') {
  const origin = await startOrigin({ server, port: 0 })
  t.teardown(() => origin.close())
  const { port } = await rig.start(origin.address)
  return { port, directPort: portOf(origin.address) }
}

const hasUws = await loadUws().then(() => true, () => false)

for (const server of ['uws', 'node'] as const) {
  // uWebSockets.js has no binary for every system.
  const register = server === 'uws' && !hasUws ? test.skip as typeof test.serial : test.serial
  testEach(`${server} origin: answers through the tunnel are those of the origin itself`, async (t, rig) => {
    const { port, directPort } = await start(t, rig, server)
    const agent = new http.Agent({ keepAlive: true })
    t.teardown(() => { agent.destroy() })
    const paths = [
      '/small',
      '/large',
      '/health',
      '/nothing',
      ...[0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 262_144, 1_000_003].map((bytes) => `/bytes/${bytes}`)
    ]
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        for (const kept of [undefined, agent]) {
          const direct = await request(directPort, path, { method, agent: kept })
          const tunnelled = await request(port, path, { method, agent: kept })
          t.is(Buffer.compare(tunnelled.body, direct.body), 0, `${method} ${path}`)
          t.deepEqual({ ...tunnelled, body: null }, { ...direct, body: null }, `${method} ${path}`)
        }
      }
    }
    const large = await request(port, '/large')
    t.is(sha256(large.body), sha256(contentBytes(LARGE_BODY_BYTES)))
    await rig.verify()
  }, { register })

  const mebibytes = byEffort({ quick: 16, full: 64 })
  testEach(`${server} origin: POST /echo of ${mebibytes} MiB comes back whole`, async (t, rig) => {
    const { port } = await start(t, rig, server)
    const bytes = mebibytes * 1024 * 1024
    const body = Array.from({ length: mebibytes }, (_, i) => contentSlice(i * 1024 * 1024, 1024 * 1024))
    const answer = await request(port, '/echo', { method: 'POST', headers: { 'Content-Length': bytes }, body })
    t.is(answer.status, 200)
    t.is(answer.body.length, bytes)
    t.is(sha256(answer.body), sha256(Buffer.concat(body)))
    await rig.verify()
  }, { register })

  testEach(`${server} origin: a chunked POST /echo comes back whole`, async (t, rig) => {
    const { port } = await start(t, rig, server)
    const body = Array.from({ length: 300 }, (_, i) => contentSlice(i * 1000, 1 + i * 7))
    const answer = await request(port, '/echo', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body })
    t.is(answer.status, 200)
    t.is(sha256(answer.body), sha256(Buffer.concat(body)))
    await rig.verify()
  }, { register })

  testEach(`${server} origin: pipelined requests are answered in order`, async (t, rig) => {
    const { port } = await start(t, rig, server)
    const client = connect(t, port)
    const sizes = Array.from({ length: 200 }, (_, i) => i * 37 % 5000)
    client.socket.write(sizes.map((bytes) => `GET /bytes/${bytes} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    let offset = 0
    for (const bytes of sizes) {
      while (client.received.indexOf('\r\n\r\n', offset) === -1) await client.untilReceived(client.receivedBytes + 1)
      const bodyStart = client.received.indexOf('\r\n\r\n', offset) + 4
      t.regex(
        client.received.toString('latin1', offset, bodyStart),
        new RegExp(`^HTTP/1.1 200 OK\r\n[^]*content-length: ${bytes}\r\n`, 'i')
      )
      await client.untilReceived(bodyStart + bytes)
      offset = bodyStart + bytes
      t.is(Buffer.compare(client.received.subarray(bodyStart, offset), contentBytes(bytes)), 0)
    }
    t.is(client.receivedBytes, offset)
    client.socket.end()
    await client.untilClose()
    await rig.verify()
  }, { register })
}

testEach('node origin: Expect: 100-continue is answered before the body is sent', async (t, rig) => {
  const { port } = await start(t, rig, 'node')
  const answer = await request(port, '/echo', {
    method: 'POST',
    headers: { Expect: '100-continue', 'Content-Length': 5 },
    body: [Buffer.from('hello')]
  })
  t.true(answer.continued)
  t.is(answer.body.toString(), 'hello')
  await rig.verify()
}, { register: test.serial })
