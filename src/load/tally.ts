import { addCounts, emptyCounts, type RequestCounts } from '../metrics/counts.js'
import { Histogram } from '../metrics/histogram.js'
import type { LoadResult } from './job.js'

/** What can become of a request that was sent, apart from `unfinished`. */
export type Outcome = 'ok' | 'badStatus' | 'mismatch' | 'timeout' | 'reset'

const PROBLEMS_MAX = 5

/**
 * The books of one slice. The rule, by clock readings alone and independent of when a timer fires:
 * a request counts if it was sent at or after the start of the window and before its end; its outcome counts if it was known by
 * the end, and is `unfinished` otherwise. A failed attempt to connect counts as one request, sent and refused, if it failed inside the window.
 * Each request is entered once, with its outcome, so `sent` is the sum of the outcomes. Throughput is `ok` divided by the window.
 */
export class Tally {
  readonly #counts = emptyCounts()
  readonly #latency = new Histogram()
  readonly #connect = new Histogram()
  readonly #problems = new Set<string>()
  #allResponses = 0
  #startNs = Infinity
  #endNs = Infinity

  /** The window, in `nowNs()` of this thread. Until it is known nothing counts. */
  setWindow (startNs: number, endNs: number): void {
    this.#startNs = startNs
    this.#endNs = endNs
  }

  /** The window ends now, if it has not ended before. */
  cutWindow (nowNs: number): void {
    this.#endNs = Math.min(this.#endNs, nowNs)
  }

  /** When to send no more. */
  get endNs (): number { return this.#endNs }

  addOutcome (outcome: Outcome, sentAtNs: number, nowNs: number): void {
    if (outcome === 'ok' || outcome === 'badStatus') this.#allResponses++
    if (sentAtNs < this.#startNs || sentAtNs >= this.#endNs) return
    this.#counts.sent++
    if (nowNs > this.#endNs) this.#counts.unfinished++
    else if (outcome === 'ok') {
      this.#counts.ok++
      this.#latency.recordNs(nowNs - sentAtNs)
    } else this.#counts[outcome]++
  }

  /** A request that was still on its way when the load stopped. */
  addUnfinished (sentAtNs: number): void {
    if (sentAtNs < this.#startNs || sentAtNs >= this.#endNs) return
    this.#counts.sent++
    this.#counts.unfinished++
  }

  addRefused (nowNs: number): void {
    if (nowNs < this.#startNs || nowNs > this.#endNs) return
    this.#counts.sent++
    this.#counts.refused++
  }

  addConnect (connectNs: number): void {
    this.#connect.recordNs(connectNs)
  }

  addProblem (problem: string): void {
    if (this.#problems.size < PROBLEMS_MAX) this.#problems.add(problem)
  }

  /** `bodyBytes`: length of a verified body. */
  result (bodyBytes: number, cpu: LoadResult['cpu']): LoadResult {
    return {
      counts: { ...this.#counts },
      windowMs: this.#startNs === Infinity ? 0 : Math.max(0, this.#endNs - this.#startNs) / 1e6,
      allResponses: this.#allResponses,
      bodyBytes: this.#counts.ok * bodyBytes,
      latency: this.#latency.encode(),
      connect: this.#connect.encode(),
      problems: [...this.#problems],
      cpu
    }
  }
}

/** One result out of those of slices that ran at the same time. Counts are added, histograms merged without loss. */
export function mergeResults (results: readonly LoadResult[]): LoadResult {
  const counts: RequestCounts = emptyCounts()
  const latency = new Histogram()
  const connect = new Histogram()
  for (const result of results) {
    addCounts(counts, result.counts)
    latency.merge(Histogram.decode(result.latency))
    connect.merge(Histogram.decode(result.connect))
  }
  const sum = (pick: (result: LoadResult) => number): number => results.reduce((total, result) => total + pick(result), 0)
  return {
    counts,
    // All the same, unless the slices were interrupted: then the longest, so that no rate comes out too high.
    windowMs: Math.max(...results.map((result) => result.windowMs)),
    allResponses: sum((result) => result.allResponses),
    bodyBytes: sum((result) => result.bodyBytes),
    latency: latency.encode(),
    connect: connect.encode(),
    problems: [...new Set(results.flatMap((result) => result.problems))].slice(0, PROBLEMS_MAX),
    cpu: results.some((result) => result.cpu === null)
      ? null
      : { userUs: sum((result) => result.cpu!.userUs), systemUs: sum((result) => result.cpu!.systemUs) }
  }
}
