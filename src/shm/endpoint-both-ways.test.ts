import { testInterleavings } from './testing/interleavings.js'

// Apart from endpoint.test.ts for the time that it takes.
testInterleavings([
  ['both ways through full rings, below 2^32', { sends: [2, 2], inlineEvery: 1, start: -1 }],
  ['both ways with one slot, below 2^31', { sends: [2, 2], slots: 1, start: 0x7FFF_FFFF }],
  ['both ways with wakes of its own and a kept slot', { slots: 1, ownWakes: 1, keeps: 1 }]
], [
  ['both ways, 3 frames each', { sends: [3, 3], inlineEvery: 1, start: -2 }],
  ['a ring of 4, both ways', { ringEntries: 4, sends: [5, 1], inlineEvery: 1, start: 0x7FFF_FFFE }],
  ['both ways with slots, and wakes of its own', { sends: [2, 1], keeps: 1, slots: 1, ownWakes: 1 }]
])
