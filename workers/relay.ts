import { createEngine } from '../src/engine/create-engine.js'
import { Relay } from '../src/relay/relay.js'
import { serveRole } from './control.js'

serveRole<'relay'>(async ({ listen, target, engine, spin }) => {
  const relay = await Relay.start({ engine: createEngine(engine, { spin }), listen, target })
  return {
    ready: { address: relay.address },
    close: async () => { await relay.close({ drainMs: 500 }) }
  }
})
