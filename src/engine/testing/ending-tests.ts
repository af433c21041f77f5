import { contentSlice } from '../../base/content.js'
import { ErrorCode } from '../../base/errors.js'
import type { End, Rig, Suite } from './rig.js'
import { byEffort } from '../../base/testing/effort.js'

/** More than the system buffers for one connection, so that writes are on their way when the connection ends. */
const BULK_BYTES = 12_000_000

const neverRoom = { memory: () => null }

export function registerEndingTests (suite: Suite): void {
  suite.onBoth('abort() closes both ends, and the peer learns that it was cut off', async (t, rig, kind) => {
    for (const isClientResetting of [true, false]) {
      const { client, server, listener } = await rig.pair(kind)
      const [cutting, other] = isClientResetting ? [client, server] : [server, client]
      // A Unix socket has no reset of its own: the peer reads an end, unless bytes that it sent were never read.
      if (kind === 'unix') rig.write(other, contentSlice(0, 1000))
      rig.abort(cutting)
      rig.abort(cutting)
      t.is(await cutting.reader.untilClose(), null)
      t.false(cutting.reader.isEnded)
      if (kind === 'unix') await writeUntilClosed(rig, other)
      t.is((await other.reader.untilClose())?.code, ErrorCode.SOCKET_RESET)
      await listener.close()
    }
  })

  suite.onBoth('write() to a peer that is gone ends in ERR_TUNNEL_SOCKET_RESET', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    client.socket.shutdown()
    await server.reader.untilEnd()
    // The server has read the end and goes on writing to a client that then disappears.
    rig.abort(client)
    await client.reader.untilClose()
    await writeUntilClosed(rig, server)
    const error = await server.reader.untilClose()
    t.is(error?.code, ErrorCode.SOCKET_RESET)
    t.regex(error!.message, /cut off by the other side/)
  })

  suite.onBoth('abort() in mid-write releases every write, at both ends', async (t, rig, kind) => {
    for (const isClientResetting of [true, false]) {
      let mayRead = false
      const options = { memory: () => mayRead ? new Uint8Array(65_536) : null }
      const { client, server, listener } = await rig.pair(kind, options, options)
      for (const end of [client, server]) {
        for (let i = 0; i < 6; i++) rig.write(end, contentSlice(0, BULK_BYTES / 6))
      }
      await rig.turns(5)
      t.true(client.socket.pendingBytes > 0 && server.socket.pendingBytes > 0)
      // Some writes are with the system, some wait behind them, and this one is of the same turn.
      rig.write(client, contentSlice(0, 10))
      rig.write(server, contentSlice(0, 10))
      const [cutting, other] = isClientResetting ? [client, server] : [server, client]
      rig.abort(cutting)
      await cutting.reader.untilClose()
      // Its failing writes tell the other side, which is told when it has read what came before.
      while (other.socket.pendingBytes > 0) await rig.turns(1)
      t.false(other.reader.isClosed)
      mayRead = true
      rig.resume(other)
      await writeUntilClosed(rig, other)
      await listener.close()
    }
    t.pass()
  })

  suite.onBoth('write() after shutdown() and after the close is dropped and released', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    rig.write(client, Buffer.from('kept'))
    client.socket.shutdown()
    client.socket.shutdown()
    await rig.writeAndWait(client, Buffer.from('dropped'))
    await server.reader.untilEnd()
    t.is(Buffer.from(server.reader.received()).toString(), 'kept')
    server.socket.shutdown()
    rig.write(server, Buffer.from('dropped'))
    t.is(await client.reader.untilClose(), null)
    t.is(await server.reader.untilClose(), null)
    await Promise.all([client, server].map((end) => rig.writeAndWait(end, Buffer.from('dropped'))))
    for (const { socket } of [client, server]) {
      socket.shutdown()
      socket.abort()
      socket.resume()
    }
    t.is(client.reader.receivedBytes, 0)
  })

  suite.onBoth('write() and shutdown() after abort() do nothing but release', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    for (const end of [client, server]) {
      rig.abort(end)
      rig.write(end, Buffer.from('dropped'))
      end.socket.shutdown()
      rig.write(end, Buffer.from('dropped'))
    }
    for (const { reader } of [client, server]) {
      t.is(await reader.untilClose(), null)
      t.is(reader.receivedBytes, 0)
      t.false(reader.isEnded)
    }
  })

  suite.onBoth('shutdown() with unsent writes delivers them all before the end', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind)
    for (let i = 0; i < 6; i++) rig.write(client, contentSlice(i * 2_000_000, 2_000_000))
    client.socket.shutdown()
    server.socket.shutdown()
    await server.reader.untilClose()
    t.true(Buffer.from(contentSlice(0, BULK_BYTES)).equals(server.reader.received()))
  })

  const moments: Array<[string, (run: () => void) => void]> = [
    ['in the same call', (run) => run()],
    ['in a microtask', queueMicrotask],
    ['in the next tick', process.nextTick],
    ['in the next but one tick', (run) => process.nextTick(() => process.nextTick(run))],
    ['in the next turn', setImmediate],
    ['two turns later', (run) => setImmediate(() => setImmediate(run))]
  ]
  for (const [moment, later] of moments) {
    suite.onBoth(`abort() ${moment} after shutdown() closes`, async (t, rig, kind) => {
      for (const isClientResetting of [true, false]) {
        const { client, server, listener } = await rig.pair(kind)
        const [cutting, other] = isClientResetting ? [client, server] : [server, client]
        rig.write(cutting, contentSlice(0, 1000))
        await other.reader.untilBytes(1000)
        cutting.socket.shutdown()
        await new Promise<void>((resolve) => later(() => {
          rig.abort(cutting)
          resolve()
        }))
        t.is(await cutting.reader.untilClose(), null)
        rig.abort(other)
        await listener.close()
      }
    })
  }

  suite.onBoth(
    'abort() from inside commit(), end() and connect() is the last thing the reader hears of before close()',
    async (t, rig, kind) => {
      const self: { end?: End } = {}
      const cut = () => self.end!.socket.abort()
      const small = () => new Uint8Array(10)
      const listener = await rig.listen(rig.freeAddress(kind), (end) => {
        rig.write(end, contentSlice(0, 100_000))
        end.socket.shutdown()
      })
      for (const options of [
        { onConnect: cut },
        { onCommit: cut, memory: small },
        { onCommit: cut, memory: small, claimReserves: true },
        { onEnd: cut }
      ]) {
        self.end = rig.connect(listener.address, options)
        t.is(await self.end.reader.untilClose(), null)
        if (options.onCommit !== undefined) t.is(self.end.reader.commits.length, 1)
      }
    }
  )

  suite.onBoth('abort() of an accepted socket from inside commit() and onSocket closes it', async (t, rig, kind) => {
    const servers: End[] = []
    const listener = await rig.listen(
      rig.freeAddress(kind),
      (end) => {
        servers.push(end)
        if (servers.length === 1) end.socket.abort()
      },
      (index) =>
        index === 0 ? {} : { onCommit: () => servers[index]!.socket.abort(), memory: () => new Uint8Array(10) }
    )
    for (const index of [0, 1]) {
      const client = rig.connect(listener.address)
      rig.write(client, contentSlice(0, 100_000))
      await writeUntilClosed(rig, client)
      t.is(await servers[index]!.reader.untilClose(), null)
      t.is(servers[index]!.reader.commits.length, index)
    }
  })

  suite.onBoth('abort() of a paused reader drops what it did not take', async (t, rig, kind) => {
    const { client, server } = await rig.pair(kind, neverRoom, neverRoom)
    for (const end of [client, server]) rig.write(end, contentSlice(0, 3000))
    // Both have finished: only the undelivered bytes keep the accepted side.
    for (const end of [client, server]) end.socket.shutdown()
    while (client.reader.claims === 0 || server.reader.claims === 0) await rig.turns(1)
    await rig.turns(5)
    for (const end of [client, server]) rig.abort(end)
    t.is(await client.reader.untilClose(), null)
    t.is(await server.reader.untilClose(), null)
    t.is(client.reader.receivedBytes + server.reader.receivedBytes, 0)
    t.false(client.reader.isEnded || server.reader.isEnded)
  })

  const rounds = byEffort({ quick: 4, full: 20 })
  suite.onBoth(`${rounds * 50} connections come and go, and every descriptor is closed`, async (t, rig, kind) => {
    const listener = await rig.listen(rig.freeAddress(kind), (end) => {
      end.reader.untilEnd().then(() => end.socket.shutdown(), t.fail)
    })
    for (let round = 0; round < rounds; round++) {
      const clients = Array.from({ length: 50 }, () => rig.connect(listener.address))
      for (const [index, client] of clients.entries()) {
        await client.reader.untilConnect()
        if (index % 3 === 0) rig.abort(client)
        else client.socket.shutdown()
      }
      await Promise.all(clients.map((client) => client.reader.untilClose()))
    }
    await listener.close()
  })
}

/** A side that does not read learns of a cut-off from its writes. */
async function writeUntilClosed (rig: Rig, end: End): Promise<void> {
  while (!end.reader.isClosed) {
    rig.write(end, contentSlice(0, 100))
    await rig.turns(1)
  }
}
