import type { ExecutionContext } from 'ava'

/** How long this thread got no processor, at worst: what a test may ask of times depends on it. */
export class StallMeter {
  #lastMs = performance.now()
  #worstMs = 0

  constructor (t: ExecutionContext) {
    const timer = setInterval(() => { this.#look() }, 1)
    t.teardown(() => { clearInterval(timer) })
  }

  /** Of the time since the last call. */
  take (): number {
    this.#look()
    const worst = this.#worstMs
    this.#worstMs = 0
    return worst
  }

  #look (): void {
    const now = performance.now()
    this.#worstMs = Math.max(this.#worstMs, now - this.#lastMs)
    this.#lastMs = now
  }
}
