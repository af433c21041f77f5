import net from 'node:net'
import { tcpAddress } from '../base/address.js'
import { ErrorCode } from '../base/errors.js'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE, createTestEngine } from '../engine/testing/engines.js'
import { Relay } from '../relay/relay.js'
import { until } from './testing/rig.js'
import { connect, freePort, Peer, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { TunnelPlugin } from './tunnel-plugin.js'
import { TunnelHost } from './tunnel-host.js'

const STREAM = { over: ['stream'] as const }
const NO_TIMES = [NaN, -1, 2 ** 31, '5' as unknown as number]

testEach('close() refuses a drain time that is none, and closes nothing', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) })
  const { host, plugin, port } = await rig.start(origin.address)
  const relay = await Relay.start({
    engine: createTestEngine(),
    listen: tcpAddress('127.0.0.1', 0),
    target: origin.address
  })
  t.teardown(() => relay.close({ drainMs: 0 }))
  for (const drainMs of NO_TIMES) {
    for (const one of [host, plugin, relay]) {
      await t.throwsAsync(one.close({ drainMs }), {
        code: ErrorCode.USAGE,
        message: /^Cannot use drainMs: it must be a time from 0 to 2147483647 ms, or Infinity: it is /
      })
    }
  }
  const client = connect(t, port)
  client.socket.end('hello')
  await client.untilEnd()
  t.is(client.text, 'hello')
  await rig.verify()
}, STREAM)

testEach('close() with a drain time of Infinity waits for all connections', async (t, rig) => {
  for (const side of ['host', 'plugin'] as const) {
    const origin = await startTcpOrigin(t)
    const { host, plugin, port } = await rig.start(origin.address)
    const client = connect(t, port)
    client.socket.write('question')
    const peer = await origin.peer(0)
    await peer.untilReceived(8)
    const closed = { host, plugin }[side].close({ drainMs: Infinity })
    // Long enough for a timer that has overflowed.
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    peer.socket.end('answer')
    client.socket.end()
    await client.untilEnd()
    t.is(client.text, 'answer')
    await closed
    await plugin.close({ drainMs: 0 })
    await host.close({ drainMs: 0 })
  }
  await rig.verify()
})

testEach('a relay that closes with a drain time of Infinity waits for all connections', async (t, rig) => {
  const origin = await startTcpOrigin(t)
  const relay = await Relay.start({
    engine: createTestEngine(),
    listen: tcpAddress('127.0.0.1', 0),
    target: origin.address
  })
  t.teardown(() => relay.close({ drainMs: 0 }))
  const client = connect(t, relay.address.kind === 'tcp' ? relay.address.port : 0)
  client.socket.write('question')
  const peer = await origin.peer(0)
  await peer.untilReceived(8)
  const closed = relay.close({ drainMs: Infinity })
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  peer.socket.end('answer')
  client.socket.end()
  await client.untilEnd()
  t.is(client.text, 'answer')
  await closed
  await rig.verify()
}, STREAM)

testEach('host, plugin and relay refuse limits that are none', async (t, rig) => {
  const origin = tcpAddress('127.0.0.1', 1)
  for (const time of NO_TIMES) {
    for (const name of ['helloTimeoutMs', 'pingIntervalMs', 'pingTimeoutMs']) {
      const expected = {
        code: ErrorCode.USAGE,
        message: new RegExp(
          `^Cannot use ${name}: it must be a time from 0 to 2147483647 ms, or Infinity: it is ${String(time)}$`
        )
      }
      await t.throwsAsync(rig.startHost({ limits: { [name]: time } }), expected)
      t.throws(() => rig.startPlugin(origin, { limits: { [name]: time } }), expected)
    }
    t.throws(() => rig.startPlugin(origin, { originTimeoutMs: time }), {
      code: ErrorCode.USAGE,
      message: /^Cannot use originTimeoutMs: /
    })
    await t.throwsAsync(
      Relay.start({ engine: createTestEngine(), listen: origin, target: origin, connectTimeoutMs: time }),
      { code: ErrorCode.USAGE }
    )
  }
  await t.throwsAsync(Relay.start({ engine: createTestEngine(), listen: origin, target: origin, maxConnections: 0 }), {
    code: ErrorCode.USAGE
  })
  await rig.verify()
}, STREAM)

for (const forEver of [0, Infinity]) {
  testEach(`time limits of ${forEver} are none: the link stands, and no PING is sent`, async (t, rig) => {
    const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) })
    const limits = { helloTimeoutMs: forEver, pingIntervalMs: forEver, pingTimeoutMs: forEver }
    const { port, events } = await rig.startHost({ limits })
    const { plugin } = rig.startPlugin(origin.address, { limits, originTimeoutMs: forEver })
    await plugin.attached()
    await events.until('attached')
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    const client = connect(t, port)
    client.socket.end('hello')
    await client.untilEnd()
    t.is(client.text, 'hello')
    t.is(plugin.stats().roundTripNs, null)
    await rig.verify()
  })
}

testEach('stats() tell nothing of a link that is gone', async (t, rig) => {
  const { host, plugin, hostRig, pluginRig } = await rig.start(tcpAddress('127.0.0.1', 1), { pingIntervalMs: 1 })
  await until(() => host.stats().roundTripNs !== null && plugin.stats().roundTripNs !== null)
  await plugin.close({ drainMs: 0 })
  await hostRig.events.until('detached')
  for (const one of [host, plugin]) t.like(one.stats(), { roundTripNs: null, freeSlots: null })
  const second = rig.startPlugin(tcpAddress('127.0.0.1', 1))
  await second.plugin.attached()
  await host.close({ drainMs: 0 })
  await second.events.until('waiting')
  t.like(second.plugin.stats(), { roundTripNs: null, freeSlots: null })
  t.true(pluginRig.plugin.stats().transport.framesSent > 0)
  await rig.verify()
})

testEach(
  'close() of a host whose listener cannot be closed ends the sessions all the same, and tells why',
  async (t, rig) => {
    const origin = await startTcpOrigin(t)
    const engine = createTestEngine()
    const failure = new Error('unlink EACCES')
    let failing = 0
    const listen: typeof engine.listen = async (address, onSocket) => {
      const listener = await engine.listen(address, onSocket)
      return {
        address: listener.address,
        addresses: listener.addresses,
        close: async () => {
          await listener.close()
          failing++
          throw failure
        }
      }
    }
    const broken: typeof engine = Object.assign(Object.create(engine), { listen })
    const host = await TunnelHost.start({ engine: broken, listen: tcpAddress('127.0.0.1', 0), tunnel: rig.tunnel })
    const plugin = TunnelPlugin.start({ engine: createTestEngine(), tunnel: rig.tunnel, origin: origin.address })
    t.teardown(() => plugin.close({ drainMs: 0 }))
    await plugin.attached()
    const client = connect(t, host.address.kind === 'tcp' ? host.address.port : 0)
    client.socket.write('question')
    await (await origin.peer(0)).untilReceived(8)
    const closing = host.close({ drainMs: 10_000 })
    t.is(await t.throwsAsync(host.close({ drainMs: 0 })), failure)
    t.is(await t.throwsAsync(closing), failure)
    await client.untilCut()
    t.is(failing, 2)
    t.like(host.stats(), { sockets: 0, channels: 0 })
  },
  STREAM
)

for (const engineName of ENGINES_HERE) {
  testEach(`an origin that cannot be reached is told once, and so is its return (${engineName})`, async (t, rig) => {
    const port = await freePort()
    const { port: clientPort } = await rig.startHost({ engine: createEngine(engineName) })
    const { plugin, events } = rig.startPlugin(tcpAddress('127.0.0.1', port), { engine: createEngine(engineName) })
    await plugin.attached()
    for (let i = 0; i < 5; i++) t.is(await connect(t, clientPort).untilClose(), 'ECONNRESET')
    const { error, count } = await events.until('origin-unreachable')
    t.is(error.code, ErrorCode.CONNECT_REFUSED)
    t.is(count, 1)
    const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) }, port)
    for (let i = 0; i < 3; i++) {
      const client = connect(t, clientPort)
      client.socket.end('hello')
      await client.untilEnd()
      t.is(client.text, 'hello')
    }
    await events.until('origin-reachable')
    t.deepEqual(
      events.all.map(({ kind }) => kind).filter((kind) => kind.startsWith('origin')),
      ['origin-unreachable', 'origin-reachable']
    )
    t.is(origin.peers.length, 3)
    await rig.verify()
  })

  testEach(`clients that are turned away are told once, with how many there were (${engineName})`, async (t, rig) => {
    const origin = await startTcpOrigin(t)
    const { host, port, events } = await rig.startHost({ engine: createEngine(engineName), limits: { maxChannels: 2 } })
    for (let i = 0; i < 4; i++) t.is(await connect(t, port).untilClose(), 'ECONNRESET')
    t.like(await events.until('turned-away'), { count: 1, error: { code: ErrorCode.NOT_ATTACHED } })
    const { plugin } = rig.startPlugin(origin.address, { engine: createEngine(engineName) })
    await plugin.attached()
    for (let i = 0; i < 2; i++) connect(t, port)
    await until(() => host.stats().channels === 2)
    for (let i = 0; i < 3; i++) t.is(await connect(t, port).untilClose(), 'ECONNRESET')
    const { error } = await events.until('turned-away', 2)
    t.is(error.code, ErrorCode.LIMIT)
    t.is(
      error.message,
      'Cannot carry one more client: as many connections are open as host and plugin allow (maxChannels: 2): raise ' +
      'both limits'
    )
    t.is(host.stats().clientsTurnedAway, 7)
    await host.close({ drainMs: 0 })
    t.deepEqual(events.all.flatMap((event) => event.kind === 'turned-away' ? [[event.error.code, event.count]] : []),
      [[ErrorCode.NOT_ATTACHED, 1], [ErrorCode.LIMIT, 1], [ErrorCode.NOT_ATTACHED, 3], [ErrorCode.LIMIT, 2]])
    await rig.verify()
  })
}

testEach(
  'a second plugin that tries again and again is told once by the host, with how often at the end',
  async (t, rig) => {
    const origin = await startTcpOrigin(t)
    const { host, hostRig } = await rig.start(origin.address)
    const second = rig.startPlugin(origin.address)
    await until(() => second.engine.counters.socketsClosed >= 4)
    t.is(hostRig.events.count('refused'), 1)
    t.is(second.events.count('waiting'), 1)
    await second.plugin.close()
    await host.close({ drainMs: 0 })
    const refused = hostRig.events.all.flatMap((event) => (event.kind === 'refused' ? [event] : []))
    t.is(refused.length, 2)
    t.true(refused[1]!.count >= 3)
    await rig.verify()
  }
)

testEach('hundreds of connects that are no plugins are a few events', async (t, rig) => {
  const { host, events, engine } = await rig.startHost()
  for (let i = 0; i < 40; i++) {
    const strangers = Array.from(
      { length: 10 },
      () => new Peer(t, net.connect({ path: rig.path, allowHalfOpen: true }))
    )
    for (const { socket } of strangers) socket.end('GET / HTTP/1.1\r\n\r\n')
    await Promise.all(strangers.map((stranger) => stranger.untilClose()))
  }
  await until(() => engine.counters.socketsClosed === 400)
  t.true(events.all.length <= 16, `${events.all.length} events`)
  await host.close({ drainMs: 0 })
  t.is(events.all.reduce((sum, event) => sum + ('count' in event ? event.count : 0), 0), 400)
  await rig.verify()
})
