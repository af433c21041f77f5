import { addCounts, emptyCounts } from '../../metrics/counts.js'
import type { Histogram } from '../../metrics/histogram.js'
import type { CellResult, RoundResult } from '../../result/run-result.js'
import { mergeHistograms, ratePerSecOf, responseTimesOf } from '../../analysis/statistics.js'

/**
 * A cell in the shape of `oha --output-format json` (https://github.com/hatoo/oha, src/printer.rs), so that scripts
 * written for that keep working. All rounds of the cell together. **All times are in seconds.** null where there is
 * nothing to tell, as with oha, whose serializer writes NaN as null.
 *
 * It differs from oha where oha's figure would mislead:
 * - `requestsPerSec` and every latency count verified responses only (status 200, whole, every byte as expected). oha
 *   counts
 *   errors and requests cut off at the end as well.
 * - `successRate` is verified responses over all requests except those unfinished at the end; a wrong body is no
 *   success.
 * - `rps` is over the rounds (of a single load, over its seconds), not over slices of 10 ms.
 * - `firstByte…` is left out (older versions of oha have none either), and `DNSLookup` is null: neither is measured.
 * - `metrics` is left out, in which oha 1.16 says again what `summary` and `latencyPercentiles` say, latencies in
 *   rounded milliseconds.
 * - In an open loop latencies are response times, from the intended start: what oha reports with
 *   `--latency-correction`.
 * - `latencyPercentiles` are given from the first sample on, as oha does; SUMMARY.md withholds them below a sample
 *   count.
 */
export interface OhaResult {
  readonly summary: {
    readonly successRate: number | null
    /** Measured time of all rounds. */
    readonly total: number
    readonly slowest: number | null
    readonly fastest: number | null
    readonly average: number | null
    readonly requestsPerSec: number | null
    readonly totalData: number | null
    readonly sizePerRequest: number | null
    readonly sizePerSec: number | null
    /** Not of oha: requests that were sent once more on a new connection. Absent: none. */
    readonly retried?: number
  }
  /** Upper edge of a bin in seconds → responses in it. */
  readonly responseTimeHistogram: Readonly<Record<string, number>>
  readonly latencyPercentiles: Readonly<Record<string, number | null>>
  readonly rps: {
    readonly mean: number | null
    readonly stddev: number | null
    readonly max: number | null
    readonly min: number | null
    readonly percentiles: Readonly<Record<string, number | null>>
  }
  readonly details: { readonly DNSDialup: OhaTimes, readonly DNSLookup: OhaTimes }
  readonly statusCodeDistribution: Readonly<Record<string, number>>
  readonly errorDistribution: Readonly<Record<string, number>>
}

export interface OhaTimes {
  readonly average: number | null
  readonly fastest: number | null
  readonly slowest: number | null
}

/** Those of oha. */
const PERCENTILES = [10, 25, 50, 75, 90, 95, 99, 99.9, 99.99]
const BINS = 11

/** The text of the file, ending with a line break. */
export function renderOha (cell: CellResult): string {
  return `${JSON.stringify(toOha(cell), null, 2)}\n`
}

/** What the figures are taken from: rounds of a cell, or one load. */
export interface OhaSource {
  readonly rounds: ReadonlyArray<
    Pick<RoundResult, 'windowMs' | 'counts' | 'bodyBytes' | 'latency' | 'response' | 'connect'>
  >
  /** Responses by status; absent: those that were verified, all of status 200. */
  readonly statuses?: Readonly<Record<string, number>>
  /** See `LoadResult.retried`; absent: none. */
  readonly retried?: number
  /** Throughput of the parts that `rps` is over; absent: the rounds. */
  readonly ratesPerSec?: readonly number[]
}

export function toOha ({ rounds, statuses, retried = 0, ratesPerSec }: OhaSource): OhaResult {
  const counts = emptyCounts()
  for (const round of rounds) addCounts(counts, round.counts)
  const total = rounds.reduce((sum, round) => sum + round.windowMs, 0) / 1_000
  const totalData = rounds.reduce<number | null>(
    (sum, { bodyBytes }) => (sum === null || bodyBytes === null ? null : sum + bodyBytes),
    0
  )
  const finished = counts.sent - counts.unfinished
  const latency = mergeHistograms(rounds.map(responseTimesOf))
  const { average, fastest, slowest } = timesOf(latency)
  return {
    summary: {
      successRate: over(counts.ok, finished),
      total,
      slowest,
      fastest,
      average,
      requestsPerSec: over(counts.ok, total),
      totalData,
      sizePerRequest: totalData === null || counts.ok === 0 ? null : Math.floor(totalData / counts.ok),
      sizePerSec: totalData === null ? null : over(totalData, total),
      ...(retried === 0 ? {} : { retried })
    },
    responseTimeHistogram: binsOf(latency),
    latencyPercentiles: percentilesOf((percentile) =>
      latency.count === 0 ? null : toSeconds(latency.percentileNs(percentile))
    ),
    rps: rpsOf(ratesPerSec ?? rounds.map(ratePerSecOf)),
    details: {
      DNSDialup: timesOf(mergeHistograms(rounds.map((round) => round.connect))),
      DNSLookup: { average: null, fastest: null, slowest: null }
    },
    statusCodeDistribution: withoutZeros(statuses ?? { 200: counts.ok }),
    errorDistribution: withoutZeros({
      'unexpected status code': counts.badStatus,
      'unexpected response': counts.mismatch,
      timeout: counts.timeout,
      'connection reset': counts.reset,
      'connection refused': counts.refused,
      'out of local ports or descriptors': counts.exhausted ?? 0,
      // oha's own words for requests on their way when the time is up; scripts know that these are no failures.
      'aborted due to deadline': counts.unfinished
    })
  }
}

function over (dividend: number, divisor: number): number | null {
  return divisor === 0 ? null : dividend / divisor
}

/** Histograms hold 3 significant digits; a fourth keeps 1.5 ms from reading as 0.001500159. */
function toSeconds (durationNs: number): number {
  return Number((durationNs / 1e9).toPrecision(4))
}

function timesOf (histogram: Histogram): OhaTimes {
  if (histogram.count === 0) return { average: null, fastest: null, slowest: null }
  return {
    average: toSeconds(histogram.meanNs),
    fastest: toSeconds(histogram.minNs),
    slowest: toSeconds(histogram.maxNs)
  }
}

function percentilesOf (valueAt: (percentile: number) => number | null): Record<string, number | null> {
  return Object.fromEntries(PERCENTILES.map(percentile => [`p${percentile}`, valueAt(percentile)]))
}

/**
 * Eleven bins of equal width from the fastest response to the slowest, or to three times the mean if that is less; the
 * last bin takes the rest.
 */
function binsOf (histogram: Histogram): Record<string, number> {
  const { minNs, maxNs, meanNs, count } = histogram
  const widthNs = (Math.min(maxNs, 3 * meanNs) - minNs) / BINS
  if (count === 0) return {}
  // Bins narrower than the figures' resolution would fall on one key: all responses took about the same time.
  if (toSeconds(minNs + widthNs) === toSeconds(minNs)) return { [toSeconds(maxNs)]: count }
  const bins = new Array<number>(BINS).fill(0)
  for (const { valueNs, count } of histogram.recorded()) {
    const at = Math.max(0, Math.min(BINS - 1, Math.floor((valueNs - minNs) / widthNs)))
    bins[at] = (bins[at] ?? 0) + count
  }
  return Object.fromEntries(bins.map((count, at) => [toSeconds(minNs + widthNs * (at + 1)), count]))
}

function rpsOf (rates: readonly number[]): OhaResult['rps'] {
  const sorted = [...rates].sort((a, b) => a - b)
  const mean = over(sorted.reduce((sum, rate) => sum + rate, 0), sorted.length)
  const squares = sorted.reduce((sum, rate) => sum + (rate - (mean ?? 0)) ** 2, 0)
  return {
    mean,
    stddev: sorted.length < 2 ? null : Math.sqrt(squares / (sorted.length - 1)),
    max: sorted[sorted.length - 1] ?? null,
    min: sorted[0] ?? null,
    percentiles: percentilesOf(percentile => sorted[Math.floor(percentile / 100 * sorted.length)] ?? null)
  }
}

function withoutZeros (counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}
