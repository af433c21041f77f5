import type { Address } from '../base/address.js'
import type { CpuUsage } from '../metrics/cpu.js'
import type { RequestCounts } from '../metrics/counts.js'
import type { Pace } from './loop/arrival-plan.js'
import type { LoadSecond } from './record/second-series.js'

/**
 * What a response must be to count as ok. `small`, `content`: status 200 and exactly this body, the 2 bytes of /small
 * or the first `bytes` of `contentBytes()`. `response`: that status (null: any from 200 to 299), and a whole body, with
 * this hash where one is given (SHA-256, lower-case hexadecimal).
 *
 * `small` and `content` are for servers of this package, so their responses are parsed strictly and nothing is sent
 * twice. `response` is for any server: parsed as curl and Chromium do, and with `LoadResult.retried`.
 */
export type Expectation =
  | { readonly kind: 'small' }
  | { readonly kind: 'content', readonly bytes: number }
  | { readonly kind: 'response', readonly status: number | null, readonly sha256: string | null }

/** One measurement: keep-alive connections, each with at most one request on its way. Plain data. */
export interface LoadJob {
  readonly target: Address
  /** Request target, for example `/large`. */
  readonly path: string
  /** Default `GET`. */
  readonly method?: string
  /** Value of the Host field. Default: the target's address, `localhost` for a Unix socket. */
  readonly host?: string
  /** Further header fields. A Host field among them replaces `host`. */
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]>
  /** Body of every request; its Content-Length is added. Default: none. */
  readonly body?: Uint8Array
  readonly expect: Expectation
  readonly pace: Pace
  /**
   * Connections over all threads, at least 1. Closed loop: so many at any time, each with one request on its way. Open
   * loop: so many are opened before the first request, and more, up to `pace.maxConnections`, when a request is due and
   * all are busy.
   */
  readonly concurrency: number
  /**
   * The load ends when so many requests are settled, over all threads, if the window has not closed before. Default: it
   * does not.
   */
  readonly requests?: number
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
   * Further connections that request `stalledPath` before the warm-up and then never read (beyond what the system's
   * buffers take) until the job ends. They are part of no count. For the head-of-line experiment.
   */
  readonly stalledReaders: number
  readonly stalledPath: string
}

/** What one measurement found. Plain data: it crosses threads and processes. */
export interface LoadResult {
  readonly counts: RequestCounts
  /** Length of the window that was really measured. */
  readonly windowMs: number
  /**
   * Whole responses, `ok` or of bad status, from the first connection to the last, warm-up included: what CPU time over
   * the same span is divided by.
   */
  readonly allResponses: number
  /**
   * Verified body bytes inside the window; those of an external generator are not verified, and null where it does not
   * tell.
   */
  readonly bodyBytes: number | null
  /** Histogram of service times (request written to last byte of the response) of `ok` responses, encoded. */
  readonly latency: string
  /**
   * Percentiles in ns by name (`p50`), where an external generator gives these and no histogram: then `latency` is
   * empty.
   */
  readonly reportedNs?: Readonly<Record<string, number | null>>
  /**
   * Open loop: histogram of response times (intended start to last byte) of the same responses. It holds the waiting
   * that service times hide.
   */
  readonly response: string | null
  /** Open loop: histogram of schedule lags (intended start to request written) of every request that was sent. */
  readonly lag: string | null
  /** Open loop: requests that the plan had inside the window. */
  readonly offered: number | null
  /** Of those, how many were never sent: the window closed before a connection was free. 0 in a closed loop. */
  readonly unsent: number
  /**
   * The window in seconds, by the time of sending. Their histograms add up to `response` in an open loop, to `latency`
   * in a closed one.
   */
  readonly seconds: readonly LoadSecond[]
  /**
   * Requests of the window that were sent once more on a new connection, since the server had ended the idle one they
   * were first sent on. Only where `expect` is a `response`, of idempotent methods, and once each. Each counts once,
   * and its times begin with the first sending.
   */
  readonly retried: number
  /** Responses of the window by status, whether it was the expected one or not. */
  readonly statuses: Readonly<Record<string, number>>
  /**
   * How much of the window the load thread worked, the busiest where there are several: CPU time without waiting, so
   * that 1 is its ceiling. null where it cannot be told.
   */
  readonly busy: number | null
  /** Histogram of connect times, encoded; connections made before and in the window. */
  readonly connect: string
  /** First few distinct problems met, in words: what an error count alone does not tell. At most 5. */
  readonly problems: readonly string[]
  /**
   * CPU time of the threads that generated the load, from the first connection to the last; null where it cannot be
   * told. With one thread: of the thread that called (see `readCpuUsage()`).
   */
  readonly cpu: CpuUsage | null
}
