import { errorCount } from '../metrics/counts.js'
import type { RoundResult } from '../result/run-result.js'
import type { KneeProbe } from '../result/sweep-result.js'
import { ACHIEVED_MIN, responseTimesOf } from './statistics.js'

/** Fewer responses say nothing of a p99: one of them decides it. */
const SAMPLES_MIN = 100

/**
 * A rate meets the bound where p99 of the response times is at most `boundMs`, at least 99 % of the requests offered
 * are answered right, and none fails. Requests that were on their way when the window closed count as answered as far
 * as the bound allows for: `rate × bound` of them can be on their way without any being late.
 */
export function probeOf (
  result: Pick<RoundResult, 'counts' | 'latency' | 'response' | 'offered' | 'busy'>,
  ratePerSec: number,
  boundMs: number
): KneeProbe {
  const { counts, offered = null, busy = null } = result
  const times = responseTimesOf(result)
  const p99Ns = times.count < SAMPLES_MIN ? null : times.percentileNs(99)
  const onTheirWay = Math.min(counts.unfinished, Math.ceil((ratePerSec * boundMs) / 1_000))
  // Requests of the warm-up that were sent late, inside the window, can make it more than all.
  const achieved = offered === null || offered === 0 ? 0 : Math.min(1, (counts.ok + onTheirWay) / offered)
  const errors = errorCount(counts)
  return {
    ratePerSec,
    p99Ns,
    achieved,
    errors,
    busy,
    isMet: p99Ns !== null && p99Ns <= boundMs * 1e6 && achieved >= ACHIEVED_MIN && errors === 0
  }
}
