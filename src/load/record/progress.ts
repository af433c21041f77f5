import { addCounts, emptyCounts, type RequestCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'

/** The progress of a load, at the end of each second of the window. Plain data. */
export interface LoadProgress {
  /** Seconds of the window that have passed. */
  readonly second: number
  /** Since the start of the window. What is on its way is in no count. */
  readonly counts: RequestCounts
  /** Histogram of the requests sent in the second that has just passed and answered in it, encoded. */
  readonly latency: string
}

/** Merges the progress of several threads: calls `onProgress` for a second once all of them have reported it. */
export function progressOfThreads (
  threads: number,
  onProgress: (progress: LoadProgress) => void
): (progress: LoadProgress) => void {
  const pending = new Map<number, { reported: number; counts: RequestCounts; latency: Histogram }>()
  return ({ second, counts, latency }) => {
    const sum = pending.get(second) ?? { reported: 0, counts: emptyCounts(), latency: new Histogram() }
    pending.set(second, sum)
    addCounts(sum.counts, counts)
    sum.latency.merge(Histogram.decode(latency))
    if (++sum.reported < threads) return
    pending.delete(second)
    onProgress({ second, counts: sum.counts, latency: sum.latency.encode() })
  }
}
