import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { machineMs } from '../base/clock.js'
import { ErrorCode, TunnelError, fromErrorData, type ErrorData } from '../base/errors.js'
import type { EngineName } from '../engine/engine.js'
import type { LoadJob, LoadResult } from './job.js'
import { progressOfThreads, type LoadProgress } from './record/progress.js'

/** From "all are connected" to the common start: enough for the message to reach every thread. */
const START_DELAY_MS = 20

/** What a pool thread is given. `port` carries `SliceMessage` up, `SliceCommand` down. */
export interface SliceTask {
  readonly job: LoadJob
  readonly engine: EngineName
  readonly port: MessagePort
  /** Tell at the end of each second how it goes. */
  readonly tellsProgress: boolean
}

export type SliceMessage =
  { readonly kind: 'connected' } | { readonly kind: 'progress'; readonly progress: LoadProgress }
export type SliceCommand = { readonly kind: 'start', readonly startAtMs: number } | { readonly kind: 'stop' }

/** What a pool thread returns: errors lose their codes between threads, so they travel as data. */
export type SliceReply =
  | { readonly kind: 'result', readonly result: LoadResult }
  | { readonly kind: 'error', readonly error: ErrorData }

export interface PoolOptions {
  readonly workerUrl: URL
  /** What each thread is to make for itself. */
  readonly engine: EngineName
  readonly signal: AbortSignal | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

async function runTask (pool: Piscina, task: SliceTask): Promise<SliceReply> {
  try {
    return await pool.run(task, { transferList: [task.port] })
  } catch (cause) {
    throw threadFailed(cause)
  }
}

/** `cause` may come from another thread, and then is no instance of Error. */
function threadFailed (cause: unknown): TunnelError {
  const reason = (cause as { message?: string } | null)?.message ?? String(cause)
  return new TunnelError(ErrorCode.ROLE_FAILED, `Cannot run a thread of the load generator: ${reason}`, { cause })
}

/**
 * Runs every job in a thread of its own, with the module at `workerUrl`, whose default export takes a `SliceTask` and
 * resolves to a `SliceReply`. All begin their warm-up at the same moment, when the last one has connected. The only
 * file that knows piscina. If one fails the others are stopped, and its error is thrown when all have ended:
 * ERR_TUNNEL_ROLE_FAILED where the thread died or its module cannot be loaded.
 */
export async function runInPool (
  jobs: readonly LoadJob[],
  { workerUrl, engine, signal, onProgress }: PoolOptions
): Promise<LoadResult[]> {
  const pool = new Piscina({
    filename: fileURLToPath(workerUrl),
    minThreads: jobs.length,
    maxThreads: jobs.length,
    concurrentTasksPerWorker: 1,
    // The default makes an idle thread wait in Atomics.wait(), where no socket and no timer lives.
    atomics: 'disabled'
  })
  // A thread that fails before it has a task leaves the tasks waiting for ever: this is then the only sign.
  const broken = new Promise<never>((_resolve, reject) => pool.on('error', (cause) => reject(threadFailed(cause))))
  const ports: MessagePort[] = []
  const tell = (command: SliceCommand): void => {
    for (const port of ports) port.postMessage(command)
  }
  const stop = (): void => tell({ kind: 'stop' })
  signal?.addEventListener('abort', stop)
  let waiting = jobs.length
  const tellProgress = onProgress === undefined ? undefined : progressOfThreads(jobs.length, onProgress)
  try {
    const slices = jobs.map(async (job) => {
      const { port1, port2 } = new MessageChannel()
      ports.push(port1)
      port1.on('message', (message: SliceMessage) => {
        if (message.kind === 'progress') tellProgress?.(message.progress)
        else if (--waiting === 0) tell({ kind: 'start', startAtMs: machineMs() + START_DELAY_MS })
      })
      const reply = await runTask(pool, { job, engine, port: port2, tellsProgress: onProgress !== undefined })
      if (reply.kind === 'error') throw fromErrorData(reply.error)
      return reply.result
    })
    if (signal?.aborted === true) stop()
    try {
      return await Promise.race([Promise.all(slices), broken])
    } catch (error) {
      stop()
      await Promise.race([Promise.allSettled(slices), broken.catch(() => {})])
      throw error
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    for (const port of ports) port.close()
    await pool.destroy()
  }
}
