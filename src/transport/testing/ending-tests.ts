import { ErrorCode, TunnelError } from '../../base/errors.js'
import { Random } from '../../engine/testing/random.js'
import { FrameType } from '../../frame/layout.js'
import { SIDES } from './harness.js'
import { other, type TransportSuite } from './link.js'
import { firstDifference, LinkClosed } from './recorder.js'
import { type Side, turn } from './side.js'

const MAX_PAYLOAD_BYTES = 65_536

export function registerEndingTests (suite: TransportSuite): void {
  for (const name of SIDES) {
    suite.add(`close() of side ${name} comes after all that was sent in both directions`, async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      const closing = link[name]
      const remaining = link[other(name)]
      await remaining.sendTraffic(new Random(41), 50, MAX_PAYLOAD_BYTES)
      await closing.sendTraffic(new Random(42), 200, MAX_PAYLOAD_BYTES)
      closing.send(FrameType.PING, 0, 1) // not flushed
      closing.transport.close()
      t.is(await closing.recorder.untilClose(), null)
      t.is(await remaining.recorder.untilClose(), null)
      t.is(firstDifference(closing.sent, remaining.recorder.frames), null)
      t.is(firstDifference(remaining.sent, closing.recorder.frames), null)
    })
  }

  suite.add('close() of both sides at one time ends well', async (t, link) => {
    link.start()
    for (const name of SIDES) {
      link[name].send(FrameType.PING, 0, 1)
      link[name].transport.close()
    }
    for (const name of SIDES) t.is(await link[name].recorder.untilClose(), null)
  })

  suite.add('close() before the peer reads still delivers', async (t, link) => {
    link.start()
    const { a, b } = link
    link.pair.stopReading('b')
    for (let i = 0; i < 50; i++) await a.sendData(1000)
    a.transport.close()
    for (let i = 0; i < 20; i++) await turn()
    link.pair.resumeReading('b')
    t.is(await b.recorder.untilClose(), null)
    t.is(firstDifference(a.sent, b.recorder.frames), null)
  })

  suite.add('start() after the peer has sent and closed gives its frames and the close', async (t, { a, b }) => {
    a.transport.start(a.recorder)
    a.send(FrameType.PING, 0, 1)
    a.transport.close()
    for (let i = 0; i < 20; i++) await turn()
    b.transport.start(b.recorder)
    t.is(await b.recorder.untilClose(), null)
    t.is(firstDifference(a.sent, b.recorder.frames), null)
  })

  suite.add('abort() before start() is told at the start, and the peer sees a close', async (t, { a, b }) => {
    b.transport.start(b.recorder)
    const error = new TunnelError(ErrorCode.CLOSED, 'Enough')
    a.transport.abort(error)
    await b.recorder.untilClose()
    a.transport.start(a.recorder)
    t.is(await a.recorder.untilClose(), error)
  })

  suite.add(
    'abort() amid traffic is told to both sides, and everything still held may be used up afterwards',
    async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      const { a, b } = link
      for (const side of [a, b]) side.recorder.keeps = (index) => index < 10
      const senders = [a, b].map((side, i) => untilClosed(side.sendTraffic(new Random(51 + i), 10_000, 8192)))
      await Promise.all([a, b].map((side) => side.recorder.untilFrames(30)))
      const held = [a, b].map((side) => ({
        side,
        claims: [side.tryClaim(5000), side.tryClaim(10), side.tryClaim(1), side.tryClaim(100)]
      }))
      const error = new TunnelError(ErrorCode.CLOSED, 'Enough')
      const framesBefore = a.recorder.frames.length
      a.transport.abort(error)
      t.is(await a.recorder.untilClose(), error)
      await b.recorder.untilClose()
      await Promise.all(senders)
      t.is(a.recorder.frames.length, framesBefore, 'no frame is delivered after abort()')
      for (const { side, claims } of held) useUp(side, claims)
      await turn()
    }
  )

  suite.add('abort() inside onFrame() ends delivery at once', async (t, { a, b }) => {
    a.transport.start(a.recorder)
    for (let i = 0; i < 10; i++) a.send(FrameType.PING, 0, i)
    a.transport.flush()
    b.recorder.onEach = () => { b.transport.abort(new TunnelError(ErrorCode.CLOSED, 'Enough')) }
    b.transport.start(b.recorder)
    t.is((await b.recorder.untilClose())?.message, 'Enough')
    await a.recorder.untilClose()
    t.is(b.recorder.frames.length, 1)
  })

  suite.add('nothing is counted or told of what is sent after close()', async (t, link) => {
    link.start()
    const { a, b } = link
    const claim = a.tryClaim(10)!
    a.fill(claim, 10)
    a.transport.close()
    a.transport.close()
    a.transport.send(FrameType.PING, 0, 1)
    a.transport.sendData(claim, 1, 0)
    a.transport.flush()
    t.false(a.transport.writable)
    t.is(a.tryClaim(1), null)
    t.is(await b.recorder.untilClose(), null)
    t.is(await a.recorder.untilClose(), null)
    t.is(b.recorder.frames.length, 0)
    t.is(a.transport.counters.framesSent, 0)
    t.is(a.transport.counters.payloadBytesSent, 0)
  })

  for (const name of SIDES) {
    suite.add(`the death of side ${name} closes an idle link`, async (t, link) => {
      link.start()
      link.a.send(FrameType.PING, 0, 1)
      link.a.transport.flush()
      await link.untilDelivered(t)
      link.kill(name)
      await link[other(name)].recorder.untilClose()
      t.pass()
    })

    suite.add(`the death of side ${name} amid traffic closes the link, and no frame was torn`, async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      const { a, b } = link
      const senders = [a, b].map((side, i) =>
        untilClosed(side.sendTraffic(new Random(61 + i), 10_000, MAX_PAYLOAD_BYTES))
      )
      await link[name].recorder.untilFrames(50)
      link.kill(name)
      const survivor = link[other(name)]
      await survivor.recorder.untilClose()
      link.end()
      await Promise.all(senders)
      for (const [from, to] of [[a, b], [b, a]] as const) {
        t.is(firstDifference(from.sent.slice(0, to.recorder.frames.length), to.recorder.frames), null)
      }
    })
  }
}

/** A sender ends when its link does. */
async function untilClosed (sending: Promise<void>): Promise<void> {
  try {
    await sending
  } catch (error) {
    if (!(error instanceof LinkClosed)) throw error
  }
}

/** All that may be done with a transport that is closed already. */
function useUp ({ transport, recorder }: Side, claims: Array<ReturnType<Side['tryClaim']>>): void {
  const [abandoned, committed, sent, late] = claims
  if (abandoned) transport.abandon(abandoned)
  if (committed) {
    transport.commit(committed, 1)
    transport.abandon(committed)
  }
  if (sent) {
    transport.commit(sent, 1)
    transport.sendData(sent, 1, 0)
  }
  if (late) transport.abandon(late)
  transport.send(FrameType.PING, 0, 1)
  transport.flush()
  for (const { release } of recorder.kept) release()
  transport.close()
  transport.abort(new TunnelError(ErrorCode.CLOSED, 'Late'))
}
