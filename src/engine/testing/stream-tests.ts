import type { ExecutionContext } from 'ava'
import { contentSlice } from '../../base/content.js'
import { Random } from './random.js'
import { type End, type Kind, type Rig, type Suite } from './rig.js'
import { randomMemory, type TestReaderOptions } from './test-reader.js'

const ECHO_BYTES = 3_000_000
const MAX_PENDING_BYTES = 400_000

export function registerStreamTests (suite: Suite): void {
  for (const seed of [1, 2, 3]) {
    for (const claimReserves of [false, true]) {
      suite.onBoth(
        'an echo is byte-exact both ways, with random claims and pauses, seed ' +
        `${seed}${claimReserves ? ', claims that reserve' : ''}`,
        (t, rig, kind) => echo(t, rig, kind, seed, claimReserves)
      )
    }
  }

  suite.onBoth(
    'shutdown() sends end-of-file after what was written, and the other way stays open',
    async (t, rig, kind) => {
      const { client, server } = await rig.pair(kind)
      rig.write(client, Buffer.from('last words'))
      client.socket.shutdown()
      await server.reader.untilEnd()
      t.is(Buffer.from(server.reader.received()).toString(), 'last words')
      // The side that has ended still receives.
      rig.write(server, contentSlice(0, 1_000_000))
      await client.reader.untilBytes(1_000_000)
      t.false(client.reader.isEnded || client.reader.isClosed)
      rig.write(server, contentSlice(1_000_000, 500_000))
      server.socket.shutdown()
      await client.reader.untilEnd()
      t.true(Buffer.from(contentSlice(0, 1_500_000)).equals(client.reader.received()))
      t.is(await client.reader.untilClose(), null)
      t.is(await server.reader.untilClose(), null)
    }
  )

  suite.onBoth(
    'shutdown() by the accepting side ends the connecting side, which goes on writing',
    async (t, rig, kind) => {
      const { client, server } = await rig.pair(kind)
      server.socket.shutdown()
      await client.reader.untilEnd()
      rig.write(client, contentSlice(7, 1_000_000))
      client.socket.shutdown()
      await server.reader.untilEnd()
      t.deepEqual(server.reader.received(), Buffer.from(contentSlice(7, 1_000_000)))
      t.is(await client.reader.untilClose(), null)
      t.is(await server.reader.untilClose(), null)
    }
  )

  for (const bytes of [1, 3000, 4096, 10_000, 700_000]) {
    suite.onBoth(
      `a reader without room gets all ${bytes} bytes, then the end, after resume()`,
      async (t, rig, kind) => {
        for (const isClientReading of [false, true]) {
          let hasRoom = false
          const asked = { isAsked: false }
          const memory = () => {
            asked.isAsked = true
            return hasRoom ? new Uint8Array(1000) : null
          }
          const pair = await rig.pair(
            kind,
            isClientReading ? { memory, claimReserves: true } : {},
            isClientReading ? {} : { memory }
          )
          const [writing, reading] = isClientReading ? [pair.server, pair.client] : [pair.client, pair.server]
          // The reading side has finished already: at the other end's half-close nothing but undelivered bytes keeps
          // it.
          reading.socket.shutdown()
          await writing.reader.untilEnd()
          const written = rig.writeAndWait(writing, contentSlice(0, bytes))
          writing.socket.shutdown()
          if (bytes <= 10_000) await written
          while (!asked.isAsked) await rig.turns(1)
          await rig.turns(5)
          t.is(reading.reader.receivedBytes, 0)
          t.false(reading.reader.isEnded)
          t.false(reading.reader.isClosed)
          rig.resume(reading)
          await rig.turns(2)
          t.is(reading.reader.receivedBytes, 0, 'still no room')
          hasRoom = true
          rig.resume(reading)
          await reading.reader.untilClose()
          t.true(reading.reader.isEnded)
          t.deepEqual(reading.reader.received(), Buffer.from(contentSlice(0, bytes)))
          await pair.listener.close()
        }
      }
    )
  }

  suite.onBoth('resume() without a pause changes nothing, from inside commit() too', async (t, rig, kind) => {
    const ends: End[] = []
    const resumeAll = () => { for (const end of ends) rig.resume(end) }
    const { client, server } = await rig.pair(
      kind,
      { onCommit: resumeAll, onEnd: resumeAll },
      { onCommit: resumeAll, onEnd: resumeAll }
    )
    ends.push(client, server)
    resumeAll()
    rig.write(client, contentSlice(0, 300_000))
    rig.write(server, contentSlice(0, 300_000))
    client.socket.shutdown()
    server.socket.shutdown()
    await Promise.all(ends.map((end) => end.reader.untilClose()))
    for (const { reader } of ends) t.deepEqual(reader.received(), Buffer.from(contentSlice(0, 300_000)))
  })
}

/** The client writes memory that is overwritten at its release; the server sends back the very memory it read into. */
async function echo (t: ExecutionContext, rig: Rig, kind: Kind, seed: number, claimReserves: boolean): Promise<void> {
  const random = new Random(seed)
  const ends: { client?: End, server?: End } = {}
  const pausing = (side: 'client' | 'server'): TestReaderOptions => ({
    claimReserves,
    memory: randomMemory(random, () => rig.engine.atTurnEnd(() => rig.resume(ends[side]!)))
  })
  const { client, server } = await rig.pair(kind, pausing('client'), {
    ...pausing('server'),
    onCommit: (bytes) => { rig.write(ends.server!, bytes) },
    onEnd: () => ends.server!.socket.shutdown()
  })
  Object.assign(ends, { client, server })
  let sentBytes = 0
  const fill = () => {
    while (sentBytes < ECHO_BYTES && client.socket.pendingBytes < MAX_PENDING_BYTES) {
      const bytes = Math.min(1 + random.below([100, 10_000, 200_000][random.below(3)]!), ECHO_BYTES - sentBytes)
      const view = contentSlice(sentBytes, bytes)
      sentBytes += bytes
      rig.write(client, view, fill)
      if (sentBytes === ECHO_BYTES) client.socket.shutdown()
    }
  }
  fill()
  t.is(await client.reader.untilClose(), null)
  t.is(await server.reader.untilClose(), null)
  t.true(client.reader.isEnded && server.reader.isEnded)
  const expected = Buffer.from(contentSlice(0, ECHO_BYTES))
  t.true(expected.equals(server.reader.received()), 'what the server read')
  t.true(expected.equals(client.reader.received()), 'what came back')
}
