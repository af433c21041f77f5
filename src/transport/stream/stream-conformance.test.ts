import { createEngine } from '../../engine/create-engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { runTransportSuite } from '../testing/conformance.js'
import { makeStreamPair } from '../testing/stream-pair.js'

for (const engine of ENGINES_HERE) {
  runTransportSuite(`stream (${engine} engine)`, {
    maxUnreadBytes: 2 * 1024 * 1024,
    maxUnreadFrames: 200_000,
    makePair: (options) => makeStreamPair(() => createEngine(engine), options)
  })
}
