import { ErrorCode } from '../../base/errors.js'
import { FrameType, HELLO_MAX_BYTES } from '../../frame/layout.js'
import { GARBAGE, SIDES } from './harness.js'
import { other, type TransportSuite } from './link.js'

const ABOVE_HELLO_BYTES = 2048

export function registerHostilePeerTests (suite: TransportSuite): void {
  for (const name of SIDES) {
    for (const garbage of GARBAGE) {
      suite.add(`side ${name} closes the link at ${garbage}`, async (t, link) => {
        link.start()
        link[other(name)].send(FrameType.PING, 0, 1)
        link[other(name)].transport.flush()
        await link.untilDelivered(t)
        link.pair.sendGarbage(name, garbage)
        t.is((await link[name].recorder.untilClose())?.code, ErrorCode.PROTOCOL)
        await link[other(name)].recorder.untilClose()
        t.is(link[name].recorder.frames.length, 1)
      })
    }

    for (const maximum of [undefined, ABOVE_HELLO_BYTES] as const) {
      const bytes = maximum ?? HELLO_MAX_BYTES
      suite.add(
        `side ${name} takes payloads of ${bytes} bytes ${maximum === undefined ? 'before' : 'after'} ` +
        'setMaxPayloadBytes(), and none longer',
        async (t, link) => {
          link.start(maximum)
          const sender = link[other(name)]
          for (const length of [bytes, bytes + 1]) {
            const claim = sender.tryClaim(length)!
            t.is(claim.view.length, length)
            sender.sendClaim(claim, sender.fill(claim, length))
            sender.transport.flush()
            if (length === bytes) await link.untilDelivered(t)
          }
          t.is((await link[name].recorder.untilClose())?.code, ErrorCode.PROTOCOL)
          await sender.recorder.untilClose()
          t.is(link[name].recorder.frames.length, 1)
        }
      )
    }
  }
}
