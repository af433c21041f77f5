import { createEngine } from '../src/engine/create-engine.js'
import { transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelHost } from '../src/tunnel/tunnel-host.js'
import { serveRole } from './control.js'

serveRole<'host'>(async ({ listen, tunnel, transport, engine, spin }) => {
  const host = await TunnelHost.start({
    engine: createEngine(engine, { spin }),
    listen,
    tunnel,
    transport: transportKindOf(transport)
  })
  return {
    ready: { address: host.address },
    stats: () => host.stats(),
    close: async () => { await host.close({ drainMs: 500 }) }
  }
})
