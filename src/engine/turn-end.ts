import { throwLater } from '../base/errors.js'
import { TurnPhase } from './engine.js'

/** A socket that collects the writes of one turn, so that they leave together. */
export interface Corked {
  uncork (): void
}

const PHASES = Object.keys(TurnPhase).length

/**
 * What happens once per turn of the loop, in phases (`TurnPhase`), whatever the order in which it was asked for; last
 * of all the sockets are uncorked. The first task or corked socket of a turn calls `schedule`, which must lead to one
 * `run()`. A task for an earlier phase is run before the present phase goes on, so a phase begins only when nothing is
 * left to do in those before it. What uncorking leads to belongs to the next turn.
 */
export class TurnEnd {
  readonly #tasks = Array.from({ length: PHASES }, () => new TaskQueue())
  /** No earlier phase has a task. */
  #phase = PHASES
  #corked: Array<Corked | undefined> = []
  #corkedCount = 0
  /** What `#corked` is exchanged for while it is worked through. */
  #spare: Array<Corked | undefined> = []
  #scheduled = false
  readonly #schedule: () => void

  constructor (schedule: () => void) {
    this.#schedule = schedule
  }

  /** A `run()` is due. */
  get pending (): boolean {
    return this.#scheduled
  }

  addTask (task: () => void, phase: TurnPhase = TurnPhase.PUMP): void {
    this.#tasks[phase]!.push(task)
    if (phase < this.#phase) this.#phase = phase
    this.#ask()
  }

  /** Calls `socket.uncork()` once, after the tasks of this turn. */
  addCorked (socket: Corked): void {
    this.#corked[this.#corkedCount++] = socket
    this.#ask()
  }

  #ask (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#schedule()
  }

  run (): void {
    // Set until the tasks are done: they need no turn of their own for what they add.
    this.#scheduled = true
    this.#runTasks()
    const corked = this.#corked
    const count = this.#corkedCount
    this.#corked = this.#spare
    this.#spare = corked
    this.#corkedCount = 0
    this.#scheduled = false
    for (let i = 0; i < count; i++) {
      const socket = corked[i]
      corked[i] = undefined
      try {
        socket!.uncork()
      } catch (error) {
        throwLater(error)
      }
    }
  }

  #runTasks (): void {
    while (this.#phase < PHASES) {
      const task = this.#tasks[this.#phase]!.next()
      if (task === undefined) {
        this.#phase++
        continue
      }
      try {
        task()
      } catch (error) {
        // The tasks of other sockets and transports must not be lost with this one. Its error still ends up uncaught.
        throwLater(error)
      }
    }
  }
}

/** First in, first out. The array is kept from turn to turn. */
class TaskQueue {
  readonly #tasks: Array<(() => void) | undefined> = []
  #count = 0
  #taken = 0

  push (task: () => void): void {
    this.#tasks[this.#count++] = task
  }

  next (): (() => void) | undefined {
    if (this.#taken === this.#count) {
      this.#taken = this.#count = 0
      return undefined
    }
    const task = this.#tasks[this.#taken]
    this.#tasks[this.#taken++] = undefined
    return task
  }
}
