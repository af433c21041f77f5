import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { contentSlice } from '../base/content.js'
import { seededRandom } from '../base/random.js'
import { until } from './testing/rig.js'
import { startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { SHARED_MEMORY as over } from './testing/transports.js'
import { byEffort } from '../base/testing/effort.js'

/**
 * What slots are filled with when they are given back. No content has it: where it is seen, memory was used after its
 * release.
 */
const POISON = 0xEE
const CONNECTIONS = byEffort({ quick: 80, full: 300, slow: 2000 })
const AT_ONE_TIME = 40
const MAX_BYTES = 600_000

/** What connection `index` sends in one direction: others send something else at the same place. */
function contentOf (index: number, direction: 'up' | 'down', bytes: number): Buffer {
  const content = Buffer.from(contentSlice(index * 1009 + (direction === 'up' ? 31 : 0), bytes))
  for (let at = content.indexOf(POISON); at >= 0; at = content.indexOf(POISON, at + 1)) content[at] = 0x11
  content.set([index & 0x7F, index >> 7, 0, 0])
  return content
}

/** Compares what comes in with what must come, piece by piece, however much of it comes. */
function watch (socket: net.Socket, expected: Buffer, report: (problem: string) => void): { receivedBytes: number } {
  const progress = { receivedBytes: 0 }
  socket.on('data', (chunk: Buffer) => {
    const { receivedBytes } = progress
    if (chunk.includes(POISON)) report(`poison after ${receivedBytes + chunk.indexOf(POISON)} bytes`)
    else if (Buffer.compare(chunk, expected.subarray(receivedBytes, receivedBytes + chunk.length)) !== 0) {
      report(`foreign bytes after ${receivedBytes}`)
    }
    progress.receivedBytes += chunk.length
  })
  return progress
}

for (const [title, sizes] of [
  ['32 slots of 4 KiB', { slots: 32, slotBytes: 4096, ringEntries: 64, inlineBytes: 512 }],
  ['the default pool', {}]
] as const) {
  testEach(`no byte of a slot that was given back reaches a client or the origin: ${title}`, async (t, rig) => {
    const problems: string[] = []
    const random = seededRandom(35)
    // The first four bytes say which connection it is, so the origin knows what must come and what to answer.
    const origin = await startTcpOrigin(t, ({ socket }) => {
      socket.once('data', (chunk: Buffer) => {
        if (chunk.length < 4) return problems.push('the first piece is too short')
        const index = chunk[0]! | chunk[1]! << 7
        const up = contentOf(index, 'up', MAX_BYTES)
        const progress = watch(socket, up, (problem) => { problems.push(`origin, connection ${index}: ${problem}`) })
        if (Buffer.compare(chunk, up.subarray(0, chunk.length)) !== 0) {
          problems.push(`origin, connection ${index}: wrong from the start`)
        }
        progress.receivedBytes = chunk.length
        const down = contentOf(index, 'down', 4 + Math.floor(random() * MAX_BYTES))
        // One in eight breaks off in the middle, too.
        if (index % 8 === 3) socket.write(down.subarray(0, down.length >> 1), () => { socket.resetAndDestroy() })
        else socket.end(down)
      })
    })
    const { port, host, plugin } = await rig.start(origin.address)
    let next = 0
    let whole = 0
    await Promise.all(
      Array.from({ length: AT_ONE_TIME }, async () => {
        while (next < CONNECTIONS) await visit(next++)
      })
    )
    await until(() => host.stats().sockets === 0 && plugin.stats().sockets === 0)
    t.deepEqual(problems, [])
    t.true(whole > CONNECTIONS / 4, 'some must come whole, or nothing was seen')
    t.true(plugin.stats().transport.zeroCopyBytesSent > 0)
    await rig.verify()

    async function visit (index: number): Promise<void> {
      const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
      t.teardown(() => { socket.destroy() })
      socket.on('error', () => {})
      const closed = once(socket, 'close').catch(() => {})
      const down = contentOf(index, 'down', MAX_BYTES + 4)
      const progress = watch(socket, down, (problem) => { problems.push(`client ${index}: ${problem}`) })
      const isSlow = random() < 0.4
      const breaksAt = random() < 0.5 ? Math.floor(random() * MAX_BYTES / 2) : Infinity
      socket.on('data', () => {
        if (progress.receivedBytes >= breaksAt) return socket.resetAndDestroy()
        if (!isSlow) return
        socket.pause()
        let turns = Math.floor(random() * 20)
        const rest = (): void => {
          if (turns-- > 0) setImmediate(rest)
          else socket.resume()
        }
        rest()
      })
      socket.on('end', () => {
        whole++
        socket.destroySoon()
      })
      const up = contentOf(index, 'up', 4 + Math.floor(random() * MAX_BYTES))
      // Some vanish while they write.
      if (random() < 0.25) {
        socket.write(up)
        await once(socket, 'connect').catch(() => {})
        setImmediate(() => { socket.resetAndDestroy() })
      } else socket.end(up)
      await closed
    }
  }, { over, memory: { sizes, poison: POISON }, register: test.serial })
}
