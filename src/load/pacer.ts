import { nowNs } from '../base/clock.js'
import type { Alarm, Engine, Polled } from '../engine/engine.js'

/**
 * Calls `onDue` at planned times. Sleeps while the next one is further away than the engine's alarm may be wrong, and stays awake for the rest: an
 * idle loop then turns every few microseconds.
 */
export class Pacer implements Polled {
  readonly #engine: Engine
  readonly #onDue: (nowNs: number) => number
  readonly #alarm: Alarm
  #nextNs = Infinity
  /** Time spent awake with nothing to do. */
  #idleNs = 0
  /** Since when nothing has happened but looking at the clock; 0: something has. */
  #idleSinceNs = 0

  /** `onDue` is given the time and returns when it is to be called next; Infinity: not any more. */
  constructor (engine: Engine, onDue: (nowNs: number) => number) {
    this.#engine = engine
    this.#onDue = onDue
    this.#alarm = engine.alarm(() => { this.poll() })
  }

  start (firstNs: number): void {
    this.#nextNs = firstNs
    this.#wait(nowNs())
  }

  /** How long the thread has turned with nothing to do so far: CPU time that was not work. */
  get idleNs (): number { return this.#idleNs }

  /** The thread has done something else since the last look at the clock. */
  noteWork (): void {
    this.#idleSinceNs = 0
  }

  poll (): boolean {
    const now = nowNs()
    if (this.#idleSinceNs !== 0) this.#idleNs += now - this.#idleSinceNs
    const isDue = now >= this.#nextNs
    if (isDue) this.#nextNs = this.#onDue(now)
    this.#idleSinceNs = isDue ? 0 : now
    this.#wait(now)
    return isDue
  }

  trySleep (): boolean {
    return !this.#isNear(nowNs())
  }

  stop (): void {
    this.#nextNs = Infinity
    this.#alarm.close()
  }

  #isNear (now: number): boolean {
    return this.#nextNs - now <= this.#alarm.precisionNs
  }

  #wait (now: number): void {
    if (this.#isNear(now)) this.#engine.pollUntilAsleep(this)
    else {
      this.#idleSinceNs = 0
      if (this.#nextNs !== Infinity) this.#alarm.set(this.#nextNs - this.#alarm.precisionNs)
    }
  }
}
