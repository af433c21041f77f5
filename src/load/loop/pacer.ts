import { nowNs } from '../../base/clock.js'
import type { Alarm, Engine, Polled } from '../../engine/engine.js'

/** The alarm is set so early that it rings in time in all cases but one in so many. */
const LATE_ONE_IN = 20
/**
 * How early, in precisions of the alarm: at first, at least, at most. Small at first: a thread that never sleeps never
 * learns.
 */
const MARGIN_FIRST = 0.3
const MARGIN_MIN = 0.1
const MARGIN_MAX = 3

/**
 * Calls `onDue` at planned times. Sleeps while the next one is further away than the alarm has lately been late, and
 * stays awake for the rest: an idle loop then turns every few microseconds. How late an alarm is depends on how deep
 * the processor sleeps, and so on the rate; a margin for the worst would keep the thread awake all the time at rates
 * where it need not, and take a processor from what is measured.
 */
export class Pacer implements Polled {
  readonly #engine: Engine
  readonly #onDue: (nowNs: number) => number
  readonly #now: () => number
  readonly #alarm: Alarm
  #nextNs = Infinity
  /** How early the alarm is set. */
  #marginNs: number
  readonly #stepNs: number
  /** When the alarm rings; 0: it is not set. */
  #alarmNs = 0
  /** Time spent awake with nothing to do. */
  #idleNs = 0
  /** Since when nothing has happened but looking at the clock; 0: something has. */
  #idleSinceNs = 0

  /** `onDue` is given the time and returns when it is to be called next; Infinity: not any more. `now` is the clock. */
  constructor (engine: Engine, onDue: (nowNs: number) => number, now = nowNs) {
    this.#engine = engine
    this.#now = now
    this.#onDue = onDue
    this.#alarm = engine.alarm(() => { this.#onRing() })
    this.#marginNs = this.#alarm.precisionNs * MARGIN_FIRST
    this.#stepNs = this.#alarm.precisionNs / 200
  }

  start (firstNs: number): void {
    this.#nextNs = firstNs
    this.#wait(this.#now())
  }

  /** How long the thread has turned with nothing to do so far: CPU time that was not work. */
  get idleNs (): number { return this.#idleNs }

  /** The thread has done something else since the last look at the clock. */
  noteWork (): void {
    this.#idleSinceNs = 0
  }

  poll (): boolean {
    const now = this.#now()
    if (this.#idleSinceNs !== 0) this.#idleNs += now - this.#idleSinceNs
    const isDue = now >= this.#nextNs
    if (isDue) this.#nextNs = this.#onDue(now)
    this.#idleSinceNs = isDue ? 0 : now
    this.#wait(now)
    return isDue
  }

  trySleep (): boolean {
    return !this.#isNear(this.#now())
  }

  stop (): void {
    this.#nextNs = Infinity
    this.#alarm.close()
  }

  #isNear (now: number): boolean {
    return this.#nextNs - now <= this.#marginNs
  }

  /** Follows the quantile of the alarm's lateness: up by many steps when it is exceeded, down by one when it is not. */
  #onRing (): void {
    if (this.#alarmNs !== 0) {
      const isLate = this.#now() - this.#alarmNs > this.#marginNs
      const marginNs = this.#marginNs + (isLate ? LATE_ONE_IN - 1 : -1) * this.#stepNs
      this.#marginNs = Math.min(
        this.#alarm.precisionNs * MARGIN_MAX,
        Math.max(this.#alarm.precisionNs * MARGIN_MIN, marginNs)
      )
      this.#alarmNs = 0
    }
    this.poll()
  }

  #wait (now: number): void {
    if (this.#isNear(now)) this.#engine.pollUntilAsleep(this)
    else {
      this.#idleSinceNs = 0
      if (this.#nextNs === Infinity) return
      this.#alarmNs = this.#nextNs - this.#marginNs
      this.#alarm.set(this.#alarmNs)
    }
  }
}
