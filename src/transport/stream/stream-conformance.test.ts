import { createNodeEngine } from '../../engine/node/node-engine.js'
import { runTransportSuite } from '../testing/conformance.js'
import { makeStreamPair } from '../testing/stream-pair.js'

runTransportSuite('stream (node engine)', {
  maxUnreadBytes: 2 * 1024 * 1024,
  maxUnreadFrames: 200_000,
  makePair: (options) => makeStreamPair(createNodeEngine, options)
})
