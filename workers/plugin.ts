import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { formatAddress } from '../src/base/address.js'
import { createEngine } from '../src/engine/create-engine.js'
import { labServer } from '../src/origin/embedded/lab-link.js'
import { transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'
import { serveRole } from './control.js'

serveRole<'plugin'>(async ({ tunnel, transport, engine, spin, origin, attachTimeoutMs }) => {
  const plugin = TunnelPlugin.start({
    engine: createEngine(engine, { spin }),
    tunnel,
    transport: transportKindOf(transport),
    ...(origin === 'embedded' ? { serve: labServer() } : { origin })
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new TunnelError(
          ErrorCode.ROLE_FAILED,
          `Cannot attach the plugin to ${formatAddress(tunnel)}: no host answered within ${attachTimeoutMs} ms`
        )
      )
    }, attachTimeoutMs)
  })
  try {
    await Promise.race([plugin.attached(), late])
  } catch (error) {
    await plugin.close({ drainMs: 0 })
    throw error
  } finally {
    clearTimeout(timer)
  }
  return {
    ready: {},
    stats: () => plugin.stats(),
    close: async () => { await plugin.close({ drainMs: 500 }) }
  }
})
