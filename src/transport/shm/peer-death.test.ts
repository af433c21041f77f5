import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { ErrorCode } from '../../base/errors.js'
import { createEngine } from '../../engine/create-engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import { WordOffset } from '../../shm/layout.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { Link } from '../testing/link.js'
import { makeShmPair, type ShmPair, writeDescriptor } from '../testing/shm-pair.js'
import { turn } from '../testing/side.js'

const RING_ENTRIES = 64
/** Side b sleeps: it looks at nothing until a bell rings. */
async function untilAsleep ({ segment }: ShmPair): Promise<void> {
  const words = new Int32Array(segment.buffer)
  while (Atomics.load(words, WordOffset.HOST_WAIT >> 2) === 0) await setTimeout(1)
}

function pingHeader (number: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES)
  encodeHeader(header, 0, { type: FrameType.PING, channelId: 0, payloadBytes: 0, flags: 0, argument: number })
  return header
}

for (const engine of ENGINES_HERE) {
  for (const [how, unreadBells] of [['with its bells read (EOF)', 0], ['with bells unread (ECONNRESET)', 3]] as const) {
    test(`ShmTransport delivers what a peer had published before it died ${how} (${engine} engine)`, async (t) => {
      const pair: ShmPair = await makeShmPair(() => createEngine(engine), {
        memory: sharedArrayMemory(),
        sizes: { ringEntries: RING_ENTRIES }
      })
      const link = new Link(pair)
      t.teardown(async () => {
        link.end()
        await pair.free()
      })
      link.start(65_536)
      link.a.send(FrameType.PING, 0, 100)
      link.a.transport.flush()
      await link.untilDelivered(t)
      pair.sockets.a.stopReading()
      // The first ones an engine may have read already that then finds nobody to take them.
      for (let i = 0; i < (unreadBells > 0 ? 2 : 0); i++) {
        pair.sockets.b.inject(new Uint8Array(unreadBells).fill(1))
        while (pair.sockets.b.pendingBytes > 0) await turn()
        await turn()
      }
      await untilAsleep(pair)
      // Published, and dead before it could ring.
      for (let i = 0; i < RING_ENTRIES; i++) writeDescriptor(pair.segment, ShmSide.PLUGIN, pingHeader(i))
      link.kill('a')
      const error = await link.b.recorder.untilClose()
      t.is(error?.code, unreadBells > 0 ? ErrorCode.SOCKET_RESET : undefined)
      t.deepEqual(
        link.b.recorder.frames.map(({ argument }) => argument),
        [100, ...Array.from({ length: RING_ENTRIES }, (_, i) => i)]
      )
      await link.verify(t)
    })
  }

  test(`ShmTransport takes at most one ring full of a peer that has closed its side and goes on writing (${engine} ` +
    'engine)', async (t) => {
    const pair = await makeShmPair(() => createEngine(engine), {
      memory: sharedArrayMemory(),
      sizes: { ringEntries: RING_ENTRIES }
    })
    const link = new Link(pair)
    t.teardown(async () => {
      link.end()
      await pair.free()
    })
    link.start(65_536)
    let written = 0
    const fill = (): void => {
      for (let i = 0; i < RING_ENTRIES; i++) writeDescriptor(pair.segment, ShmSide.PLUGIN, pingHeader(written++))
    }
    // All that is taken makes room for as much.
    link.b.recorder.onEach = () => {
      if (link.b.recorder.frames.length === written && written < 50 * RING_ENTRIES) fill()
    }
    await untilAsleep(pair)
    fill()
    pair.sockets.a.shutdown()
    await link.b.recorder.untilClose()
    t.true(link.b.recorder.frames.length <= 3 * RING_ENTRIES, `${link.b.recorder.frames.length} frames`)
  })
}
