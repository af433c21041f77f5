import { setTimeout as delay } from 'node:timers/promises'
import { machineMs, nowNs } from '../base/clock.js'
import { SMALL_BODY, contentBytes } from '../base/content.js'
import type { Engine } from '../engine/engine.js'
import { cpuSince, readCpuUsage } from '../metrics/cpu.js'
import { AnyBodyCheck, ExactBodyCheck, HashBodyCheck } from './http/body-check.js'
import type { ConnectionSettings } from './http/connection.js'
import type { LoadJob, LoadResult } from './job.js'
import type { LoadProgress } from './record/progress.js'
import { asksForClose, isIdempotent, requestBytes } from './http/request.js'
import { Slice } from './slice.js'

/**
 * Size of the memory that all connections of a slice read into, one read at a time. As large as a /large response, so
 * that what has arrived of one takes a single read: about a tenth less CPU per response than 64 KiB, and it still lies
 * in the L2 cache.
 */
const SCRATCH_BYTES = 262_144

export interface SliceOptions {
  /**
   * Called once, when every connection is established or has failed. Resolves to the `machineMs()` at which the warm-up
   * is to begin; a time that has passed begins it at once. Default: at once. If it rejects, so does the slice.
   */
  readonly agreeOnStart?: () => Promise<number>
  /**
   * Ends the slice early, wherever it is. The result then holds what was measured until then, with a shorter
   * `windowMs`.
   */
  readonly signal?: AbortSignal | undefined
  /** Told at the end of each second of the window. Costs the thread about a millisecond each time. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/**
 * Runs the load of one thread over `engine`: opens `job.concurrency` connections and the stalled readers, then loads
 * the target for `warmupMs + durationMs`, or until `job.requests` are settled, and counts over the window (see `Tally`
 * for the rule). `job.threads` is not looked at. Resolves when every socket it opened is closed. Never rejects for what
 * the target does: that is counted. Rejects with ERR_TUNNEL_USAGE where a request cannot be made as asked.
 */
export async function runLoadSlice (engine: Engine, job: LoadJob, options: SliceOptions = {}): Promise<LoadResult> {
  const { agreeOnStart = async () => machineMs(), signal, onProgress } = options
  const stalledRequest = requestBytes({ target: job.target, path: job.stalledPath })
  const interruption = new AbortController()
  const slice = new Slice(job, settingsOf(engine, job), { onFinished: () => interruption.abort(), onProgress })

  const cpuBefore = readCpuUsage()
  const interrupt = (): void => interruption.abort()
  const interrupted = new Promise<void>((resolve) => interruption.signal.addEventListener('abort', () => resolve()))
  signal?.addEventListener('abort', interrupt)
  if (signal?.aborted === true) interrupt()
  try {
    await Promise.race([interrupted, slice.open(stalledRequest)])
    const startAtMs = await Promise.race([interrupted, agreeOnStart()])
    if (startAtMs !== undefined) {
      const startNs = nowNs() + Math.round(Math.max(0, startAtMs - machineMs()) * 1e6)
      await sleepUntil(startNs, interruption.signal)
      if (!interruption.signal.aborted) slice.start(startNs)
      await sleepUntil(slice.tally.endNs, interruption.signal)
    }
  } finally {
    signal?.removeEventListener('abort', interrupt)
    await slice.stop()
  }
  return slice.result(cpuSince(readCpuUsage(), cpuBefore))
}

function settingsOf (engine: Engine, job: LoadJob): ConnectionSettings {
  const { target, connectTimeoutMs, expect } = job
  const request = requestBytes(job)
  const isStrict = expect.kind !== 'response'
  const common = {
    engine,
    target,
    connectTimeoutMs,
    request,
    isHead: job.method === 'HEAD',
    isLast: asksForClose(job.headers),
    isStrict,
    mayRetry: !isStrict && isIdempotent(job.method),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  }
  if (expect.kind === 'response') {
    const { status, sha256 } = expect
    return {
      ...common,
      status,
      createBodyCheck: () => (sha256 === null ? new AnyBodyCheck() : new HashBodyCheck(sha256))
    }
  }
  const body = Buffer.from(expect.kind === 'small' ? SMALL_BODY : contentBytes(expect.bytes))
  return { ...common, status: 200, createBodyCheck: () => new ExactBodyCheck(body) }
}

/** Never returns early: timers may fire up to 1 ms before their time. */
async function sleepUntil (wakeNs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const waitMs = (wakeNs - nowNs()) / 1e6
    if (waitMs <= 0 || signal.aborted) return
    await delay(waitMs, undefined, { signal }).catch(() => {})
  }
}
