import { createEngine } from '../src/engine/create-engine.js'
import { runLoad } from '../src/load/run-load.js'
import { serveRole } from './control.js'

serveRole<'load'>(async ({ engine: choice }) => {
  let note: string | null = null
  // What is measured may have the processors; this thread is none of it.
  const engine = createEngine(choice, { spin: 0, onFallback: (why) => { note = why } })
  const stop = new AbortController()
  return {
    ready: { engine: engine.name, note },
    measure: async (job) => await runLoad(engine, job, { workerUrl: new URL('load-slice.js', import.meta.url), signal: stop.signal }),
    close: async () => { stop.abort() }
  }
})
