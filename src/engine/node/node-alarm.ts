import { nowNs } from '../../base/clock.js'
import type { Alarm } from '../engine.js'

/** Longest delay a Node timer keeps (2^31 - 1 ms). */
const LONGEST_MS = 2_147_483_647

/** A timer of Node: those count whole milliseconds, of a clock that is read once per turn. */
export class NodeAlarm implements Alarm {
  readonly precisionNs = 2_000_000
  readonly #onRing: () => void
  #timer: NodeJS.Timeout | undefined
  /** Keeps the thread alive where no time is set. */
  readonly #hold = setInterval(() => {}, LONGEST_MS)

  constructor (onRing: () => void) {
    this.#onRing = onRing
  }

  set (atNs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onRing, Math.min(LONGEST_MS, Math.max(0, (atNs - nowNs()) / 1e6)))
  }

  close (): void {
    clearTimeout(this.#timer)
    clearInterval(this.#hold)
  }
}
