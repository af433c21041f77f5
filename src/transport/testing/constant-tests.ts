import { Random } from '../../engine/testing/random.js'
import { contentSlice } from '../../base/content.js'
import { FrameType } from '../../frame/layout.js'
import type { Constant } from '../transport.js'
import type { TransportSuite } from './link.js'
import { type Side, turn } from './side.js'

const MAX_PAYLOAD_BYTES = 4096

export function registerConstantTests (suite: TransportSuite): void {
  suite.add('a constant is sent whole and in parts, as often as needed, among other frames', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a } = link
    const random = new Random(31)
    const bytes = contentSlice(7, 20_000)
    // A Buffer's own slice() would share its memory.
    const given = Buffer.from(bytes)
    const constant = a.transport.constants.publish(given)!
    t.is(constant.bytes, 20_000)
    // It is a copy.
    given.fill(0)
    const longest = Math.min(bytes.length, Math.max(MAX_PAYLOAD_BYTES, a.transport.constants.maxClaimBytes))
    for (let i = 0; i < 300; i++) {
      const length = i === 0 ? longest : 1 + random.below(longest)
      const offset = random.below(bytes.length - length + 1)
      await a.untilWritable()
      sendConstant(a, constant, bytes, offset, length)
      if (random.below(3) === 0) await a.sendAny(random, MAX_PAYLOAD_BYTES)
      if (random.below(4) === 0) a.transport.flush()
    }
    a.transport.flush()
    await link.untilDelivered(t)
    const { payloadBytesSent, zeroCopyBytesSent, copiedBytesSent } = a.transport.counters
    t.is(zeroCopyBytesSent + copiedBytesSent, payloadBytesSent)
  })

  suite.add(
    'a constant is not rewritten while a claim of it is unsent, nor where that would change what was sent',
    async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      const { a, b } = link
      const versions = [contentSlice(0, 3000), contentSlice(3000, 3000), contentSlice(6000, 3000)] as const
      const { constants } = a.transport
      const constant = constants.publish(versions[0])!
      b.recorder.keeps = () => true

      const claim = constants.claim(constant, 0, 3000)
      const other = constants.claim(constant, 100, 200)
      t.false(constants.tryRewrite(constant, versions[1]))
      a.transport.abandon(other)
      t.false(constants.tryRewrite(constant, versions[1]))
      await a.untilWritable()
      a.sendClaim(claim, versions[0])
      a.transport.flush()
      await b.recorder.untilFrames(1)
      let rewritten = constants.tryRewrite(constant, versions[1])
      for (let i = 0; i < 5; i++) await turn()
      t.is(Buffer.compare(b.recorder.kept[0]!.view, versions[0]), 0)

      for (const { release } of b.recorder.kept) release()
      for (let turns = 0; !rewritten && turns < 1000; turns++) {
        await turn()
        rewritten = constants.tryRewrite(constant, versions[1])
      }
      t.true(rewritten)
      t.true(constants.tryRewrite(constant, versions[2]))
      await a.untilWritable()
      sendConstant(a, constant, versions[2], 0, 3000)
      a.transport.flush()
      await link.untilDelivered(t)
      b.recorder.kept.at(-1)!.release()
    }
  )

  suite.add('claims of a constant may end after the link has', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a } = link
    const { constants } = a.transport
    const constant = constants.publish(contentSlice(0, 1000))!
    const claims = [constants.claim(constant, 0, 1000), constants.claim(constant, 0, 10)]
    link.end()
    a.transport.sendData(claims[0]!, 1, 0)
    a.transport.abandon(claims[1]!)
    a.transport.abandon(constants.claim(constant, 500, 500))
    t.pass()
  })

  suite.add('nothing is no constant', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    t.is(link.a.transport.constants.publish(new Uint8Array(0)), null)
  })
}

function sendConstant (side: Side, constant: Constant, bytes: Uint8Array, offset: number, length: number): void {
  const claim = side.transport.constants.claim(constant, offset, length)
  side.transport.sendData(claim, 3, 0)
  side.sent.push({
    type: FrameType.DATA,
    channelId: 3,
    argument: 0,
    flags: 0,
    payload: bytes.slice(offset, offset + length)
  })
}
