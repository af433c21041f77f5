import type { ExecutionContext } from 'ava'
import type { Engine } from '../../engine/engine.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { errorCount } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import { runLoadSlice, type SliceOptions } from '../generator.js'
import type { LoadJob, LoadResult } from '../job.js'
import { startRawServer, type Answer, type RawServer } from './raw-server.js'

/** A short job against `target`, all of it window; every field can be replaced. */
export function jobFor (target: LoadJob['target'], changes: Partial<LoadJob> = {}): LoadJob {
  return {
    target,
    path: '/small',
    expect: { kind: 'small' },
    pace: { kind: 'closed' },
    concurrency: 4,
    warmupMs: 0,
    durationMs: 500,
    requestTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    threads: 1,
    stalledReaders: 0,
    stalledPath: '/large',
    ...changes
  }
}

/** What must hold of every result, whatever the server did. */
export function checkIdentity (t: ExecutionContext, result: LoadResult, job: LoadJob): void {
  const { counts, latency, windowMs, allResponses } = result
  t.is(counts.sent, counts.ok + errorCount(counts) + counts.unfinished, 'the outcomes are what was sent')
  t.is(Histogram.decode(latency).count, counts.ok, 'a latency for each success and for nothing else')
  const connections = job.pace.kind === 'open' ? job.pace.maxConnections : job.concurrency
  t.true(counts.unfinished <= connections, 'one request on its way per connection')
  t.true(allResponses >= counts.ok + counts.badStatus)
  t.true(windowMs <= job.durationMs + 1e-6)
  checkSeconds(t, result)
  if (job.pace.kind === 'open') checkOpenLoop(t, result, job)
}

/** The seconds are the window, and add up to the whole bit for bit. */
function checkSeconds (t: ExecutionContext, { counts, seconds, windowMs, latency, response }: LoadResult): void {
  const sum = new Histogram()
  for (const second of seconds) {
    const histogram = Histogram.decode(second.latency)
    t.is(histogram.count, second.ok)
    sum.merge(histogram)
  }
  t.is(sum.encode(), response ?? latency)
  t.is(seconds.reduce((total, { sent }) => total + sent, 0), counts.sent)
  t.true(Math.abs(seconds.reduce((total, { lengthMs }) => total + lengthMs, 0) - windowMs) < 1e-6)
  t.deepEqual(seconds.map(({ startMs }) => startMs), seconds.map((_, index) => index * 1_000))
}

function checkOpenLoop (
  t: ExecutionContext,
  { counts, response, lag, offered, unsent }: LoadResult,
  job: LoadJob
): void {
  t.is(Histogram.decode(response!).count, counts.ok)
  t.is(Histogram.decode(lag!).count, counts.sent - counts.refused)
  // A request of the warm-up may be sent in the window.
  if (job.warmupMs === 0) t.is(offered, counts.sent + unsent, 'what was planned was sent, or is counted as unsent')
}

/** Runs a slice over an engine of its own, and checks that it leaves no socket open. */
export async function runChecked (
  t: ExecutionContext,
  job: LoadJob,
  options: SliceOptions = {},
  engine: Engine = createTestEngine()
): Promise<LoadResult> {
  try {
    const result = await runLoadSlice(engine, job, options)
    checkIdentity(t, result, job)
    return result
  } finally {
    t.true(engine.counters.socketsOpened > 0)
    t.is(engine.counters.socketsClosed, engine.counters.socketsOpened, 'every socket is closed')
  }
}

export async function serve (t: ExecutionContext, answer: Answer): Promise<RawServer> {
  const server = await startRawServer(answer)
  t.teardown(() => server.close())
  return server
}

/**
 * Loads a server until it has been asked `requests` times: what a test finds then does not depend on how fast the
 * machine is.
 */
export async function loadUntil (
  t: ExecutionContext,
  requests: number,
  answer: Answer,
  changes: Partial<LoadJob> = {}
): Promise<LoadResult & { server: RawServer }> {
  const stopping = new AbortController()
  const server = await serve(t, (socket, index, path) => {
    answer(socket, index, path)
    if (index + 1 === requests) stopping.abort()
  })
  const job = jobFor(server.address, { durationMs: 60_000, ...changes })
  const result = await runChecked(t, job, { signal: stopping.signal })
  t.true(result.counts.sent >= requests - job.stalledReaders)
  return { ...result, server }
}
