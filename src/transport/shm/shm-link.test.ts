import test from 'ava'
import { ShmEndpoint, ShmSide } from '../../shm/endpoint.js'
import { layOut } from '../../shm/segment-sizes.js'
import { emptyTransportCounters } from '../transport.js'
import { ShmLink } from './shm-link.js'

/** A link that sleeps, and its peer. */
function setUp (): { link: ShmLink, peer: ShmEndpoint } {
  const layout = layOut({ slotBytes: 1024, slots: 16, ringEntries: 64, inlineBytes: 512, constantBytes: 4096 })
  const segment = { buffer: new SharedArrayBuffer(layout.totalBytes), layout, free () {} }
  const link = new ShmLink({
    segment,
    side: ShmSide.HOST,
    counters: emptyTransportCounters(),
    poison: null,
    ring: () => true,
    isPaused: () => false,
    onNews () {},
    onWork () {},
    onBroken (error) { throw error }
  })
  const peer = new ShmEndpoint(new Int32Array(segment.buffer), layout, ShmSide.PLUGIN)
  if (!link.trySleep()) throw new Error('There is nothing to stay awake for')
  return { link, peer }
}

test('ShmLink.overdueBell() takes a bell for missed where the peer published and did not see that this ' +
  'side sleeps', (t) => {
  const { link, peer } = setUp()
  t.is(link.overdueBell(), null)
  peer.frames.tryNext()
  peer.frames.publish()
  t.is(link.overdueBell(), null, 'it may still look')
  t.is(link.overdueBell(), 'missed')
})

test('ShmLink.overdueBell() takes a bell for late where the peer has said that it rings', (t) => {
  const { link, peer } = setUp()
  peer.frames.tryNext()
  t.is(peer.publish(true), 'ring')
  t.is(link.overdueBell(), null)
  t.is(link.overdueBell(), 'late')
})

test('ShmLink.overdueBell() asks for no bell while this side is awake', (t) => {
  const { link, peer } = setUp()
  link.wake()
  peer.frames.tryNext()
  t.is(peer.publish(true), 'saved')
  t.deepEqual([link.overdueBell(), link.overdueBell()], [null, null])
})
