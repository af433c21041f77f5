/**
 * The outcomes of all requests sent inside a measurement window. The sum of the outcomes is exactly `sent`:
 * sent = ok + badStatus + mismatch + timeout + reset + refused + exhausted + unfinished.
 */
export interface RequestCounts {
  /**
   * Requests whose sending began inside the window (or that could not be sent because no connection could be made:
   * `refused`).
   */
  sent: number
  /** Status 200, whole, and every byte as expected. The only ones in RPS and in the latency histogram. */
  ok: number
  badStatus: number
  /** A body of wrong length or content, or a response that is not HTTP. */
  mismatch: number
  timeout: number
  /** The connection was cut off, or closed before the response was whole. */
  reset: number
  /** No connection could be made. */
  refused: number
  /**
   * No connection could be made, since this side was out of local ports or descriptors. Absent: none, as in older
   * results.
   */
  exhausted?: number
  /** On their way when the window closed. Not an error. */
  unfinished: number
}

export function emptyCounts (): RequestCounts {
  return { sent: 0, ok: 0, badStatus: 0, mismatch: 0, timeout: 0, reset: 0, refused: 0, unfinished: 0 }
}

export function addCounts (into: RequestCounts, other: RequestCounts): void {
  for (const key of Object.keys(other) as Array<keyof RequestCounts>) into[key] = (into[key] ?? 0) + (other[key] ?? 0)
}

/** Requests that failed, of whatever kind. */
export function errorCount (counts: RequestCounts): number {
  return counts.badStatus + counts.mismatch + counts.timeout + counts.reset + counts.refused + (counts.exhausted ?? 0)
}
