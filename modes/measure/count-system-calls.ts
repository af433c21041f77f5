import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { CONNECT_TIMEOUT_MS } from '../../src/base/time-limit.js'
import type { CellResult, RunOptions, SystemCalls } from '../../src/result/run-result.js'
import { armsOf, LARGE_PATH, parseSize } from '../plan/arms.js'
import type { Topology } from '../roles/topology.js'

/**
 * So long is each cell loaded with strace attached. Counts need no warm-up, and few responses: they do not vary as
 * times do.
 */
export const COUNT_MS = 500

/**
 * Loads each cell once more, with its roles' system calls counted: after all rounds, so that their figures hold nothing
 * of it. Rejects where it cannot be done, with what has been counted until then in its cells.
 */
export async function countSystemCalls (
  roles: Pick<Topology, 'countSystemCalls'>,
  options: RunOptions,
  cells: ReadonlyArray<CellResult & { systemCalls?: Readonly<Record<string, SystemCalls>> }>,
  signal: AbortSignal
): Promise<void> {
  const arms = armsOf(options)
  for (const cell of cells.filter(({ rounds }) => rounds.length > 0)) {
    if (signal.aborted) return
    const arm = arms.find(({ label }) => label === cell.arm)!
    const size = parseSize(cell.size)
    const { responses, calls } = await roles.countSystemCalls(arm.path, {
      path: size.path,
      expect: size.expect,
      pace: { kind: 'closed' },
      concurrency: cell.concurrency,
      warmupMs: 0,
      durationMs: COUNT_MS,
      requestTimeoutMs: options.requestTimeoutMs,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      threads: Math.min(options.loadThreads, cell.concurrency),
      stalledReaders: arm.stalledReaders,
      stalledPath: LARGE_PATH
    })
    if (responses === 0) {
      throw new TunnelError(
        ErrorCode.UNAVAILABLE,
        `Cannot count system calls of ${cell.arm}: no response came within ${COUNT_MS} ms`
      )
    }
    cell.systemCalls = Object.fromEntries(
      Object.entries(calls).map(([role, named]) => [role, { responses, calls: named }])
    )
  }
}
