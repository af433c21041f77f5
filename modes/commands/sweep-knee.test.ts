import test, { type ExecutionContext } from 'ava'
import type { Socket } from 'node:net'
import { createEngine } from '../../src/engine/create-engine.js'
import type { EngineName } from '../../src/engine/engine.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import type { LoadResult } from '../../src/load/job.js'
import { runLoad } from '../../src/load/run-load.js'
import { serve } from '../../src/load/testing/load-rig.js'
import { response, type RawServer } from '../../src/load/testing/raw-server.js'
import { StallMeter } from '../../src/load/testing/stall-meter.js'
import { errorCount } from '../../src/metrics/counts.js'
import { Histogram } from '../../src/metrics/histogram.js'
import { optionsOf, sweepWith } from '../testing/sweep.js'

const OK = response('ok')
const workerUrl = new URL('../../workers/load-slice.js', import.meta.url)

/** Answers `ratePerSec` requests a second and no more: a bucket of `burst` tokens, and a queue for want of them. */
async function tokenBucket (t: ExecutionContext, ratePerSec: number, burst: number): Promise<RawServer> {
  const waiting: Socket[] = []
  let [tokens, filledAt] = [burst, performance.now()]
  const pour = (): void => {
    const now = performance.now()
    tokens += (now - filledAt) / 1_000 * ratePerSec
    filledAt = now
    while (tokens >= 1 && waiting.length > 0) {
      const socket = waiting.shift()!
      // Those of an overload that is over take nothing from the next probe.
      if (socket.destroyed) continue
      tokens--
      socket.write(OK)
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

const CAPACITY = 500
/** x % too many wait for x % of the window at its end: the bound is 3.5 % of the window. */
const WINDOW_MS = 400
const BOUND_MS = 14
/** A machine that stalls for so long breaks the bound at any rate. */
const STALL_MS = BOUND_MS / 2

for (const name of ENGINES_HERE as readonly EngineName[]) {
  test.serial(`a sweep finds the capacity of a token bucket within 5 % (${name})`, async (t) => {
    const server = await tokenBucket(t, CAPACITY, 5)
    const stalls = new StallMeter(t)
    const engine = createEngine(name)
    const options = optionsOf({
      arms: 'baseline',
      connections: '32',
      arrivals: 'constant',
      'p99-bound': `${BOUND_MS}ms`,
      precision: '0.05',
      duration: `${WINDOW_MS}ms`,
      warmup: '50ms',
      rounds: '1',
      rates: '200'
    })
    const stallsMs: number[] = []
    const { runner } = await sweepWith(options, async (_transport, job) => {
      stalls.take()
      const result = await runLoad(engine, { ...job, target: server.address }, { workerUrl })
      if (job.pace.kind === 'open') stallsMs.push(Math.max(stalls.take(), lagMs(result)))
      return result
    })
    const { knee, points, probes } = runner.arms[0]!
    const seen = JSON.stringify(
      probes.map(({ ratePerSec, p99Ns, achieved, isMet }, i) => [ratePerSec, p99Ns, achieved, isMet, stallsMs[i]])
    )
    t.log(seen)
    t.deepEqual(probes.filter(({ ratePerSec, isMet }) => isMet && ratePerSec > CAPACITY * 1.05), [], seen)
    const early = probes.flatMap(({ ratePerSec, isMet }, i) =>
      !isMet && ratePerSec < CAPACITY * 0.99 ? [stallsMs[i]!] : []
    )
    t.deepEqual(
      early.filter((stallMs) => stallMs < STALL_MS),
      [],
      `broken below the capacity, and not by a stall: ${seen}`
    )
    // Where the machine never stalled, the knee is where it has to be.
    if (early.length === 0) {
      if (knee?.kind !== 'found') return t.fail(seen)
      t.true(knee.ratePerSec >= CAPACITY * 0.95 && knee.ratePerSec <= CAPACITY * 1.05, `${knee.ratePerSec}: ${seen}`)
    }
    // A request of the warm-up may be sent in the window.
    const { counts, offered, unsent } = points[0]!.rounds[0]!
    t.is(errorCount(counts), 0)
    t.true(counts.ok + counts.unfinished + unsent! >= offered!)
  })
}

function lagMs ({ lag }: LoadResult): number {
  return Histogram.decode(lag!).maxNs / 1e6
}
