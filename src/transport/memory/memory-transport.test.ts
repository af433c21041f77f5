import { garbageBytes } from '../testing/garbage.js'
import { runTransportSuite } from '../testing/conformance.js'
import { other } from '../testing/link.js'
import { createMemoryTransportPair } from './memory-transport.js'

runTransportSuite('memory', {
  maxUnreadBytes: 256 * 1024,
  maxUnreadFrames: 100_000,
  async makePair (options) {
    const [a, b] = createMemoryTransportPair(options)
    const sides = { a, b }
    return {
      a,
      b,
      kill (side) {
        sides[side].die(null)
        sides[other(side)].die(null)
      },
      sendGarbage (to, garbage) {
        sides[other(to)].injectIntoPeer(garbageBytes(garbage))
      },
      stopReading (side) { sides[side].paused = true },
      resumeReading (side) { sides[side].resume() },
      async free () {}
    }
  }
})
