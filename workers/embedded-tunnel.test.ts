import { contentBytes } from '../src/base/content.js'
import { labServer } from '../src/origin/embedded/lab-link.js'
import { RawClient, requestHead } from '../src/origin/testing/raw-client.js'
import { type TunnelRig, until } from '../src/tunnel/testing/rig.js'
import { request, sha256 } from '../src/tunnel/testing/http.js'
import { testEach } from '../src/tunnel/testing/test-each.js'
import type { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'

async function start (rig: TunnelRig): Promise<{ port: number, plugin: TunnelPlugin }> {
  const { port } = await rig.startHost()
  const { plugin } = rig.startServingPlugin(labServer())
  await plugin.attached()
  return { port, plugin }
}

const large = sha256(contentBytes(262_144))

testEach('an origin inside the plugin answers many clients at once, and nothing is left of them', async (t, rig) => {
  const { port, plugin } = await start(rig)
  const answers = await Promise.all(
    Array.from({ length: 64 }, async (_, i) => await request(port, i % 3 === 0 ? '/small' : '/large'))
  )
  answers.forEach(({ status, body }, i) => {
    t.deepEqual([status, i % 3 === 0 ? body.toString() : sha256(body)], [200, i % 3 === 0 ? 'ok' : large])
  })
  t.is(plugin.stats().sockets, 0)
  await rig.verify()
})

testEach('clients that do not read stop their own responses only, and their reset frees everything', async (t, rig) => {
  const { port, plugin } = await start(rig)
  const stalled = await Promise.all(Array.from({ length: 8 }, async () => await RawClient.connect(t, port)))
  for (const { socket } of stalled) {
    socket.pause()
    socket.write(requestHead('GET', '/bytes/1073741824') + requestHead('GET', '/large').repeat(100))
  }
  await until(() => plugin.stats().counters.creditStalls >= 8)
  for (let i = 0; i < 5; i++) t.is(sha256((await request(port, '/large')).body), large)
  const sentBefore = plugin.stats().transport.payloadBytesSent
  t.true(sentBefore < 200_000_000, 'what nobody reads is not sent')
  for (const { socket } of stalled) socket.resetAndDestroy()
  await until(() => plugin.stats().channels === 0)
  await rig.verify()
})

testEach('close() finishes the responses at hand, ends idle connections, and is done then', async (t, rig) => {
  const { port, plugin } = await start(rig)
  const idle = await RawClient.connect(t, port)
  idle.write(requestHead('GET', '/small'))
  await idle.responses(1)
  const busy = await RawClient.connect(t, port)
  busy.socket.pause()
  busy.write(requestHead('GET', '/bytes/20000000'))
  await until(() => plugin.stats().counters.creditStalls > 0)
  const closed = plugin.close({ drainMs: 60_000 })
  await idle.closed()
  busy.socket.resume()
  const all = await busy.closed()
  t.is(sha256(all.subarray(all.indexOf('\r\n\r\n') + 4)), sha256(contentBytes(20_000_000)))
  await closed
  t.pass()
})

testEach('a new link has constants of its own', async (t, rig) => {
  const { port, plugin } = await start(rig)
  t.is(sha256((await request(port, '/large')).body), large)
  await plugin.close({ drainMs: 0 })
  await rig.startServingPlugin(labServer()).plugin.attached()
  await until(() => plugin.stats().channels === 0)
  t.is(sha256((await request(port, '/large')).body), large)
})
