import { addCounts, emptyCounts, type RequestCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'

/** How a load is getting on: told at the end of each second of the window. Plain data. */
export interface LoadProgress {
  /** Seconds of the window that have passed. */
  readonly second: number
  /** Since the start of the window. What is on its way is in no count. */
  readonly counts: RequestCounts
  /** Histogram of the requests sent in the second that has just passed and answered in it, encoded. */
  readonly latency: string
}

/** Puts together what several threads tell: calls `onProgress` for a second when the last of them has told of it. */
export function progressOfThreads (
  threads: number,
  onProgress: (progress: LoadProgress) => void
): (progress: LoadProgress) => void {
  const pending = new Map<number, { told: number; counts: RequestCounts; latency: Histogram }>()
  return ({ second, counts, latency }) => {
    const sum = pending.get(second) ?? { told: 0, counts: emptyCounts(), latency: new Histogram() }
    pending.set(second, sum)
    addCounts(sum.counts, counts)
    sum.latency.merge(Histogram.decode(latency))
    if (++sum.told < threads) return
    pending.delete(second)
    onProgress({ second, counts: sum.counts, latency: sum.latency.encode() })
  }
}
