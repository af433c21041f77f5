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
  /** The last list was a long one. */
  #isCostly = false
  #askAgainMs = 0

  /** The arguments are for tests. */
  constructor (
    resources: () => readonly string[] = () => process.getActiveResourcesInfo(),
    now = () => performance.now()
  ) {
    this.#resources = resources
    this.#now = now
  }

  readonly areSet = (): boolean => this.#isCostly ? this.#askRarely() : this.#ask()

  #askRarely (): boolean {
    const startMs = this.#now()
    if (startMs < this.#askAgainMs) return true
    const isSet = this.#ask()
    const endMs = this.#now()
    this.#askAgainMs = endMs + (endMs - startMs) * REST_FACTOR
    return isSet
  }

  #ask (): boolean {
    const resources = this.#resources()
    this.#isCostly = resources.length > FEW_RESOURCES
    return resources.includes('Immediate')
  }
}
