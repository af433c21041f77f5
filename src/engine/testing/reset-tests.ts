import net from 'node:net'
import type { ExecutionContext } from 'ava'
import { tcpAddress } from '../../base/address.js'
import { contentSlice } from '../../base/content.js'
import { ErrorCode } from '../../base/errors.js'
import type { End, Rig, Suite } from './rig.js'

/** More than the system buffers for one connection. */
const BULK_BYTES = 12_000_000

/** What was written or sent before a connection is cut off arrives, and then the cut. */
export function registerResetTests (suite: Suite): void {
  suite.onBoth('reset() lets what was written arrive first, however slowly it is read', async (t, rig, kind) => {
    for (const isClientResetting of [true, false]) {
      let room = 0
      const memory = (): Uint8Array | null => room > 0 ? new Uint8Array(Math.min(room, 65_536)) : null
      const options = { memory, onCommit: (bytes: Uint8Array) => { room -= bytes.length } }
      const { client, server, listener } = await rig.pair(
        kind,
        isClientResetting ? {} : options,
        isClientResetting ? options : {}
      )
      const [resetting, other] = isClientResetting ? [client, server] : [server, client]
      for (let i = 0; i < 6; i++) rig.write(resetting, contentSlice(i * 2_000_000, 2_000_000))
      rig.reset(resetting)
      for (let i = 0; i < 12; i++) {
        await rig.turns(3)
        room = 1_000_000
        rig.resume(other)
        await other.reader.untilBytes((i + 1) * 1_000_000)
      }
      room = 1
      rig.resume(other)
      t.is(await resetting.reader.untilClose(), null)
      await checkCut(t, rig, kind, other)
      t.true(Buffer.from(contentSlice(0, BULK_BYTES)).equals(other.reader.received()))
      await listener.close()
    }
  })

  suite.onBoth(
    'reset() throws away what comes in, so that a peer which writes before it reads goes on',
    async (t, rig, kind) => {
      let mayRead = false
      const { client, server } = await rig.pair(kind, {}, { memory: () => (mayRead ? new Uint8Array(65_536) : null) })
      rig.write(client, contentSlice(0, BULK_BYTES))
      const written = rig.writeAndWait(server, contentSlice(0, BULK_BYTES))
      rig.reset(client)
      const { receivedBytes } = client.reader
      await written
      mayRead = true
      rig.resume(server)
      await server.reader.untilBytes(BULK_BYTES)
      t.is(await client.reader.untilClose(), null)
      t.is(client.reader.receivedBytes, receivedBytes, 'the reader of the side that reset is told no more')
      await checkCut(t, rig, kind, server)
    }
  )

  suite.onBoth('reset() before the connection stands lets what was written arrive', async (t, rig, kind) => {
    const servers: End[] = []
    const listener = await rig.listen(rig.freeAddress(kind), (end) => { servers.push(end) })
    const client = rig.connect(listener.address)
    rig.write(client, contentSlice(0, 100_000))
    rig.reset(client)
    t.is(await client.reader.untilClose(), null)
    t.false(client.reader.hasConnected)
    while (servers.length === 0) await rig.turns(1)
    await servers[0]!.reader.untilBytes(100_000)
    await checkCut(t, rig, kind, servers[0]!)
  })

  suite.onBoth('reset() behind shutdown() lets the other side read the bytes and their end', async (t, rig, kind) => {
    for (const bytes of [10, 1_000_000]) {
      const { client, server, listener } = await rig.pair(kind)
      rig.write(client, contentSlice(0, bytes))
      client.socket.shutdown()
      rig.reset(client)
      t.is(await client.reader.untilClose(), null)
      await server.reader.untilEnd()
      t.true(server.reader.isEnded)
      t.is(server.reader.receivedBytes, bytes)
      while (!server.reader.isClosed) {
        rig.write(server, contentSlice(0, 100))
        await rig.turns(1)
      }
      t.is((await server.reader.untilClose())?.code, ErrorCode.SOCKET_RESET)
      await listener.close()
    }
  })

  suite.onBoth(
    'bytes in front of a cut reach a paused reader, also when its own writes fail first',
    async (t, rig, kind) => {
      for (const isWriting of [false, true]) {
        let mayRead = false
        const { client, server, listener } = await rig.pair(kind, {
          memory: () => (mayRead ? new Uint8Array(10_000) : null)
        })
        rig.write(server, contentSlice(0, 30_000))
        rig.reset(server)
        await server.reader.untilClose()
        for (let i = 0; i < 50; i++) {
          if (isWriting) rig.write(client, contentSlice(0, 1000))
          await rig.turns(1)
        }
        t.is(client.reader.receivedBytes, 0)
        mayRead = true
        rig.resume(client)
        await client.reader.untilBytes(30_000)
        await checkCut(t, rig, kind, client)
        t.true(Buffer.from(contentSlice(0, 30_000)).equals(client.reader.received()))
        await listener.close()
      }
    }
  )

  for (const [how, isHalfClosed] of [['reset', false], ['end', false], ['reset', true], ['end', true]] as const) {
    const to = isHalfClosed ? 'a socket that has half-closed' : 'a socket'
    suite.once(
      `a ${how} of a stranger behind 30,000 bytes is told ${to} as what it is, behind all of them`,
      async (t, rig) => {
        const sockets: net.Socket[] = []
        const stranger = net.createServer({ allowHalfOpen: true }, (socket) => {
          sockets.push(socket)
          socket.on('error', () => {})
          socket.resume()
          socket.write(contentSlice(0, 30_000))
        })
        t.teardown(() => {
          stranger.close()
        })
        await new Promise<void>((resolve) => {
          stranger.listen(0, '127.0.0.1', resolve)
        })
        let mayRead = false
        const { port } = stranger.address() as net.AddressInfo
        const client = rig.connect(tcpAddress('127.0.0.1', port), {
          memory: () => (mayRead ? new Uint8Array(1000) : null)
        })
        await client.reader.untilConnect()
        if (isHalfClosed) client.socket.shutdown()
        while (sockets[0]?.writableLength !== 0 || sockets[0].readableEnded !== isHalfClosed) await rig.turns(1)
        if (how === 'reset') sockets[0].resetAndDestroy()
        else sockets[0].end()
        await rig.turns(20)
        mayRead = true
        rig.resume(client)
        if (how === 'end') {
          await client.reader.untilEnd()
          client.socket.shutdown()
        }
        t.is((await client.reader.untilClose())?.code, how === 'end' ? undefined : ErrorCode.SOCKET_RESET)
        t.is(client.reader.isEnded, how === 'end')
        t.true(Buffer.from(contentSlice(0, 30_000)).equals(client.reader.received()))
      }
    )
  }
}

/** The other side has been cut off. A Unix socket reads an end there, and its next write fails. */
async function checkCut (t: ExecutionContext, rig: Rig, kind: string, other: End): Promise<void> {
  if (kind === 'unix') {
    await other.reader.until(() => other.reader.isEnded)
    while (!other.reader.isClosed) {
      rig.write(other, contentSlice(0, 100))
      await rig.turns(1)
    }
  }
  t.is((await other.reader.untilClose())?.code, ErrorCode.SOCKET_RESET)
  t.is(other.reader.isEnded, kind === 'unix')
}
