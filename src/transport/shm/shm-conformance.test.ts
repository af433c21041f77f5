import { createEngine } from '../../engine/create-engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { runTransportSuite } from '../testing/conformance.js'
import { makeShmPair } from '../testing/shm-pair.js'

const memories = process.platform === 'linux' ? [sharedArrayMemory(), memfdMemory()] : [sharedArrayMemory()]

for (const engine of ENGINES_HERE) {
  for (const memory of memories) {
    runTransportSuite(`shm (${memory.kind}, ${engine} engine)`, {
      maxUnreadBytes: 2 * 1024 * 1024,
      maxUnreadFrames: 200_000,
      makePair: (options) => makeShmPair(() => createEngine(engine), { ...options, memory })
    })

    // Far too small for what the suite sends: every payload is cut up, and the ring is often full.
    runTransportSuite(`shm (${memory.kind}, tiny slots, ${engine} engine)`, {
      maxUnreadBytes: 2 * 1024 * 1024,
      maxUnreadFrames: 200_000,
      makePair: (options) =>
        makeShmPair(() => createEngine(engine), {
          ...options,
          memory,
          sizes: { slotBytes: 4096, slots: 1024, ringEntries: 128, inlineBytes: 512 }
        })
    })
  }
}
