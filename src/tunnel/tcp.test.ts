import { contentBytes } from '../base/content.js'
import { tcpAddress } from '../base/address.js'
import { connect, freePort, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'

testEach('an origin that speaks first is heard', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.write('220 ready\r\n') })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilReceived(11)
  t.is(client.text, '220 ready\r\n')
  client.socket.end('QUIT\r\n')
  const peer = await origin.peer(0)
  await peer.untilEnd()
  t.is(peer.text, 'QUIT\r\n')
  peer.socket.end('221 bye\r\n')
  await client.untilEnd()
  t.is(client.text, '220 ready\r\n221 bye\r\n')
  t.is(await client.untilClose(), null)
  await rig.verify()
})

testEach('a client that half-closes gets the answer the origin gives after the end', async (t, rig) => {
  const answer = contentBytes(3_000_000)
  const origin = await startTcpOrigin(t, (peer) => { peer.socket.on('end', () => { peer.socket.end(answer) }) })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  const question = contentBytes(1_000_001)
  client.socket.end(question)
  await client.untilEnd()
  t.is(Buffer.compare(client.received, answer), 0)
  t.is(Buffer.compare(origin.peers[0]!.received, question), 0)
  t.is(await client.untilClose(), null)
  t.is(await origin.peers[0]!.untilClose(), null)
  await rig.verify()
})

testEach('an origin that half-closes first still gets all that the client sends afterwards', async (t, rig) => {
  const origin = await startTcpOrigin(t, (peer) => { peer.socket.end('done') })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilEnd()
  t.is(client.text, 'done')
  const upload = contentBytes(1_500_000)
  client.socket.end(upload)
  const peer = await origin.peer(0)
  await peer.untilEnd()
  t.is(Buffer.compare(peer.received, upload), 0)
  t.is(await client.untilClose(), null)
  t.is(await peer.untilClose(), null)
  await rig.verify()
})

testEach('a client that sends and half-closes at once loses nothing', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) })
  const { port } = await rig.start(origin.address)
  const clients = Array.from({ length: 50 }, (_, i) => {
    const client = connect(t, port)
    client.socket.end(contentBytes(i))
    return client
  })
  for (const [i, client] of clients.entries()) {
    await client.untilEnd()
    t.is(Buffer.compare(client.received, contentBytes(i)), 0)
  }
  await rig.verify()
})

testEach('a reset of the client reaches the origin as a reset', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.write('hello') })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilReceived(5)
  client.socket.resetAndDestroy()
  t.is(await (await origin.peer(0)).untilClose(), 'ECONNRESET')
  await rig.verify()
})

testEach('a reset of the origin reaches the client as a reset', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.once('data', () => { socket.resetAndDestroy() }) })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  client.socket.write('hello')
  t.is(await client.untilClose(), 'ECONNRESET')
  await rig.verify()
})

testEach('a reset amid a transfer reaches the other end, in both directions', async (t, rig) => {
  const transfer = contentBytes(20_000_000)
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.write(transfer) })
  const { port } = await rig.start(origin.address)
  for (const who of ['client', 'origin'] as const) {
    const client = connect(t, port)
    client.socket.write(transfer)
    await client.untilReceived(500_000)
    const peer = origin.peers.at(-1)!
    await peer.untilReceived(500_000)
    const [resets, sees] = who === 'client' ? [client, peer] : [peer, client]
    resets.socket.resetAndDestroy()
    await sees.untilCut()
    t.true(sees.receivedBytes < transfer.length)
  }
  await rig.verify()
})

testEach('an origin that hangs up gives the client an end', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.end() })
  const { port } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilEnd()
  client.socket.end()
  t.is(await client.untilClose(), null)
  t.is(client.receivedBytes, 0)
  await rig.verify()
})

testEach('an origin that refuses makes the host reset the client', async (t, rig) => {
  const { port, host, plugin } = await rig.start(tcpAddress('127.0.0.1', await freePort()))
  for (let i = 0; i < 20; i++) {
    const client = connect(t, port)
    client.socket.write('hello')
    t.is(await client.untilClose(), 'ECONNRESET')
  }
  t.is(host.stats().counters.channelsRejected, 20)
  t.is(plugin.stats().counters.channelsRejected, 20)
  t.is(host.stats().clientsTurnedAway, 0)
  await rig.verify()
})

testEach('without a plugin a client is reset at once', async (t, rig) => {
  const { port, host } = await rig.startHost()
  for (let i = 0; i < 20; i++) t.is(await connect(t, port).untilClose(), 'ECONNRESET')
  t.is(host.stats().clientsTurnedAway, 20)
  t.false(host.attached)
  await rig.verify()
})

testEach('a client beyond maxChannels is reset, and is served when another has left', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.write('x') })
  const { port, host } = await rig.start(origin.address, { maxChannels: 2 })
  const first = [connect(t, port), connect(t, port)]
  for (const client of first) await client.untilReceived(1)
  t.is(await connect(t, port).untilClose(), 'ECONNRESET')
  t.is(host.stats().clientsTurnedAway, 1)
  first[0]!.socket.resetAndDestroy()
  await origin.peers[0]!.untilClose()
  const next = connect(t, port)
  await next.untilReceived(1)
  t.is(next.text, 'x')
  await rig.verify()
})
