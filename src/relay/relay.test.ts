import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, tcpAddress, unixAddress } from '../base/address.js'
import { createEngine } from '../engine/create-engine.js'
import type { EngineName } from '../engine/engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { connect, freePort, startTcpOrigin } from '../tunnel/testing/tcp.js'
import { until } from '../tunnel/testing/rig.js'
import { Relay } from './relay.js'

const MIB = 1_048_576

/** Every byte differs from its neighbours, and blocks differ from each other. */
function pattern (bytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8) * 7 + seed) & 255))
}

async function startRelay (
  t: ExecutionContext,
  engine: EngineName,
  target: Address,
  options: { listen?: Address; maxConnections?: number } = {}
): Promise<Relay> {
  const relay = await Relay.start({
    engine: createEngine(engine),
    listen: tcpAddress('127.0.0.1', 0),
    target,
    ...options
  })
  t.teardown(async () => {
    await relay.close({ drainMs: 0 })
  })
  return relay
}

const portOf = ({ address }: Relay): number => address.kind === 'tcp' ? address.port : 0

for (const engine of ENGINES_HERE) {
  test(`Relay (${engine}) carries bytes both ways, and a half-close without ending the other direction`, async t => {
    const origin = await startTcpOrigin(t)
    const relay = await startRelay(t, engine, origin.address)
    const client = connect(t, portOf(relay))
    const [up, down] = [pattern(3 * MIB, 1), pattern(2 * MIB, 2)]
    client.socket.end(up)
    const peer = await origin.peer(0)
    await peer.untilEnd()
    t.true(peer.received.equals(up))
    t.false(client.ended)
    peer.socket.end(down)
    await client.untilEnd()
    t.true(client.received.equals(down))
    t.is(await client.untilClose(), null)
    await until(() => relay.sockets === 0)
    t.is(relay.sockets, 0)
  })

  test(`Relay (${engine}) passes a reset on, from either side`, async t => {
    const origin = await startTcpOrigin(t)
    const relay = await startRelay(t, engine, origin.address)
    for (const from of ['client', 'origin'] as const) {
      const client = connect(t, portOf(relay))
      client.socket.write('x')
      const peer = await origin.peer(from === 'client' ? 0 : 1)
      await peer.untilReceived(1)
      const [cutter, other] = from === 'client' ? [client, peer] : [peer, client]
      cutter.socket.resetAndDestroy()
      t.is(await other.untilClose(), 'ECONNRESET')
    }
    await until(() => relay.sockets === 0)
    t.is(relay.sockets, 0)
  })

  test(`Relay (${engine}) resets a client whose target does not answer`, async t => {
    const relay = await startRelay(t, engine, tcpAddress('127.0.0.1', await freePort()))
    t.is(await connect(t, portOf(relay)).untilClose(), 'ECONNRESET')
  })

  test(`Relay (${engine}) takes from a sender only what the reader takes, and goes on when it reads again`, async t => {
    const origin = await startTcpOrigin(t, peer => { peer.socket.pause() })
    const relay = await startRelay(t, engine, origin.address)
    const client = connect(t, portOf(relay))
    const bytes = 64 * MIB
    const sent = pattern(MIB / 4, 3)
    let takenBytes = 0
    const send = (): void => {
      client.socket.write(sent, () => {
        takenBytes += sent.length
        if (takenBytes < bytes) send()
      })
    }
    send()
    const peer = await origin.peer(0)
    // What tells that no more will be taken is only that no more was for a while.
    for (let before = -1; before !== takenBytes;) {
      before = takenBytes
      await new Promise(resolve => { setTimeout(resolve, 500) })
    }
    t.true(takenBytes < bytes / 2, `${takenBytes} bytes taken`)
    peer.socket.resume()
    await peer.untilReceived(bytes)
    const { received } = peer
    for (let at = 0; at < bytes; at += sent.length) t.true(received.subarray(at, at + sent.length).equals(sent))
  })

  test(`two Relays (${engine}) over a Unix socket of mode 0600 carry what one does`, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'relay-'))
    t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
    const middle = unixAddress(join(folder, 'm'))
    const origin = await startTcpOrigin(t, peer => { peer.socket.pipe(peer.socket) })
    const back = await startRelay(t, engine, origin.address, { listen: middle })
    const front = await startRelay(t, engine, middle)
    t.is(statSync(join(folder, 'm')).mode & 0o777, 0o600)
    const sent = pattern(5 * MIB, 4)
    const clients = Array.from({ length: 20 }, () => connect(t, portOf(front)))
    for (const client of clients) client.socket.end(sent.subarray(0, MIB / 4))
    for (const client of clients) {
      await client.untilEnd()
      t.true(client.received.equals(sent.subarray(0, MIB / 4)))
    }
    await front.close()
    await back.close()
    t.throws(() => statSync(join(folder, 'm')), { code: 'ENOENT' })
  })

  test(`Relay (${engine}) turns clients beyond its limit away and serves the next when one has left`, async t => {
    const origin = await startTcpOrigin(t, peer => { peer.socket.pipe(peer.socket) })
    const relay = await startRelay(t, engine, origin.address, { maxConnections: 1 })
    const first = connect(t, portOf(relay))
    first.socket.write('a')
    await first.untilReceived(1)
    t.is(await connect(t, portOf(relay)).untilClose(), 'ECONNRESET')
    first.socket.end()
    await first.untilClose()
    await until(() => relay.sockets === 0)
    const next = connect(t, portOf(relay))
    next.socket.write('b')
    await next.untilReceived(1)
    t.is(next.text, 'b')
  })

  test(`Relay.close() (${engine}) waits for what is at hand, and cuts it off when the time is over`, async t => {
    const origin = await startTcpOrigin(t)
    const relay = await startRelay(t, engine, origin.address)
    const client = connect(t, portOf(relay))
    client.socket.write('x')
    const peer = await origin.peer(0)
    await peer.untilReceived(1)
    const closed = relay.close({ drainMs: 60_000 })
    peer.socket.write('last words')
    await client.untilReceived(10)
    await Promise.all([relay.close({ drainMs: 0 }), closed])
    t.is(await client.untilClose(), 'ECONNRESET')
    t.is(relay.sockets, 0)
  })
}
