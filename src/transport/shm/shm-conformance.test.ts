import { createNodeEngine } from '../../engine/node/node-engine.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { runTransportSuite } from '../testing/conformance.js'
import { makeShmPair } from '../testing/shm-pair.js'

const memories = process.platform === 'linux' ? [sharedArrayMemory(), memfdMemory()] : [sharedArrayMemory()]

for (const memory of memories) {
  runTransportSuite(`shm (${memory.kind}, node engine)`, {
    maxUnreadBytes: 2 * 1024 * 1024,
    maxUnreadFrames: 200_000,
    makePair: (options) => makeShmPair(createNodeEngine, { ...options, memory })
  })

  // Far too small for what the suite sends: every payload is cut up, and the ring is often full.
  runTransportSuite(`shm (${memory.kind}, tiny slots, node engine)`, {
    maxUnreadBytes: 2 * 1024 * 1024,
    maxUnreadFrames: 200_000,
    makePair: (options) => makeShmPair(createNodeEngine, { ...options, memory, sizes: { slotBytes: 4096, slots: 1024, ringEntries: 128, inlineBytes: 512 } })
  })
}
