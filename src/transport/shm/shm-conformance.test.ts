import { createEngine } from '../../engine/create-engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { runTransportSuite } from '../testing/conformance.js'
import { makeShmPair } from '../testing/shm-pair.js'
import { EFFORT } from '../../base/testing/effort.js'

const memories = process.platform === 'linux' ? [sharedArrayMemory(), memfdMemory()] : [sharedArrayMemory()]

for (const [i, engine] of ENGINES_HERE.entries()) {
  for (const [j, memory] of memories.entries()) {
    // In pairs: each engine and each memory with ample and with tiny slots, but not all three together.
    const isTinyOnly = EFFORT === 'quick' && (i + j) % 2 === 1
    if (!isTinyOnly) {
      runTransportSuite(`shm (${memory.kind}, ${engine} engine)`, {
        maxUnreadBytes: 2 * 1024 * 1024,
        maxUnreadFrames: 200_000,
        makePair: (options) => makeShmPair(() => createEngine(engine), { ...options, memory })
      })
    }

    // Far too small for what the suite sends: every payload is cut up, and the ring is often full.
    if (isTinyOnly || EFFORT !== 'quick') {
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
}
