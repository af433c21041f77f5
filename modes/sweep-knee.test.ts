import test, { type ExecutionContext } from 'ava'
import type { Socket } from 'node:net'
import { createEngine } from '../src/engine/create-engine.js'
import type { EngineName } from '../src/engine/engine.js'
import { ENGINES_HERE } from '../src/engine/testing/engines.js'
import { runLoad } from '../src/load/run-load.js'
import { serve } from '../src/load/testing/load-rig.js'
import { response, type RawServer } from '../src/load/testing/raw-server.js'
import { optionsOf, sweepWith } from './testing/sweep.js'

const OK = response('ok')
const workerUrl = new URL('../workers/load-slice.js', import.meta.url)

/** Answers `ratePerSec` requests a second and not one more: a bucket that holds `burst` tokens, and a queue of whoever waits for one. */
async function tokenBucket (t: ExecutionContext, ratePerSec: number, burst: number): Promise<RawServer> {
  const waiting: Socket[] = []
  let [tokens, filledAt] = [burst, performance.now()]
  const pour = (): void => {
    const now = performance.now()
    tokens += (now - filledAt) / 1_000 * ratePerSec
    filledAt = now
    while (tokens >= 1 && waiting.length > 0) {
      tokens--
      waiting.shift()!.write(OK)
    }
    // A timer that comes late takes nothing from those who wait.
    if (waiting.length === 0) tokens = Math.min(burst, tokens)
  }
  const timer = setInterval(pour, 1)
  t.teardown(() => { clearInterval(timer) })
  return await serve(t, (socket) => {
    waiting.push(socket)
    pour()
  })
}

for (const name of ENGINES_HERE as readonly EngineName[]) {
  test.serial(`a sweep finds the capacity of a token bucket within 5 % (${name})`, async (t) => {
    const server = await tokenBucket(t, 500, 5)
    const engine = createEngine(name)
    // x % too many wait for x % of the window at its end: the bound is 3.5 % of it, and a stall of the machine that is shorter breaks nothing.
    const options = optionsOf({ arms: 'baseline', connections: '32', arrivals: 'constant', 'p99-bound': '24ms', precision: '0.05', duration: '700ms', warmup: '50ms', rounds: '1', rates: '200' })
    const { runner } = await sweepWith(options, async (_transport, job) => await runLoad(engine, { ...job, target: server.address }, { workerUrl }))
    const { knee, points } = runner.arms[0]!
    const probes = JSON.stringify(runner.arms[0]!.probes.map(({ ratePerSec, p99Ns, achieved, isMet }) => [ratePerSec, p99Ns, achieved, isMet]))
    if (knee?.kind !== 'found') return t.fail(probes)
    t.true(knee.ratePerSec >= 475 && knee.ratePerSec <= 525, `${knee.ratePerSec}: ${probes}`)
    // A request of the warm-up may be sent in the window.
    t.true(points[0]!.rounds[0]!.counts.ok + points[0]!.rounds[0]!.counts.unfinished >= points[0]!.rounds[0]!.offered!)
  })
}
