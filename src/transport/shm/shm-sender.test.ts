import test from 'ava'
import { FrameType } from '../../frame/layout.js'
import { ShmEndpoint, ShmSide } from '../../shm/endpoint.js'
import { WaitFor } from '../../shm/layout.js'
import { layOut } from '../../shm/segment-sizes.js'
import { emptyTransportCounters } from '../transport.js'
import { ShmSender } from './shm-sender.js'

const NO_PAYLOAD = new Uint8Array(0)

function makeSender (ringEntries: number): {
  sender: ShmSender
  own: ShmEndpoint
  peer: ShmEndpoint
  starving: Promise<void>
} {
  const layout = layOut({ slotBytes: 1024, slots: 16, ringEntries, inlineBytes: 512, constantBytes: 4096 })
  const segment = { buffer: new SharedArrayBuffer(layout.totalBytes), layout, free () {} }
  const words = new Int32Array(segment.buffer)
  const own = new ShmEndpoint(words, layout, ShmSide.HOST)
  let onStarving!: () => void
  const starving = new Promise<void>((resolve) => {
    onStarving = resolve
  })
  return {
    starving,
    own,
    peer: new ShmEndpoint(words, layout, ShmSide.PLUGIN),
    sender: new ShmSender({
      endpoint: own,
      segment,
      side: ShmSide.HOST,
      words,
      counters: emptyTransportCounters(),
      poison: null,
      onStarving,
      onBroken (error) { throw error }
    })
  }
}

function takeAll ({ peerFrames }: ShmEndpoint): number {
  let count = 0
  while (peerFrames.refresh()) while (peerFrames.tryNext() >= 0) count++
  peerFrames.publish()
  return count
}

test('ShmSender.takeWaiting() moves what waits although going to sleep was the first to see that the ' +
  'peer has read', (t) => {
  const { sender, own, peer } = makeSender(64)
  for (let i = 0; i < 70; i++) sender.send(FrameType.PING, 0, i, 0, NO_PAYLOAD)
  own.publish(true)
  t.false(sender.takeWaiting())
  t.true(sender.wantsRoom)
  t.is(takeAll(peer), 64)
  t.false(own.trySleep(WaitFor.FRAMES | WaitFor.ROOM))
  // Nobody rings: this side is awake, and the peer has nothing left that could make it publish.
  t.true(sender.takeWaiting())
  t.true(sender.drained)
  own.publish(true)
  t.is(takeAll(peer), 6)
})

test('ClaimMemory.tryClaim() gives the 129th channel an inline claim when 128 stalled ones have left no slot, and ' +
  'none comes back', async (t) => {
  const { sender, starving } = makeSender(64)
  for (let channelId = 1; channelId <= 128; channelId++) {
    for (
      let claim = sender.memory.tryClaim(1024, channelId);
      claim !== null && claim.slot >= 0;
      claim = sender.memory.tryClaim(1024, channelId)
    ) {
      claim.committedBytes = 1024
      sender.sendData(claim, channelId, 0)
    }
  }
  t.is(sender.memory.pool.available, 0)
  t.is(sender.memory.tryClaim(1024, 129), null)
  t.false(sender.tryRecover())
  await starving
  t.true(sender.tryRecover())
  t.false(sender.tryRecover(), 'once')
  const claim = sender.memory.tryClaim(1024, 129)
  t.is(claim?.slot, -1)
  t.is(claim?.view.length, 512)
})

test('ConstantMemory holds what fits, each beginning a unit of its own', (t) => {
  const { sender: { memory: { constants } } } = makeSender(64)
  t.is(constants.publish(new Uint8Array(3000))?.bytes, 3000)
  t.is(constants.publish(new Uint8Array(1025)), null)
  t.is(constants.publish(new Uint8Array(1024))?.bytes, 1024)
  t.is(constants.publish(new Uint8Array(1)), null)
})
