import { ErrorCode } from '../base/errors.js'
import { contentBytes } from '../base/content.js'
import { createTestEngine } from '../engine/testing/engines.js'
import { tcpAddress } from '../base/address.js'
import { TunnelHost } from './tunnel-host.js'
import { TunnelPlugin } from './tunnel-plugin.js'
import { type HostRig, type PluginRig, TunnelRig, until } from './testing/rig.js'
import { connect, type Peer, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'

/** Sends a line and half-closes once it was answered. */
async function assertServes (t: Parameters<typeof connect>[0], port: number): Promise<void> {
  const client = connect(t, port)
  client.socket.end('hello')
  await client.untilEnd()
  t.is(client.text, 'hello')
  t.is(await client.untilClose(), null)
}

/** A channel may hold a seventeenth of a pool: of this one, more than any of these tests has on its way. */
const roomy = { memory: { sizes: { slots: 4096 } } }

const echo = ({ socket }: Peer) => { socket.pipe(socket) }

testEach('host and plugin may start in either order', async (t, { transport }) => {
  const origin = await startTcpOrigin(t, echo)
  for (const first of ['host', 'plugin'] as const) {
    const rig = new TunnelRig(t, transport)
    let hostRig: HostRig
    let pluginRig: PluginRig
    if (first === 'host') {
      hostRig = await rig.startHost()
      pluginRig = rig.startPlugin(origin.address)
    } else {
      pluginRig = rig.startPlugin(origin.address)
      const { error } = await pluginRig.events.until('waiting')
      t.is(error.code, ErrorCode.CONNECT_REFUSED)
      hostRig = await rig.startHost()
    }
    await pluginRig.plugin.attached()
    await hostRig.events.until('attached')
    t.true(hostRig.host.attached)
    t.true(pluginRig.events.count('waiting') <= 1, 'an outage is told once')
    await assertServes(t, hostRig.port)
    await rig.verify()
  }
})

testEach('a second plugin is turned away while one is attached, and attaches when that one leaves', async (t, rig) => {
  const origins = [await startTcpOrigin(t, echo), await startTcpOrigin(t, echo)] as const
  const { port, hostRig, pluginRig: first } = await rig.start(origins[0].address)
  const second = rig.startPlugin(origins[1].address)
  t.is((await second.events.until('waiting')).error.code, ErrorCode.PEER_BUSY)
  t.is((await hostRig.events.until('refused')).error.code, ErrorCode.PEER_BUSY)
  await assertServes(t, port)
  t.deepEqual([origins[0].peers.length, origins[1].peers.length], [1, 0])

  await first.plugin.close()
  await second.plugin.attached()
  await hostRig.events.until('attached', 2)
  t.is((await hostRig.events.until('detached')).error, null)
  await assertServes(t, port)
  t.deepEqual([origins[0].peers.length, origins[1].peers.length], [1, 1])
  await rig.verify()
})

for (const who of ['host', 'plugin'] as const) {
  testEach(`close() of the ${who} lets a response in progress finish and takes no new clients`, async (t, rig) => {
    const origin = await startTcpOrigin(t)
    const { port, host, plugin, hostRig, pluginRig } = await rig.start(origin.address)
    const client = connect(t, port)
    client.socket.write('question')
    const peer = await origin.peer(0)
    await peer.untilReceived(8)
    peer.socket.write('first half, ')
    await client.untilReceived(12)

    let closed = false
    const closing = (who === 'host' ? host : plugin).close({ drainMs: 600_000 }).then(() => { closed = true })
    await (who === 'host' ? pluginRig : hostRig).events.until('draining')
    t.is(await connect(t, port).untilClose(), who === 'host' ? 'ECONNREFUSED' : 'ECONNRESET')
    t.false(closed)
    const rest = contentBytes(2_000_000)
    peer.socket.end(rest)
    await client.untilReceived(12 + rest.length)
    t.false(closed, 'the client has not ended its direction')
    client.socket.end()
    await closing
    t.is(Buffer.compare(client.received.subarray(12), rest), 0)
    t.is(await client.untilClose(), null)
    await rig.verify()
  })

  testEach(`close({ drainMs: 0 }) of the ${who} resets clients and origin connections`, async (t, rig) => {
    const origin = await startTcpOrigin(t, ({ socket }) => { socket.write('x') })
    const { port, host, plugin } = await rig.start(origin.address)
    const clients = Array.from({ length: 20 }, () => connect(t, port))
    for (const client of clients) await client.untilReceived(1)
    await (who === 'host' ? host : plugin).close({ drainMs: 0 })
    for (const client of clients) t.is(await client.untilClose(), 'ECONNRESET')
    for (const peer of origin.peers) t.is(await peer.untilClose(), 'ECONNRESET')
    await rig.verify()
  })
}

testEach('close() of the host after a longer close() shortens the wait', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.write('x') })
  const { port, host } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilReceived(1)
  const long = host.close({ drainMs: 600_000 })
  await host.close({ drainMs: 0 })
  await long
  t.is(await client.untilClose(), 'ECONNRESET')
  await rig.verify()
})

testEach(
  'close() also cuts a client that does not read its last bytes, though its channel has ended',
  async (t, rig) => {
    const answer = contentBytes(12 * 1024 * 1024)
    const origin = await startTcpOrigin(t, ({ socket }) => {
      socket.end(answer)
    })
    const { port, host } = await rig.start(origin.address, { windowBytes: 64 * 1024 * 1024 })
    const client = connect(t, port)
    client.socket.pause()
    client.socket.end()
    // All of the answer is in the host, and nothing is left of the channel.
    await until(() => host.stats().counters.channelsClosed === 1)
    t.is(host.stats().channels, 0)
    t.is(host.stats().sockets, 1)
    await host.close({ drainMs: 0 })
    client.socket.resume()
    await client.untilCut()
    t.true(client.receivedBytes < answer.length)
    await rig.verify()
  },
  roomy
)

testEach('close() of the plugin also cuts an origin connection that does not read its last bytes', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => {
    socket.pause()
    socket.end()
  })
  const { port, plugin } = await rig.start(origin.address, { windowBytes: 64 * 1024 * 1024 })
  const client = connect(t, port)
  const question = contentBytes(12 * 1024 * 1024)
  client.socket.end(question)
  await until(() => plugin.stats().counters.channelsClosed === 1)
  t.is(plugin.stats().sockets, 1)
  await plugin.close({ drainMs: 0 })
  const [peer] = origin.peers
  peer!.socket.resume()
  await peer!.untilCut()
  t.true(peer!.receivedBytes < question.length)
  await rig.verify()
}, roomy)

testEach('TunnelPlugin.attached() rejects when the plugin is closed before a host was there', async (t, rig) => {
  const { plugin, events } = rig.startPlugin(tcpAddress('127.0.0.1', 1))
  await events.until('waiting')
  const waiting = plugin.attached()
  await plugin.close()
  await t.throwsAsync(waiting, { code: ErrorCode.CLOSED })
  await t.throwsAsync(plugin.attached(), { code: ErrorCode.CLOSED })
  await rig.verify()
})

testEach('TunnelHost.start() leaves nothing behind when one of its addresses cannot be had', async (t, rig) => {
  const { host, port } = await rig.startHost()
  await t.throwsAsync(rig.startHost(), { code: ErrorCode.ADDRESS_IN_USE })
  await t.throwsAsync(rig.startHost({ listen: tcpAddress('127.0.0.1', port) }), { code: ErrorCode.ADDRESS_IN_USE })
  // The client port of the first failed attempt is free again: nothing of it keeps the process alive, and the first
  // host still serves.
  t.is(await connect(t, port).untilClose(), 'ECONNRESET')
  t.is(host.stats().clientsTurnedAway, 1)
  await rig.verify()
})

testEach('limits out of bounds are refused by host and plugin', async (t, rig) => {
  for (const limits of [{ maxPayloadBytes: 10 }, { windowBytes: 0 }, { maxChannels: 0 }, { maxChannels: 1.5 }]) {
    await t.throwsAsync(
      TunnelHost.start({ engine: createTestEngine(), listen: tcpAddress('127.0.0.1', 0), tunnel: rig.tunnel, limits }),
      { code: ErrorCode.USAGE }
    )
    t.throws(
      () =>
        TunnelPlugin.start({
          engine: createTestEngine(),
          tunnel: rig.tunnel,
          origin: tcpAddress('127.0.0.1', 1),
          limits
        }),
      { code: ErrorCode.USAGE }
    )
  }
  await rig.verify()
})
