import { Random } from '../../engine/testing/random.js'
import { FrameType } from '../../frame/layout.js'
import type { TransportSuite } from './link.js'
import type { Side } from './side.js'

const MAX_PAYLOAD_BYTES = 65_536

export function registerOrderTests (suite: TransportSuite): void {
  for (const seed of [1, 2, 3]) {
    suite.add(`frames of every type and size arrive in order in both directions (seed ${seed})`, async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      await Promise.all([
        link.a.sendTraffic(new Random(seed), 400, MAX_PAYLOAD_BYTES),
        link.b.sendTraffic(new Random(seed + 100), 400, MAX_PAYLOAD_BYTES)
      ])
      await link.untilDelivered(t)
      for (const [from, to] of [[link.a, link.b], [link.b, link.a]] as const) checkCounters(from, to)

      function checkCounters (from: Side, to: Side): void {
        const payloadBytes = from.sent.reduce(
          (sum, { type, payload }) => (type === FrameType.DATA ? sum + payload.length : sum),
          0
        )
        const sent = from.transport.counters
        const received = to.transport.counters
        t.is(sent.framesSent, from.sent.length)
        t.is(received.framesReceived, from.sent.length)
        t.is(sent.payloadBytesSent, payloadBytes)
        t.is(sent.zeroCopyBytesSent + sent.copiedBytesSent, payloadBytes)
        t.is(received.payloadBytesReceived, payloadBytes)
        t.is(received.zeroCopyBytesReceived + received.copiedBytesReceived, payloadBytes)
      }
    })
  }

  for (const [pieces, limit, frames] of [
    ['single bytes', 1, 60],
    ['up to 40 bytes', 40, 150],
    ['up to 5,000 bytes', 5000, 300]
  ] as const) {
    const random = new Random(limit)
    suite.add(
      `frames cut into pieces of ${pieces} arrive whole`,
      async (t, link) => {
        const maxPayloadBytes = Math.min(limit * 16 + 1000, MAX_PAYLOAD_BYTES)
        link.start(MAX_PAYLOAD_BYTES)
        await Promise.all([
          link.a.sendTraffic(new Random(7), frames, maxPayloadBytes),
          link.b.sendTraffic(new Random(8), frames, maxPayloadBytes)
        ])
        await link.untilDelivered(t)
      },
      () => 1 + random.below(limit)
    )
  }

  suite.add('flush() lets all frames since the last one leave, and none leaves before', async (t, link) => {
    const { a, b } = link
    link.start()
    for (let i = 0; i < 10; i++) {
      a.send(FrameType.PING, 0, i)
      await a.sendData(100, 1)
    }
    // The link is known to work while these frames wait: the peer's frames arrive.
    for (let i = 1; i <= 10; i++) {
      b.send(FrameType.PING, 0, i)
      b.transport.flush()
      await a.recorder.untilFrames(i)
    }
    t.is(b.recorder.frames.length, 0)
    a.transport.flush()
    await b.recorder.untilFrames(20)
    t.is(a.transport.counters.flushes, 1)
    a.transport.flush()
    t.is(a.transport.counters.flushes, 1, 'a flush of nothing is not counted')
  })

  suite.add('start() is followed by the frames that arrived before it', async (t, link) => {
    const { a, b } = link
    a.transport.start(a.recorder)
    a.send(FrameType.PING, 0, 1)
    await a.sendData(900)
    a.transport.flush()
    // A turn of the medium in the other direction is what shows that time has passed.
    b.send(FrameType.PING, 0, 2)
    b.transport.flush()
    await a.recorder.untilFrames(1)
    b.transport.start(b.recorder)
    await link.untilDelivered(t)
  })
}
