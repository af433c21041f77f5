/** A socket that collects the writes of one turn, so that they leave in one `writev`. */
export interface Corked {
  uncork (): void
}

/**
 * What happens once per turn of the loop. The first task or corked socket of a turn asks for one `setImmediate`, whose phase
 * follows the one in which Node reads sockets; its pass runs all tasks first and uncorks all sockets then, whatever the order
 * in which they were added, so what a task writes leaves in the same pass. The arrays are kept from turn to turn.
 */
export class TurnEnd {
  private readonly tasks: Array<(() => void) | undefined> = []
  private taskCount = 0
  private readonly corked: Array<Corked | undefined> = []
  private corkedCount = 0
  private scheduled = false

  addTask (task: () => void): void {
    this.tasks[this.taskCount++] = task
    this.schedule()
  }

  /** Calls `socket.uncork()` once, after the tasks of this turn. */
  addCorked (socket: Corked): void {
    this.corked[this.corkedCount++] = socket
    this.schedule()
  }

  private schedule (): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.run)
  }

  private readonly run = (): void => {
    do {
      this.runTasks()
      this.uncorkAll()
    } while (this.taskCount > 0)
    this.scheduled = false
  }

  private runTasks (): void {
    for (let i = 0; i < this.taskCount; i++) {
      const task = this.tasks[i]
      this.tasks[i] = undefined
      try {
        task?.()
      } catch (error) {
        // The tasks of other sockets and transports must not be lost with this one. Its error still ends up uncaught.
        queueMicrotask(() => { throw error })
      }
    }
    this.taskCount = 0
  }

  private uncorkAll (): void {
    for (let i = 0; i < this.corkedCount; i++) {
      const socket = this.corked[i]
      this.corked[i] = undefined
      socket?.uncork()
    }
    this.corkedCount = 0
  }
}
