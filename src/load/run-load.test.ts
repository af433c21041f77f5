import test from 'ava'
import { ErrorCode } from '../base/errors.js'
import { createTestEngine } from '../engine/testing/engines.js'
import { Histogram } from '../metrics/histogram.js'
import { runLoad, splitJob } from './run-load.js'
import { checkIdentity, jobFor, serve } from './testing/load-rig.js'
import { refusedAddress, response } from './testing/raw-server.js'

const OK = response('ok')
const workerUrl = new URL('../../workers/load-slice.js', import.meta.url)

test('splitJob() spreads connections and stalled readers evenly, and starts no thread without ' +
  'a connection', async (t) => {
  const address = await refusedAddress()
  const shares = splitJob(jobFor(address, { concurrency: 8, threads: 3, stalledReaders: 4 }))
  t.deepEqual(
    shares.map((share) => share.concurrency),
    [3, 3, 2]
  )
  t.deepEqual(
    shares.map((share) => share.stalledReaders),
    [2, 1, 1]
  )
  t.is(splitJob(jobFor(address, { concurrency: 2, threads: 9 })).length, 2)
  const job = jobFor(address, { threads: 1 })
  t.deepEqual(splitJob(job), [job])
})

test.serial('runLoad() runs one thread over the engine it is given', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const engine = createTestEngine()
  const job = jobFor(server.address)
  const result = await runLoad(engine, job, { workerUrl })
  checkIdentity(t, result, job)
  t.true(result.counts.ok > 0)
  t.is(engine.counters.socketsOpened, 4)
})

test.serial('runLoad() adds up what several threads found', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const engine = createTestEngine()
  const job = jobFor(server.address, { threads: 2, concurrency: 5 })
  const result = await runLoad(engine, job, { workerUrl })
  checkIdentity(t, result, job)
  const { counts } = result
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.is(server.connections, 5)
  t.is(Histogram.decode(result.connect).count, 5)
  t.is(result.windowMs, 500)
  t.true(result.allResponses <= server.requests)
  t.is(result.bodyBytes, counts.ok * 2)
  t.is(engine.counters.socketsOpened, 0)
})

test.serial('runLoad() begins on all threads only when every connection stands', async (t) => {
  let connectionsAtFirst = 0
  const server = await serve(t, (socket, index) => {
    if (index === 0) connectionsAtFirst = server.connections
    socket.write(OK)
  })
  await runLoad(createTestEngine(), jobFor(server.address, { threads: 3, concurrency: 6 }), { workerUrl })
  t.is(connectionsAtFirst, 6)
})

test.serial('runLoad() counts the refusals of all threads', async (t) => {
  const job = jobFor(await refusedAddress(), { threads: 2 })
  const result = await runLoad(createTestEngine(), job, { workerUrl })
  checkIdentity(t, result, job)
  t.true(result.counts.refused > 0)
  t.is(result.counts.sent, result.counts.refused)
  t.is(result.problems.length, 1)
})

test.serial('runLoad() ends several threads early on a signal', async (t) => {
  const stopping = new AbortController()
  const server = await serve(t, (socket, index) => {
    socket.write(OK)
    if (index === 500) stopping.abort()
  })
  const job = jobFor(server.address, { threads: 2, durationMs: 60_000 })
  const result = await runLoad(createTestEngine(), job, { workerUrl, signal: stopping.signal })
  checkIdentity(t, result, job)
  t.true(result.windowMs < job.durationMs)
  const early = await runLoad(createTestEngine(), job, { workerUrl, signal: AbortSignal.abort() })
  t.is(early.counts.sent, 0)
})

test.serial('runLoad() throws the error of a thread with its code', async (t) => {
  const job = jobFor(await refusedAddress(), { threads: 2, path: 'no slash' })
  await t.throwsAsync(runLoad(createTestEngine(), job, { workerUrl }), { code: ErrorCode.USAGE })
})

test.serial('runLoad() rejects where the module of a thread cannot be loaded', async (t) => {
  const job = jobFor(await refusedAddress(), { threads: 2 })
  await t.throwsAsync(
    runLoad(createTestEngine(), job, { workerUrl: new URL('./no-such-worker.js', import.meta.url) }),
    { code: ErrorCode.ROLE_FAILED }
  )
})
