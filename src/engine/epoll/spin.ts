import type { SystemCalls } from '../../native/system-calls.js'
import type { EngineCounters } from '../engine.js'

/**
 * How long a thread looks for work before it sleeps. `auto`: up to 200 µs, while that pays; a number: so many µs before
 * every sleep; 0: never.
 */
export type SpinChoice = 'auto' | number

const AUTO_US = 200
/** A yield that took longer has let another thread run: the processor is wanted. */
const WANTED_MS = 0.005
/** Weight of one wait in the share of waits that spinning would have shortened: six long ones in a row end it. */
const WEIGHT = 1 / 8

/**
 * Looking again and again instead of sleeping: waking a thread costs 20 to 60 µs here, much of it on the processor of
 * the one that wakes. It has to be worth it, for this thread and for the others:
 *
 *     learns every wait is timed, slept through or not. While more than half of the last ones ended within the limit,
 *   it spins;
 *              idle connections end that within a few waits
 *     yields between two looks whoever else wants this processor gets it. If somebody did, there is one more look, and
 *   then sleep:
 *              a processor that is wanted is not to be kept busy, and what was waited for has often come meanwhile
 */
export class Spin {
  readonly limitMs: number
  readonly #learns: boolean
  readonly #system: Pick<SystemCalls, 'sched_yield'>
  readonly #counters: EngineCounters
  readonly #now: () => number
  #share = 0

  /** `now`: a clock in ms, the one that `startMs` of `run()` is of. */
  constructor (
    choice: SpinChoice,
    system: Pick<SystemCalls, 'sched_yield'>,
    counters: EngineCounters,
    now = () => performance.now()
  ) {
    this.#learns = choice === 'auto'
    this.limitMs = (choice === 'auto' ? AUTO_US : choice) / 1000
    this.#system = system
    this.#counters = counters
    this.#now = now
  }

  get isWorthwhile (): boolean {
    return this.#learns ? this.#share > 0.5 : this.limitMs > 0
  }

  /** A wait that may have slept has ended after `waitedMs`. */
  learn (waitedMs: number): void {
    this.#share += ((waitedMs < this.limitMs ? 1 : 0) - this.#share) * WEIGHT
  }

  /** Returns what `look` found, other than 0; 0: time to sleep. */
  run (look: () => number, startMs: number): number {
    const endMs = startMs + this.limitMs
    let spunMs = 0
    let nowMs = startMs
    let isWanted = false
    let found = look()
    while (found === 0 && nowMs < endMs && !isWanted) {
      this.#system.sched_yield()
      const beforeMs = nowMs
      nowMs = this.#now()
      const roundMs = nowMs - beforeMs
      if (roundMs < WANTED_MS) spunMs += roundMs
      else isWanted = this.#learns
      found = look()
    }
    this.#counters.spins++
    if (found !== 0) this.#counters.spinHits++
    this.#counters.spinUs += spunMs * 1000
    return found
  }
}
