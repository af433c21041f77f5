/** Asking with at most so many timers and sockets costs too little to be worth measuring. */
const FEW_RESOURCES = 64
/** It is not asked again for so many times as long as it took. */
const REST_FACTOR = 3

/**
 * Whether anything is set for "immediately". Only `process.getActiveResourcesInfo()` says so, and it lists every timer
 * and socket of the program: 0.5 µs with none of them, 70 µs with a thousand sockets. So it is given at most a quarter
 * of the time. Until it may be asked again the answer is yes: Node has a turn too many, but never one too late.
 */
export class Immediates {
  readonly #resources: () => readonly string[]
  readonly #now: () => number
  #askAgainMs = -Infinity

  /** The arguments are for tests. */
  constructor (
    resources: () => readonly string[] = () => process.getActiveResourcesInfo(),
    now = () => performance.now()
  ) {
    this.#resources = resources
    this.#now = now
  }

  readonly areSet = (nowMs: number): boolean => {
    if (nowMs < this.#askAgainMs) return true
    const resources = this.#resources()
    if (resources.length > FEW_RESOURCES) {
      const endMs = this.#now()
      this.#askAgainMs = endMs + (endMs - nowMs) * REST_FACTOR
    }
    return resources.includes('Immediate')
  }
}
