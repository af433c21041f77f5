import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { unixAddress } from '../base/address.js'
import { contentBytes, LARGE_BODY_BYTES } from '../base/content.js'
import { seededRandom, shuffled } from '../base/random.js'
import { startOrigin } from '../origin/start-origin.js'
import { request, sha256 } from './testing/http.js'
import { type TunnelRig, until } from './testing/rig.js'
import { Peer } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { SHARED_MEMORY } from './testing/transports.js'
import { byEffort } from '../base/testing/effort.js'

const over = byEffort({ quick: SHARED_MEMORY.slice(-1), full: SHARED_MEMORY })

/** What brought the original down: eight bodies of 256 KiB and its 64 slots of 4 KiB. */
const TINY = { sizes: { slots: 64, slotBytes: 4096, ringEntries: 64, inlineBytes: 512 } }

const hashes = new Map<number, string>()
function hashOf (bytes: number): string {
  let hash = hashes.get(bytes)
  if (hash === undefined) hashes.set(bytes, hash = sha256(contentBytes(bytes)))
  return hash
}

/** Clients come over a Unix socket: its buffers are small, so a client that does not read is felt by the host. */
async function start (t: ExecutionContext, rig: TunnelRig) {
  const origin = await startOrigin({ server: 'node', port: 0 })
  t.teardown(() => origin.close())
  const path = join(rig.directory, 'c.sock')
  const { host, events } = await rig.startHost({ listen: unixAddress(path) })
  const { plugin } = rig.startPlugin(origin.address)
  await Promise.all([plugin.attached(), events.until('attached')])
  return { path, host, plugin }
}

/** Bodies of these lengths, one after the other on one connection. Returns the lengths of those that came wrong. */
async function fetchAll (t: ExecutionContext, path: string, lengths: readonly number[]): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  const wrong: number[] = []
  for (const bytes of lengths) {
    const { status, body } = await request(path, `/bytes/${bytes}`, { agent })
    if (status !== 200 || body.length !== bytes || sha256(body) !== hashOf(bytes)) wrong.push(bytes)
  }
  agent.destroy()
  return wrong
}

for (const clients of [8, 64]) {
  testEach(`${clients} clients get every byte of /large through 64 slots of 4 KiB: slow and right`, async (t, rig) => {
    const { path, host, plugin } = await start(t, rig)
    const wrong = await Promise.all(
      Array.from({ length: clients }, () => fetchAll(t, path, [LARGE_BODY_BYTES, LARGE_BODY_BYTES, LARGE_BODY_BYTES]))
    )
    t.deepEqual(wrong, wrong.map(() => []))
    const { counters, transport } = plugin.stats()
    // An engine that claims when the bytes are there gets a few clients through without ever wanting more.
    if (clients === 64) t.true(transport.exhausted > 0 && counters.parkedReads > 0)
    t.is(counters.channelsRejected + host.stats().clientsTurnedAway, 0)
    t.is(transport.zeroCopyBytesSent + transport.copiedBytesSent, transport.payloadBytesSent)
    await rig.verify()
  }, { over, memory: TINY, register: test.serial })
}

/** Each asks for /large so often and reads nothing. */
const QUESTIONS = 4

for (const { stalledClients, title, memory } of [
  { stalledClients: 128, title: 'the default pool', memory: {} },
  { stalledClients: 100, title: '64 slots of 4 KiB, fewer than there are clients', memory: TINY }
]) {
  testEach(
    `${stalledClients} clients that never read /large do not stop the next one, and lose nothing themselves: ${title}`,
    async (t, rig) => {
      const { path, host, plugin } = await start(t, rig)
      const stalled = Array.from({ length: stalledClients }, () => {
        const client = new Peer(t, net.connect({ path, allowHalfOpen: true }))
        client.socket.pause()
        client.socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(QUESTIONS))
        return client
      })
      // Each has come to rest: its reads wait for credit or for memory.
      await until(() => {
        const { creditStalls, parkedReads } = plugin.stats().counters
        return host.stats().sockets === stalledClients && creditStalls + parkedReads >= stalledClients
      })
      t.deepEqual(await fetchAll(t, path, [2, LARGE_BODY_BYTES, 2, LARGE_BODY_BYTES, 2]), [])
      t.deepEqual(
        stalled.map(({ receivedBytes }) => receivedBytes),
        stalled.map(() => 0)
      )
      for (const { socket } of stalled) socket.resume()
      const large = contentBytes(LARGE_BODY_BYTES)
      for (const client of stalled) {
        for (let i = 0, offset = 0; i < QUESTIONS; i++) {
          await client.untilReceived(offset + 1)
          while (!client.received.includes('\r\n\r\n', offset)) await client.untilReceived(client.receivedBytes + 1)
          const bodyStart = client.received.indexOf('\r\n\r\n', offset) + 4
          offset = bodyStart + LARGE_BODY_BYTES
          await client.untilReceived(offset)
          t.is(Buffer.compare(client.received.subarray(bodyStart, offset), large), 0)
        }
        client.socket.end()
        t.is(await client.untilClose(), null)
      }
      await rig.verify()
    },
    { over, memory, register: test.serial }
  )
}

testEach('64 clients with bodies of all sizes get every byte through the default pool', async (t, rig) => {
  const { path } = await start(t, rig)
  const sizes = [0, 1, 2, 511, 512, 1023, 1024, 1025, 4096, 65_535, 65_536, 65_537, LARGE_BODY_BYTES, 1_000_003]
  const random = seededRandom(7)
  const wrong = await Promise.all(Array.from({ length: 64 }, () => fetchAll(t, path, shuffled(sizes, random))))
  t.deepEqual(wrong, wrong.map(() => []))
  await rig.verify()
}, { over, register: test.serial })
