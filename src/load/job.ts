import type { Address } from '../base/address.js'
import type { CpuUsage } from '../metrics/cpu.js'
import type { RequestCounts } from '../metrics/counts.js'

/** One closed-loop measurement: `concurrency` keep-alive connections, each with one request on its way at any time. Plain data. */
export interface LoadJob {
  readonly target: Address
  /** Request target, for example `/large`. */
  readonly path: string
  /** Every response must carry exactly this: a body of the first `bytes` of `contentBytes()`, or the 2 bytes of /small. */
  readonly expect: { readonly kind: 'small' } | { readonly kind: 'content', readonly bytes: number }
  /** Connections over all threads, at least 1. */
  readonly concurrency: number
  /** Load before the window; its requests are verified but not counted. */
  readonly warmupMs: number
  /** The measurement window, from the end of the warm-up. */
  readonly durationMs: number
  /** A response that is not whole this long after its request was sent is a timeout; its connection is replaced. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Threads that generate the load, at least 1; connections are spread evenly over them. */
  readonly threads: number
  /**
   * Further connections that request `stalledPath` before the warm-up and then never read (beyond what the system's buffers take)
   * until the job ends. They are part of no count. For the head-of-line experiment.
   */
  readonly stalledReaders: number
  readonly stalledPath: string
}

/** What one measurement found. Plain data: it crosses threads and processes. */
export interface LoadResult {
  readonly counts: RequestCounts
  /** Length of the window that was really measured. */
  readonly windowMs: number
  /** Whole responses, `ok` or of bad status, from the first connection to the last, warm-up included: what CPU time over the same span is divided by. */
  readonly allResponses: number
  /** Verified body bytes inside the window. */
  readonly bodyBytes: number
  /** Histogram of service times (request written to last byte of the response) of `ok` responses, encoded. */
  readonly latency: string
  /** Histogram of connect times, encoded; connections made before and in the window. */
  readonly connect: string
  /** First few distinct problems met, in words: what an error count alone does not tell. At most 5. */
  readonly problems: readonly string[]
  /**
   * CPU time of the threads that generated the load, from the first connection to the last; null where it cannot be told.
   * With one thread: of the thread that called (see `readCpuUsage()`).
   */
  readonly cpu: CpuUsage | null
}
