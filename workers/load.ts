import { createEngine } from '../src/engine/create-engine.js'
import { runExternalLoad } from '../src/load/external/external-load.js'
import { runLoad } from '../src/load/run-load.js'
import { serveRole } from './control.js'

serveRole<'load'>(async ({ engine: choice, generator }) => {
  let note: string | null = null
  // What is measured may have the processors; this thread is none of it.
  const engine = createEngine(choice, { spin: 0, onFallback: (why) => { note = why } })
  const stop = new AbortController()
  return {
    ready: { engine: engine.name, note },
    measure: async (job) => {
      const options = { workerUrl: new URL('load-slice.js', import.meta.url), signal: stop.signal }
      if (generator === 'own') return await runLoad(engine, job, options)
      if (job.warmupMs > 0) await runLoad(engine, { ...job, durationMs: job.warmupMs, warmupMs: 0 }, options)
      return await runExternalLoad(generator, job, stop.signal)
    },
    close: async () => { stop.abort() }
  }
})
