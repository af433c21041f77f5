import { addCounts, emptyCounts, type RequestCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import type { LoadResult } from '../job.js'
import { mergeSeconds, SecondSeries } from './second-series.js'

/** The outcomes of a request that was sent, apart from `unfinished`. */
export type Outcome = 'ok' | 'badStatus' | 'mismatch' | 'timeout' | 'reset'

/** Why no connection could be made: by what the other side did, or for want of something on this one. */
export type Refusal = 'refused' | 'exhausted'

const PROBLEMS_MAX = 5

/**
 * The books of one slice. The rule, by clock readings alone and independent of when a timer fires:
 * a request counts if it was sent at or after the start of the window and before its end; its outcome counts if it was
 * known by the end, and is `unfinished` otherwise. A failed attempt to connect counts as one request, sent and refused,
 * if it failed inside the window. Each request is entered once, with its outcome, so `sent` is the sum of the outcomes.
 * Throughput is `ok` divided by the window.
 */
export class Tally {
  readonly #counts = emptyCounts()
  readonly #connect = new Histogram()
  readonly #problems = new Set<string>()
  /** By time of sending: of response times in an open loop, of service times in a closed one. */
  readonly #series = new SecondSeries()
  /** Open loop only: what is not in the series. */
  readonly #open: { readonly service: Histogram; readonly lag: Histogram } | null
  readonly #statuses = new Map<number, number>()
  #retried = 0
  #offered = 0
  #unsent = 0
  #bodyBytes = 0
  #allResponses = 0
  #startNs = Infinity
  #endNs = Infinity

  constructor (isOpen = false) {
    this.#open = isOpen ? { service: new Histogram(), lag: new Histogram() } : null
  }

  /** The window, in `nowNs()` of this thread. Until it is known nothing counts. */
  setWindow (startNs: number, endNs: number): void {
    this.#startNs = startNs
    this.#endNs = endNs
  }

  /** The window ends now, if it has not ended before. */
  cutWindow (nowNs: number): void {
    this.#endNs = Math.min(this.#endNs, nowNs)
  }

  get startNs (): number {
    return this.#startNs
  }

  /** When to send no more. */
  get endNs (): number {
    return this.#endNs
  }

  get counts (): RequestCounts {
    return { ...this.#counts }
  }

  /** Of the second that contains `atNs`, so far; null where there is nothing. */
  peek (atNs: number): Histogram | null {
    return this.#series.peek(atNs - this.#startNs)
  }

  /** Requests sent before `atNs` are all settled: their seconds need less memory then. */
  seal (atNs: number): void {
    if (atNs > this.#startNs) this.#series.seal(atNs - this.#startNs)
  }

  /** `intendedNs`: when it should have been sent. `status`, `bodyBytes`: of the response, 0 without one. */
  addOutcome (
    outcome: Outcome,
    sentAtNs: number,
    nowNs: number,
    intendedNs = sentAtNs,
    status = 0,
    bodyBytes = 0
  ): void {
    if (outcome === 'ok' || outcome === 'badStatus') this.#allResponses++
    if (!this.#addSent(sentAtNs, intendedNs)) return
    if (nowNs > this.#endNs) {
      this.#counts.unfinished++
      return
    }
    this.#counts[outcome]++
    if (outcome === 'ok' || outcome === 'badStatus') this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1)
    if (outcome !== 'ok') return
    this.#bodyBytes += bodyBytes
    this.#open?.service.recordNs(nowNs - sentAtNs)
    this.#series.addOk(sentAtNs - this.#startNs, nowNs - intendedNs)
  }

  /** A request that was still on its way when the load stopped. */
  addUnfinished (sentAtNs: number, intendedNs = sentAtNs): void {
    if (this.#addSent(sentAtNs, intendedNs)) this.#counts.unfinished++
  }

  addRefused (nowNs: number, refusal: Refusal = 'refused'): void {
    if (nowNs < this.#startNs || nowNs > this.#endNs) return
    this.#counts.sent++
    this.#counts[refusal] = (this.#counts[refusal] ?? 0) + 1
    this.#series.addSent(nowNs - this.#startNs)
  }

  /** A request that was sent at `sentAtNs` is sent once more. It has its outcome later. */
  addRetried (sentAtNs: number): void {
    if (sentAtNs >= this.#startNs && sentAtNs < this.#endNs) this.#retried++
  }

  /** The plan had a request at `intendedNs`. */
  addOffered (intendedNs: number): void {
    if (intendedNs >= this.#startNs && intendedNs < this.#endNs) this.#offered++
  }

  /** The load has stopped, and the request that was planned for `intendedNs` was not sent. */
  addUnsent (intendedNs: number): void {
    if (intendedNs >= this.#startNs && intendedNs < this.#endNs) this.#unsent++
  }

  addConnect (connectNs: number): void {
    this.#connect.recordNs(connectNs)
  }

  addProblem (problem: string): void {
    if (this.#problems.size < PROBLEMS_MAX) this.#problems.add(problem)
  }

  result (cpu: LoadResult['cpu'], busy: number | null): LoadResult {
    const windowNs = this.#startNs === Infinity ? 0 : Math.max(0, this.#endNs - this.#startNs)
    const { seconds, latency } = this.#series.result(windowNs)
    const open = this.#open
    return {
      counts: { ...this.#counts },
      windowMs: windowNs / 1e6,
      allResponses: this.#allResponses,
      bodyBytes: this.#bodyBytes,
      latency: open === null ? latency : open.service.encode(),
      response: open === null ? null : latency,
      lag: open === null ? null : open.lag.encode(),
      offered: open === null ? null : this.#offered,
      unsent: this.#unsent,
      seconds,
      retried: this.#retried,
      statuses: Object.fromEntries([...this.#statuses].sort(([a], [b]) => a - b)),
      connect: this.#connect.encode(),
      problems: [...this.#problems],
      cpu,
      busy
    }
  }

  /** Returns whether the request belongs to the window. */
  #addSent (sentAtNs: number, intendedNs: number): boolean {
    if (sentAtNs < this.#startNs || sentAtNs >= this.#endNs) return false
    this.#counts.sent++
    this.#series.addSent(sentAtNs - this.#startNs)
    this.#open?.lag.recordNs(sentAtNs - intendedNs)
    return true
  }
}

/** One result out of those of slices that ran at the same time. Counts are added, histograms merged without loss. */
export function mergeResults (results: readonly LoadResult[]): LoadResult {
  const counts: RequestCounts = emptyCounts()
  const statuses: Record<string, number> = {}
  for (const result of results) {
    addCounts(counts, result.counts)
    for (const [status, count] of Object.entries(result.statuses)) statuses[status] = (statuses[status] ?? 0) + count
  }
  const sum = (pick: (result: LoadResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0)
  return {
    counts,
    // All the same, unless the slices were interrupted: then the longest, so that no rate comes out too high.
    windowMs: Math.max(...results.map((result) => result.windowMs)),
    allResponses: sum((result) => result.allResponses),
    bodyBytes: results.some((result) => result.bodyBytes === null) ? null : sum((result) => result.bodyBytes!),
    latency: merged(results.map((result) => result.latency))!,
    response: merged(results.map((result) => result.response)),
    lag: merged(results.map((result) => result.lag)),
    offered: results.some((result) => result.offered === null) ? null : sum((result) => result.offered!),
    unsent: sum((result) => result.unsent),
    seconds: mergeSeconds(results.map((result) => result.seconds)),
    retried: sum((result) => result.retried),
    statuses,
    connect: merged(results.map((result) => result.connect))!,
    problems: [...new Set(results.flatMap((result) => result.problems))].slice(0, PROBLEMS_MAX),
    cpu: results.some((result) => result.cpu === null)
      ? null
      : { userUs: sum((result) => result.cpu!.userUs), systemUs: sum((result) => result.cpu!.systemUs) },
    busy: results.some((result) => result.busy === null) ? null : Math.max(...results.map((result) => result.busy!))
  }
}

/** null where one is missing. */
function merged (encoded: ReadonlyArray<string | null>): string | null {
  const histogram = new Histogram()
  for (const text of encoded) {
    if (text === null) return null
    histogram.merge(Histogram.decode(text))
  }
  return histogram.encode()
}
