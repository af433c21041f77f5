import test, { type ExecutionContext } from 'ava'
import { createEngine } from '../../engine/create-engine.js'
import type { Engine } from '../../engine/engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { errorCount } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import type { OpenPace } from './arrival-plan.js'
import type { LoadJob, LoadResult } from '../job.js'
import { runLoad } from '../run-load.js'
import { checkIdentity, jobFor, runChecked, serve } from '../testing/load-rig.js'
import { refusedAddress, response } from '../testing/raw-server.js'
import { StallMeter } from '../testing/stall-meter.js'

const OK = response('ok')
const MS_NS = 1e6
/** Stalls of the machine up to this long change nothing that is asked of times below. */
const CALM_MS = 50
const workerUrl = new URL('../../../workers/load-slice.js', import.meta.url)

function openJob (target: LoadJob['target'], pace: Partial<OpenPace>, changes: Partial<LoadJob> = {}): LoadJob {
  const concurrency = changes.concurrency ?? 1
  return jobFor(target, {
    concurrency,
    ...changes,
    pace: { kind: 'open', ratePerSec: 100, arrivals: 'constant', seed: 1, maxConnections: concurrency, ...pace }
  })
}

/** How many of them took at least that long. */
function countFrom (encoded: string | null, atLeastMs: number): number {
  return [...Histogram.decode(encoded!).recorded()].reduce(
    (sum, { valueNs, count }) => (valueNs >= atLeastMs * MS_NS ? sum + count : sum),
    0
  )
}

const percentileMs = (encoded: string | null, percentile: number): number =>
  Histogram.decode(encoded!).percentileNs(percentile) / MS_NS

/**
 * A response took its lag and its service, once: a correction on top would show as a higher mean, or as samples that no
 * request made.
 */
function checkCorrectedOnce (t: ExecutionContext, { response, lag, latency, counts }: LoadResult): void {
  t.is(counts.ok, counts.sent)
  const [responses, lags, services] = [response, lag, latency].map((text) => Histogram.decode(text!))
  t.is(responses!.count, counts.ok)
  const expectedNs = lags!.meanNs + services!.meanNs
  t.true(Math.abs(responses!.meanNs - expectedNs) <= expectedNs * 2e-3, `${responses!.meanNs} of ${expectedNs}`)
}

const each = (title: string, body: (t: ExecutionContext, engine: Engine) => Promise<void>): void => {
  for (const name of ENGINES_HERE) test.serial(`OpenLoop ${title} (${name})`, (t) => body(t, createEngine(name)))
}

each(
  'sees a server that stalls for 1 s in what was to be sent meanwhile, and in no service time but one',
  async (t, engine) => {
    const server = await serve(t, (socket, index) => {
      if (index === 100) setTimeout(() => socket.write(OK), 1_000)
      else socket.write(OK)
    })
    const stalls = new StallMeter(t)
    const result = await runChecked(t, openJob(server.address, {}, { durationMs: 60_000, requests: 300 }), {}, engine)
    const isCalm = stalls.take() < CALM_MS
    t.is(result.offered, 300)
    t.is(result.counts.ok, 300)
    const late = countFrom(result.response, 300)
    t.true(late >= 68, `${late} late`)
    t.true(percentileMs(result.response, 99) > 900)
    t.true(countFrom(result.latency, 900) >= 1)
    // Other requests are late where the machine stalls, too.
    if (isCalm) t.deepEqual([late < 200, countFrom(result.latency, 300)], [true, 1], `${late} late`)
    checkCorrectedOnce(t, result)
  }
)

each('shows its own stall in lag and response time alike', async (t, engine) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const stalls = new StallMeter(t)
  let isCalm = true
  setTimeout(() => {
    isCalm &&= stalls.take() < CALM_MS
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
    stalls.take()
  }, 300)
  const result = await runChecked(
    t,
    openJob(server.address, { maxConnections: 4 }, { durationMs: 2_000, requests: 150 }),
    {},
    engine
  )
  t.is(result.counts.ok, 150)
  for (const late of [countFrom(result.lag, 50), countFrom(result.response, 50)]) t.true(late >= 50, `${late} late`)
  t.true(percentileMs(result.lag, 99) > 500)
  if (isCalm && stalls.take() < CALM_MS) {
    t.true(countFrom(result.latency, 300) <= 4, 'only what was on its way when it stalled')
  }
  checkCorrectedOnce(t, result)
})

each('sends what its plan has, and nothing else', async (t, engine) => {
  const server = await serve(t, (socket) => socket.write(OK))
  for (const arrivals of ['constant', 'poisson'] as const) {
    const before = server.requests
    const result = await runChecked(
      t,
      openJob(server.address, { ratePerSec: 2_000, arrivals, maxConnections: 8 }, { concurrency: 4 }),
      {},
      engine
    )
    t.is(errorCount(result.counts), 0)
    // What is on its way when the window closes may be cut off before the server has read it.
    const [arrived, { sent, unfinished }] = [server.requests - before, result.counts]
    t.true(arrived <= sent && arrived >= sent - unfinished, `${arrived} of ${sent}`)
    if (arrivals === 'constant') t.is(result.offered, 1_000)
    else t.true(Math.abs(result.offered! - 1_000) < 130)
  }
})

each('never sends before the time that was planned', async (t, engine) => {
  const arrivedMs: number[] = []
  const server = await serve(t, (socket) => {
    arrivedMs.push(performance.now())
    socket.write(OK)
  })
  const beforeMs = performance.now()
  const result = await runChecked(t, openJob(server.address, { ratePerSec: 50 }), {}, engine)
  t.is(result.offered, 25)
  // Request k is planned for k × 20 ms after the start.
  for (const [index, at] of arrivedMs.entries()) t.true(at - beforeMs >= index * 20, `request ${index}`)
})

each('opens connections when all are busy, up to its limit, and counts what was never sent', async (t, engine) => {
  const server = await serve(t, () => {})
  const result = await runChecked(t, openJob(server.address, { ratePerSec: 200, maxConnections: 3 }), {}, engine)
  t.is(server.connections, 3)
  t.is(result.offered, 100)
  t.is(result.unsent, 97)
  t.is(result.counts.sent, 3)
  t.is(result.counts.unfinished, 3)
})

each('uses the connection that has been idle longest, so that all are used alike', async (t, engine) => {
  const uses = new Map<number, number>()
  const server = await serve(t, (socket) => {
    uses.set(socket.remotePort!, (uses.get(socket.remotePort!) ?? 0) + 1)
    socket.write(OK)
  })
  await runChecked(
    t,
    openJob(server.address, { ratePerSec: 200, maxConnections: 8 }, { concurrency: 4, requests: 100 }),
    {},
    engine
  )
  t.true(uses.size >= 4)
  t.true(Math.max(...uses.values()) <= 35, [...uses.values()].join())
})

each('of a dead server has no success, and accounts for every request of the plan', async (t, engine) => {
  const result = await runChecked(t, openJob(await refusedAddress(), {}), {}, engine)
  t.is(result.counts.ok, 0)
  t.true(result.counts.refused > 0)
  t.is(result.counts.sent, result.counts.refused)
  t.is(result.offered, 50)
  t.is(result.unsent, 50 - result.counts.refused)
})

each('takes no 500 for a success', async (t, engine) => {
  const server = await serve(t, (socket) => socket.write(response('ok', '500 Internal Server Error')))
  const { counts, response: times, statuses } = await runChecked(t, openJob(server.address, {}), {}, engine)
  t.is(counts.ok, 0)
  t.is(Histogram.decode(times!).count, 0)
  t.true(counts.badStatus > 0)
  t.deepEqual(statuses, { 500: counts.badStatus })
})

each('goes on with new connections where the server ends each after one response', async (t, engine) => {
  const server = await serve(t, (socket, index) =>
    index % 2 === 0
      ? socket.end(response('ok', '200 OK', 'Connection: close\r\n'))
      : socket.end('HTTP/1.1 200 OK\r\n\r\nok')
  )
  const { counts } = await runChecked(
    t,
    openJob(server.address, { maxConnections: 4 }, { concurrency: 2, requests: 40, durationMs: 10_000 }),
    {},
    engine
  )
  t.is(counts.ok, 40)
  t.is(server.connections >= 40, true)
})

each('replaces a connection that times out, and what waited is sent', async (t, engine) => {
  const server = await serve(t, (socket, index) => { if (index !== 5) socket.write(OK) })
  const { counts } = await runChecked(
    t,
    openJob(server.address, {}, { requests: 40, durationMs: 10_000, requestTimeoutMs: 1_500 }),
    {},
    engine
  )
  t.is(counts.timeout, 1)
  t.is(counts.ok, 39)
})

each('counts a warm-up for nothing', async (t, engine) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const { counts, offered, allResponses } = await runChecked(
    t,
    openJob(server.address, {}, { warmupMs: 200, durationMs: 200, concurrency: 2 }),
    {},
    engine
  )
  t.is(offered, 20)
  t.true(counts.sent < allResponses)
})

test.serial('runLoad() shares one plan between threads', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  for (const engine of ENGINES_HERE.map((name) => createEngine(name))) {
    const before = server.requests
    const job = openJob(
      server.address,
      { ratePerSec: 400, maxConnections: 5 },
      { concurrency: 3, threads: 2, requests: 201, durationMs: 10_000 }
    )
    const result = await runLoad(engine, job, { workerUrl })
    checkIdentity(t, result, job)
    t.is(result.counts.ok, 201)
    t.is(result.offered, 201)
    t.is(server.requests - before, 201)
    t.is(engine.counters.socketsOpened, 0)
  }
})
