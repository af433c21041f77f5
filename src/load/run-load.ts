import type { Engine } from '../engine/engine.js'
import { runLoadSlice } from './generator.js'
import type { LoadJob, LoadResult } from './job.js'
import type { LoadProgress } from './record/progress.js'
import { runInPool } from './slice-pool.js'
import { mergeResults } from './record/tally.js'

export interface RunLoadOptions {
  /**
   * The module that runs a slice in a pool thread, compiled (see `runInPool()`). Used with more than one thread only.
   */
  readonly workerUrl: URL
  /** Ends the load early; the result holds what was measured until then. */
  readonly signal?: AbortSignal
  /** Told at the end of each second of the window. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/**
 * Runs one measurement: on this thread over `engine` where one thread is asked for, else in as many pool threads, each
 * with an engine of its own of the same kind. Threads beyond the number of connections or requests are not started.
 * Rejects with ERR_TUNNEL_USAGE where a request cannot be made as asked; never for what the target does.
 */
export async function runLoad (
  engine: Engine,
  job: LoadJob,
  { workerUrl, signal, onProgress }: RunLoadOptions
): Promise<LoadResult> {
  const slices = splitJob(job)
  if (slices.length === 1) return await runLoadSlice(engine, job, { signal, onProgress })
  return mergeResults(await runInPool(slices, { workerUrl, engine: engine.name, signal, onProgress }))
}

/**
 * One job for each thread, with its share of the connections, of the stalled readers, and of the requests: those that
 * are planned are dealt out in turn.
 */
export function splitJob (job: LoadJob): LoadJob[] {
  const threads = Math.min(job.threads, job.concurrency, job.requests ?? Infinity)
  const shareOf = (total: number, index: number): number =>
    Math.floor(total / threads) + (index < total % threads ? 1 : 0)
  return Array.from({ length: threads }, (_, index) => ({
    ...job,
    threads: 1,
    concurrency: shareOf(job.concurrency, index),
    stalledReaders: shareOf(job.stalledReaders, index),
    ...(job.requests === undefined ? {} : { requests: shareOf(job.requests, index) }),
    pace:
      job.pace.kind === 'closed' || threads === 1
        ? job.pace
        : {
            ...job.pace,
            maxConnections: shareOf(job.pace.maxConnections, index),
            share: { first: index, every: threads }
          }
  }))
}
