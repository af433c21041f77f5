import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { until } from './testing/rig.js'
import { startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { byEffort } from '../base/testing/effort.js'

/** What is left of one connection in four shows in any number. */
const CONNECTIONS = byEffort({ quick: 500, full: 2_000, slow: 10_000 })
const AT_ONE_TIME = 50

/** What a client does with its connection, in turn. */
const CUSTOMS = [
  // Asks, is answered, and closes.
  async (socket: net.Socket) => {
    socket.end('hello')
    await once(socket, 'close')
  },
  // Asks and vanishes.
  async (socket: net.Socket) => {
    socket.write('hello')
    await once(socket, 'connect')
    socket.resetAndDestroy()
    await once(socket, 'close')
  },
  // Is answered and vanishes.
  async (socket: net.Socket) => {
    socket.write('hello')
    await once(socket, 'data')
    socket.resetAndDestroy()
    await once(socket, 'close')
  },
  // Says nothing.
  async (socket: net.Socket) => {
    await once(socket, 'connect')
    socket.destroy()
    await once(socket, 'close')
  }
] as const

// One after the other, for what keeps a process alive is counted.
testEach(`${CONNECTIONS} connections leave no channel, socket or timer`, async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) })
  const { port, hostRig, pluginRig } = await rig.start(origin.address)
  const { host } = hostRig
  const { plugin } = pluginRig
  const isIdle = () =>
    host.stats().sockets === 0 && plugin.stats().sockets === 0 && origin.peers.every((peer) => peer.closed)
  await visit(AT_ONE_TIME)
  await until(isIdle)
  const before = resources()
  const statsBefore = [host.stats().channels, plugin.stats().channels]
  await visit(CONNECTIONS)
  await until(isIdle)
  t.deepEqual(resources(), before)
  t.deepEqual([host.stats().channels, plugin.stats().channels], statsBefore)
  t.is(host.stats().counters.channelsOpened, CONNECTIONS + AT_ONE_TIME)
  t.is(host.stats().clientsTurnedAway, 0)
  await rig.verify()

  async function visit (connections: number): Promise<void> {
    let visitor = 0
    await Promise.all(Array.from({ length: AT_ONE_TIME }, async () => {
      while (visitor < connections) {
        const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: false })
        socket.on('error', () => {})
        socket.resume()
        await CUSTOMS[visitor++ % CUSTOMS.length]!(socket)
      }
    }))
  }
}, { register: test.serial })

/** Everything that keeps this thread alive, by kind. */
function resources (): string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').sort()
}
