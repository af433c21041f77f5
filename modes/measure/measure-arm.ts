import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { CONNECT_TIMEOUT_MS } from '../../src/base/time-limit.js'
import type { LoadJob } from '../../src/load/job.js'
import { errorCount } from '../../src/metrics/counts.js'
import type { RoundResult } from '../../src/result/run-result.js'
import { type Arm, LARGE_PATH, type Size } from '../plan/arms.js'
import { CpuCgroup, throttlingSince } from '../system/cpu-cgroup.js'
import type { Roles } from '../roles/standing-roles.js'

/** All roles are in it, or in one below. */
const CGROUP = new CpuCgroup()

/** What a run and a sweep have in common of how they measure. */
export interface MeasureOptions {
  readonly durationMs: number
  readonly warmupMs: number
  readonly requestTimeoutMs: number
  readonly loadThreads: number
}

export interface Measurement {
  readonly arm: Arm
  readonly size: Size
  readonly concurrency: number
  readonly pace: LoadJob['pace']
  readonly round: number
  /** Place in the round's order, 0-based. */
  readonly position: number
}

/**
 * Measures an arm once. Rejects where a role fails, and with ERR_TUNNEL_ROLE_FAILED where requests failed and none
 * succeeded.
 */
export async function measureArm (
  roles: Roles,
  options: MeasureOptions,
  { arm, size, concurrency, pace, round, position }: Measurement
): Promise<RoundResult> {
  const startedAt = new Date().toISOString()
  const throttledBefore = CGROUP.throttling()
  const { result, cpu, tunnel } = await roles.measure(arm.path, {
    path: size.path,
    expect: size.expect,
    pace,
    concurrency,
    warmupMs: options.warmupMs,
    durationMs: options.durationMs,
    requestTimeoutMs: options.requestTimeoutMs,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    threads: Math.min(options.loadThreads, concurrency),
    stalledReaders: arm.stalledReaders,
    stalledPath: LARGE_PATH
  })
  const throttled = throttlingSince(CGROUP.throttling(), throttledBefore)
  if (result.counts.ok === 0 && errorCount(result.counts) > 0) {
    throw new TunnelError(
      ErrorCode.ROLE_FAILED,
      `no request of ${result.counts.sent} succeeded: ${result.problems.join('; ')}`
    )
  }
  const { cpu: loadCpu, statuses, retried, ...found } = result
  return { round, position, startedAt, ...found, cpu: { ...cpu, load: loadCpu }, tunnel, throttled }
}
