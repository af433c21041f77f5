import test, { type ExecutionContext } from 'ava'
import { contentBytes } from '../base/content.js'
import { portOf, until } from './testing/rig.js'
import { Role } from './testing/role.js'
import { connect, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { BETWEEN_PROCESSES as over } from './testing/transports.js'

const CLIENTS = 32

/** Sends for ever and echoes; every connection of these tests is amid a transfer in both directions. */
function startBusyOrigin (t: ExecutionContext) {
  const piece = contentBytes(100_000)
  return startTcpOrigin(t, ({ socket }) => {
    const send = () => { while (!socket.destroyed && socket.write(piece)); }
    socket.on('drain', send)
    send()
  })
}

function startClients (t: ExecutionContext, port: number) {
  const upload = contentBytes(2_000_000)
  return Array.from({ length: CLIENTS }, () => {
    const client = connect(t, port)
    client.socket.write(upload)
    return client
  })
}

testEach(
  'a plugin killed under load: clients are reset, the host keeps nothing, and a new plugin serves',
  async (t, rig, transport) => {
    const origin = await startBusyOrigin(t)
    const { host, engine, events, port } = await rig.startHost()
    const originPort = String(portOf(origin.address))
    for (let round = 1; round <= 2; round++) {
      const plugin = await new Role(t, transport, 'plugin', rig.path, originPort).up()
      await events.until('attached', round)
      const clients = startClients(t, port)
      for (const client of clients) await client.untilReceived(1)
      t.is(host.stats().channels, CLIENTS)
      await plugin.kill()
      for (const client of clients) await client.untilCut()
      t.not((await events.until('detached', round)).error, null)
      t.false(host.attached)
      await until(() => host.stats().sockets === 0)
      t.is(host.stats().channels, 0)
      t.is(engine.counters.socketsOpened, engine.counters.socketsClosed)
      t.is(await connect(t, port).untilClose(), 'ECONNRESET', 'without a plugin clients are turned away')
    }
    await rig.verify()
  },
  { over, register: test.serial }
)

testEach(
  'a host killed under load: the plugin frees everything and attaches to the next host at the same path',
  async (t, rig, transport) => {
    const origin = await startBusyOrigin(t)
    let host = await new Role(t, transport, 'host', rig.path).up()
    const { plugin, engine, events } = rig.startPlugin(origin.address)
    for (let round = 1; round <= 2; round++) {
      await events.until('attached', round)
      const clients = startClients(t, host.port)
      for (const client of clients) await client.untilReceived(1)
      t.is(plugin.stats().channels, CLIENTS)
      await host.kill()
      t.not((await events.until('detached', round)).error, null)
      await until(() => plugin.stats().sockets === 0)
      t.is(plugin.stats().channels, 0)
      for (const peer of origin.peers) await peer.untilCut()
      for (const client of clients) await client.untilCut()
      // The file of the killed host lies there still, and is replaced.
      host = await new Role(t, transport, 'host', rig.path).up()
    }
    await plugin.attached()
    const client = connect(t, host.port)
    await client.untilReceived(1)
    await plugin.close({ drainMs: 0 })
    t.is(engine.counters.socketsOpened, engine.counters.socketsClosed)
    t.is(plugin.stats().channels, 0)
  },
  { over, register: test.serial }
)

testEach(
  'a plugin that is stopped, not dead, is given up when it leaves a PING unanswered',
  async (t, rig, transport) => {
    const origin = await startBusyOrigin(t)
    const { host, events, port } = await rig.startHost({ limits: { pingIntervalMs: 20, pingTimeoutMs: 1500 } })
    const plugin = await new Role(t, transport, 'plugin', rig.path, String(portOf(origin.address))).up()
    await events.until('attached')
    const client = connect(t, port)
    await client.untilReceived(1)
    plugin.child.kill('SIGSTOP')
    t.is((await events.until('detached')).error?.code, 'ERR_TUNNEL_PEER_SILENT')
    await client.untilCut()
    t.is(host.stats().channels, 0)
    await plugin.kill()
    await rig.verify()
  },
  { over, register: test.serial }
)
