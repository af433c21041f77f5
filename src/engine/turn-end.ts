/** A socket that collects the writes of one turn, so that they leave together. */
export interface Corked {
  uncork (): void
}

/**
 * What happens once per turn of the loop. The first task or corked socket of a turn calls `schedule`, which must lead
 * to one `run()`: that runs all tasks first and uncorks all sockets then, whatever the order in which they were added,
 * so what a task writes leaves in the same turn. What uncorking leads to belongs to the next turn. The arrays are kept
 * from turn to turn.
 */
export class TurnEnd {
  #tasks: Array<(() => void) | undefined> = []
  #taskCount = 0
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

  addTask (task: () => void): void {
    this.#tasks[this.#taskCount++] = task
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
    for (let i = 0; i < this.#taskCount; i++) {
      const task = this.#tasks[i]
      this.#tasks[i] = undefined
      try {
        task!()
      } catch (error) {
        // The tasks of other sockets and transports must not be lost with this one. Its error still ends up uncaught.
        queueMicrotask(() => { throw error })
      }
    }
    this.#taskCount = 0
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
        queueMicrotask(() => { throw error })
      }
    }
  }
}
