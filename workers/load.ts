import { createNodeEngine } from '../src/engine/node/node-engine.js'
import { runLoad } from '../src/load/run-load.js'
import { serveRole } from './control.js'

serveRole<'load'>(async () => {
  const engine = createNodeEngine()
  const stop = new AbortController()
  return {
    ready: { engine: engine.name },
    measure: async (job) => await runLoad(engine, job, { workerUrl: new URL('load-slice.js', import.meta.url), signal: stop.signal }),
    close: async () => { stop.abort() }
  }
})
