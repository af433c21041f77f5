import { nowNs } from '../base/clock.js'

/** The side that ends a connection waits this long after the other side's last progress. */
export const STALL_LIMIT_MS = 60_000

const SHORTEST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 64

/**
 * Cuts a connection off once the other side's kernel has all that was written. A reset sent earlier would overtake
 * those bytes, and no system call waits for that moment, so this asks at growing intervals. A peer that makes no
 * progress is cut off all the same.
 */
export class OrderedReset {
  readonly #unsentBytes: () => number
  readonly #cut: () => void
  readonly #stallLimitMs: number
  #timer: NodeJS.Timeout | undefined
  #pauseMs = SHORTEST_PAUSE_MS
  #lastBytes = Infinity
  #progressAtNs = nowNs()

  /** `unsentBytes`: written, and not with the other side's kernel. Begins with `look()`. */
  constructor (unsentBytes: () => number, cut: () => void, stallLimitMs = STALL_LIMIT_MS) {
    this.#unsentBytes = unsentBytes
    this.#cut = cut
    this.#stallLimitMs = stallLimitMs
  }

  /** Cuts now if nothing is left to send, or nothing will be. Harmless at any time. */
  look (): void {
    clearTimeout(this.#timer)
    const bytes = this.#unsentBytes()
    const now = nowNs()
    if (bytes < this.#lastBytes) {
      this.#lastBytes = bytes
      this.#progressAtNs = now
    }
    if (bytes === 0 || now - this.#progressAtNs >= this.#stallLimitMs * 1e6) {
      this.#cut()
      return
    }
    this.#timer = setTimeout(() => { this.look() }, this.#pauseMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
  }

  stop (): void {
    clearTimeout(this.#timer)
  }
}
