import { startOrigin } from '../src/origin/start-origin.js'
import { serveRole } from './control.js'

serveRole<'origin'>(async (options) => {
  const origin = await startOrigin(options)
  return {
    ready: {
      server: origin.server,
      address: origin.address,
      unixAddress: origin.unixAddress,
      note: origin.note ?? null
    },
    close: async () => {
      await origin.close()
    }
  }
})
