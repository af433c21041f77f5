import { SECOND_NS } from '../../base/clock.js'
import { Histogram } from '../../metrics/histogram.js'

/**
 * So many seconds keep their histogram as it is, in 270 KB each. Older ones are encoded, which takes the thread about a
 * millisecond.
 */
const LIVE_MAX = 120

/** One second of the window, by the time of sending. Plain data. */
export interface LoadSecond {
  /** From the start of the window. */
  readonly startMs: number
  /** 1000, but for the last one. */
  readonly lengthMs: number
  /** Requests sent in it. */
  readonly sent: number
  /** Those of them that were answered as they should. */
  readonly ok: number
  /** Histogram of these, encoded: response time in an open loop, service time in a closed one. */
  readonly latency: string
}

interface Bucket {
  sent: number
  ok: number
  latency: Histogram | string | null
}

/**
 * The window cut into seconds. An outcome belongs to the second in which its request was sent, however much later it
 * came.
 */
export class SecondSeries {
  readonly #buckets: Bucket[] = []
  readonly #total = new Histogram()
  #sealed = 0

  /** A request was sent `atNs` after the start of the window. */
  addSent (atNs: number): void {
    this.#bucketAt(atNs).sent++
  }

  /** It was answered as it should be. */
  addOk (atNs: number, latencyNs: number): void {
    const bucket = this.#bucketAt(atNs)
    bucket.ok++
    if (typeof bucket.latency === 'string') {
      // Sealed too early: the sealer knows how late an outcome can be, but not how late a thread.
      bucket.latency = Histogram.decode(bucket.latency)
    }
    bucket.latency ??= new Histogram()
    bucket.latency.recordNs(latencyNs)
  }

  /** Nothing sent before `atNs` will be settled any more. */
  seal (atNs: number): void {
    const end = Math.min(Math.floor(atNs / SECOND_NS), this.#buckets.length - LIVE_MAX)
    for (; this.#sealed < end; this.#sealed++) {
      const bucket = this.#buckets[this.#sealed]!
      if (bucket.latency instanceof Histogram) bucket.latency = bucket.latency.encode()
    }
  }

  /** What is known so far of the second that contains `atNs`; null before the window. */
  peek (atNs: number): Histogram | null {
    const latency = this.#buckets[Math.floor(atNs / SECOND_NS)]?.latency
    return latency instanceof Histogram ? latency : null
  }

  /** All seconds of a window of that length, also those in which nothing was sent, and the sum of their histograms. */
  result (windowNs: number): { readonly seconds: LoadSecond[], readonly latency: string } {
    if (windowNs > 0) this.#bucketAt(windowNs - 1)
    const seconds = this.#buckets.map(({ sent, ok, latency }, index) => {
      const histogram = typeof latency === 'string' ? Histogram.decode(latency) : latency ?? EMPTY
      this.#total.merge(histogram)
      const startMs = index * 1_000
      return {
        startMs,
        lengthMs: Math.min(1_000, Math.max(0, windowNs / 1e6 - startMs)),
        sent,
        ok,
        latency: typeof latency === 'string' ? latency : histogram.encode()
      }
    })
    return { seconds, latency: this.#total.encode() }
  }

  #bucketAt (atNs: number): Bucket {
    const index = Math.floor(atNs / SECOND_NS)
    while (this.#buckets.length <= index) this.#buckets.push({ sent: 0, ok: 0, latency: null })
    return this.#buckets[index]!
  }
}

const EMPTY = new Histogram()

/** The seconds of slices that ran at the same time, added up. */
export function mergeSeconds (series: ReadonlyArray<readonly LoadSecond[]>): LoadSecond[] {
  const count = Math.max(0, ...series.map((seconds) => seconds.length))
  return Array.from({ length: count }, (_, index) => {
    const parts = series.flatMap((seconds) => seconds[index] ?? [])
    const latency = new Histogram()
    for (const part of parts) latency.merge(Histogram.decode(part.latency))
    const sum = (pick: (part: LoadSecond) => number): number => parts.reduce((total, part) => total + pick(part), 0)
    return {
      startMs: index * 1_000,
      lengthMs: Math.max(...parts.map((part) => part.lengthMs)),
      sent: sum((part) => part.sent),
      ok: sum((part) => part.ok),
      latency: latency.encode()
    }
  })
}
