import { ErrorCode } from '../../base/errors.js'
import { Random } from '../../engine/testing/random.js'
import { FrameType, Reason } from '../../frame/layout.js'
import { SIDES } from './harness.js'
import { other, type TransportSuite } from './link.js'
import { turn } from './side.js'

const FRAME_BYTES = 16_384
const CONTROL_FRAMES = 1100

/** Turns without progress after which nothing will move any more. */
const IDLE_TURNS = 100

export function registerPressureTests (suite: TransportSuite): void {
  const { maxUnreadBytes, maxUnreadFrames } = suite.harness

  for (const name of SIDES) {
    suite.add(
      `side ${name} is held back while its peer does not read, told when it may go on, and loses nothing`,
      async (t, link) => {
        link.start(FRAME_BYTES)
        const sender = link[name]
        for (let cycle = 0; cycle < 3; cycle++) {
          link.pair.stopReading(other(name))
          const before = sender.transport.counters.payloadBytesSent
          const sentBytes = () => sender.transport.counters.payloadBytesSent - before
          // Asked for before each attempt: the call that follows a refusal may come at any time after it.
          let writable = sender.recorder.untilWritableCall()
          for (let idleTurns = 0; idleTurns < IDLE_TURNS && sentBytes() <= maxUnreadBytes; idleTurns++) {
            writable = sender.recorder.untilWritableCall()
            while (sender.transport.writable && sentBytes() <= maxUnreadBytes) {
              const claim = sender.tryClaim(FRAME_BYTES)
              if (claim === null) break
              sender.sendClaim(claim, sender.fill(claim, claim.view.length))
              idleTurns = 0
            }
            sender.transport.flush()
            await turn()
          }
          t.true(sentBytes() <= maxUnreadBytes, `${sentBytes()} bytes left for a peer that does not read`)
          link.pair.resumeReading(other(name))
          await writable
          await link.untilDelivered(t)
        }
      }
    )
  }

  for (const name of SIDES) {
    suite.add(
      `a RESET of side ${name} comes behind the DATA before it, also where the link is full and control frames wait`,
      async (t, link) => {
        link.start(FRAME_BYTES)
        const sender = link[name]
        link.pair.stopReading(other(name))
        while (sender.transport.writable) {
          const claim = sender.tryClaim(FRAME_BYTES, 7)
          if (claim === null) break
          sender.sendClaim(claim, sender.fill(claim, claim.view.length), 7)
        }
        // More than any ring has entries.
        for (let i = 1; i <= CONTROL_FRAMES; i++) sender.send(FrameType.CREDIT, 9, i)
        sender.send(FrameType.RESET, 7, Reason.CONNECTION_RESET)
        sender.transport.flush()
        await turn()
        link.pair.resumeReading(other(name))
        await link.untilDelivered(t)
        t.true(sender.sent.some(({ type }) => type === FrameType.DATA))
      }
    )
  }

  suite.add('claims that wait for their turn, and hold all memory, do not stop the link', async (t, link) => {
    link.start(65_536)
    const { a, b } = link
    const waiting: Array<() => void> = []
    for (let claim = a.tryClaim(65_536); claim !== null; claim = a.tryClaim(65_536)) {
      const payload = a.fill(claim, claim.view.length)
      const filled = claim
      waiting.push(() => { a.sendClaim(filled, payload) })
    }
    // From here on only onWritable() moves the link, as it does for a session.
    const count = waiting.length
    const random = new Random(31)
    for (;;) {
      const { writableCalls } = a.recorder
      while (waiting.length > 0 && a.transport.writable) waiting.splice(random.below(waiting.length), 1)[0]!()
      a.transport.flush()
      if (waiting.length === 0) break
      await a.recorder.until(() => a.recorder.writableCalls > writableCalls, 'onWritable()')
    }
    await b.recorder.untilFrames(count)
    await link.untilDelivered(t)
  })

  suite.add('control frames for a peer that does not read are bounded: the link is closed', async (t, link) => {
    link.start()
    const { a, b } = link
    link.pair.stopReading('b')
    let frames = 0
    for (; frames <= maxUnreadFrames && !a.recorder.closed; frames++) {
      a.transport.send(FrameType.PING, 0, frames)
      if (frames % 500 !== 0) continue
      a.transport.flush()
      await turn()
    }
    t.true(frames <= maxUnreadFrames, `${frames} frames left for a peer that does not read`)
    t.is((await a.recorder.untilClose())?.code, ErrorCode.LIMIT)
    link.pair.resumeReading('b')
    await b.recorder.untilClose()
  })
}
