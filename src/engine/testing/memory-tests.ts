import { contentSlice } from '../../base/content.js'
import type { Suite } from './rig.js'
import type { TestReaderOptions } from './test-reader.js'

export function registerMemoryTests (suite: Suite): void {
  suite.onBoth(
    'write() sends memory from where it lies: it may change after release(), and a slow reader gets the right bytes',
    async (t, rig, kind) => {
      const chunkBytes = 250_000
      const chunks = 60
      let room = 0
      const slow: TestReaderOptions = { memory: () => (room-- > 0 ? new Uint8Array(50_000) : null) }
      const { client, server } = await rig.pair(kind, {}, slow)
      let released = 0
      for (let i = 0; i < chunks; i++) {
        rig.write(client, contentSlice(i * chunkBytes, chunkBytes), () => {
          released++
        })
      }
      client.socket.shutdown()
      t.is(client.socket.pendingBytes, chunks * chunkBytes)
      await rig.turns(20)
      t.true(released < chunks, 'more was written than the system buffers')
      t.true(client.socket.pendingBytes >= chunkBytes)
      while (!server.reader.isEnded) {
        room = 3
        rig.resume(server)
        await rig.turns(1)
      }
      t.true(Buffer.from(contentSlice(0, chunks * chunkBytes)).equals(server.reader.received()))
      server.socket.shutdown()
    }
  )

  suite.onBoth('a write of shared memory arrives', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    const shared = new Uint8Array(new SharedArrayBuffer(200_000), 1000, 100_000)
    shared.set(contentSlice(0, 100_000))
    rig.write(client, shared)
    await server.reader.untilBytes(100_000)
    t.deepEqual(server.reader.received(), Buffer.from(contentSlice(0, 100_000)))
    client.socket.shutdown()
    server.socket.shutdown()
  })

  suite.onBoth('an empty write is released and sends nothing', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    await rig.writeAndWait(client, new Uint8Array(0))
    client.socket.shutdown()
    server.socket.shutdown()
    await server.reader.untilClose()
    t.is(server.reader.receivedBytes, 0)
  })

  suite.onBoth(
    'a connecting reader whose claims reserve reads most of a bulk straight into its claims',
    async (t, rig, kind) => {
      const { client, server } = await rig.pair(kind, { claimReserves: true })
      for (let round = 1; round <= 10; round++) {
        rig.write(server, contentSlice(0, 65_536))
        await client.reader.untilBytes(round * 65_536)
      }
      const { zeroCopyBytes, copiedBytes } = rig.engine.counters
      t.is(zeroCopyBytes + copiedBytes, 10 * 65_536)
      t.true(zeroCopyBytes >= 10 * 65_536 * 0.75, `zero-copy bytes: ${zeroCopyBytes}`)
      t.deepEqual(client.reader.received().subarray(0, 65_536), Buffer.from(contentSlice(0, 65_536)))
      client.socket.shutdown()
      server.socket.shutdown()
    }
  )

  suite.onBoth('an idle connection whose claims reserve holds no claim', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind, { claimReserves: true }, { claimReserves: true })
    t.is(client.reader.claims + server.reader.claims, 0)
    for (let round = 1; round <= 5; round++) {
      rig.write(client, contentSlice(0, 500))
      await server.reader.untilBytes(round * 500)
      rig.write(server, contentSlice(0, 3000))
      await client.reader.untilBytes(round * 3000)
      t.false(client.reader.holdsClaim)
      t.false(server.reader.holdsClaim)
    }
    client.socket.shutdown()
    server.socket.shutdown()
  })

  suite.onBoth('many paused readers of one engine keep their bytes apart', async (t, rig, kind) => {
    let hasRoom = false
    const memory = () => hasRoom ? new Uint8Array(777) : null
    const listener = await rig.listen(rig.freeAddress(kind), (end) => {
      end.reader.until(() => end.reader.receivedBytes >= 1).then(() => {
        rig.write(end, contentSlice(1000 * end.reader.received()[0]!, 9000))
        end.socket.shutdown()
      }, t.fail)
    })
    const clients = Array.from({ length: 20 }, (_, index) => {
      const end = rig.connect(listener.address, { memory, claimReserves: index % 2 === 0 })
      rig.write(end, new Uint8Array([index]))
      end.socket.shutdown()
      return end
    })
    // Every client has been asked for room once its answer has begun to arrive.
    while (clients.some((end) => end.reader.claims === 0)) await rig.turns(1)
    hasRoom = true
    for (const end of clients) rig.resume(end)
    await Promise.all(clients.map((end) => end.reader.untilClose()))
    for (const [index, end] of clients.entries()) {
      t.deepEqual(end.reader.received(), Buffer.from(contentSlice(1000 * index, 9000)))
    }
  })
}
