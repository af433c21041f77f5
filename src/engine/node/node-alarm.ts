import { nowNs } from '../../base/clock.js'
import { LONGEST_TIMER_MS } from '../../base/time-limit.js'
import type { Alarm } from '../engine.js'

/** A timer of Node: those count whole milliseconds, of a clock that is read once per turn. */
export class NodeAlarm implements Alarm {
  readonly precisionNs = 2_000_000
  readonly #onRing: () => void
  #timer: NodeJS.Timeout | undefined
  /** Keeps the thread alive where no time is set. */
  readonly #hold = setInterval(() => {}, LONGEST_TIMER_MS)

  constructor (onRing: () => void) {
    this.#onRing = onRing
  }

  set (atNs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onRing, Math.min(LONGEST_TIMER_MS, Math.max(0, (atNs - nowNs()) / 1e6)))
  }

  close (): void {
    clearTimeout(this.#timer)
    clearInterval(this.#hold)
  }
}
