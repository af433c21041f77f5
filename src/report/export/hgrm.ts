import type { Histogram } from '../../metrics/histogram.js'

const NS_PER_MS = 1e6

/** Decimals of a millisecond that tell one nanosecond from the next. */
const MS_DECIMALS = 6

const TICKS_PER_HALF_DISTANCE = 5

/**
 * A percentile distribution as HdrHistogram's `outputPercentileDistribution()` prints it, values in milliseconds: what
 * its plotters read. Values have six decimals, not three, so that nothing of a nanosecond is lost; readers split at
 * spaces.
 */
export function renderHgrm (histogram: Histogram): string {
  const { meanNs, stdDeviationNs, maxNs, count, bucketCount, subBucketCount } = histogram
  const lines = ['       Value     Percentile TotalCount 1/(1-Percentile)', '']
  for (const { valueNs, percentile, countToValue } of histogram.percentileSteps(TICKS_PER_HALF_DISTANCE)) {
    const columns = [msText(valueNs), (percentile / 100).toFixed(12).padStart(14), String(countToValue).padStart(10)]
    // The last one would be infinite, and is left out by every implementation.
    if (percentile < 100) columns.push((1 / (1 - percentile / 100)).toFixed(2).padStart(14))
    lines.push(columns.join(' '))
  }
  lines.push(
    `#[Mean    = ${msText(meanNs)}, StdDeviation   = ${msText(stdDeviationNs)}]`,
    `#[Max     = ${msText(maxNs)}, Total count    = ${String(count).padStart(12)}]`,
    `#[Buckets = ${String(bucketCount).padStart(12)}, SubBuckets     = ${String(subBucketCount).padStart(12)}]`
  )
  return `${lines.join('\n')}\n`
}

function msText (valueNs: number): string {
  return (valueNs / NS_PER_MS).toFixed(MS_DECIMALS).padStart(12)
}
