/** Channels that go on reading when memory is free again, each with a frame or a few. */
const WAKE_AT_ONCE = 4
const WAKE_AGAIN_MS = 1

/** Who may wait: a channel. */
export interface MemoryWaiter {
  readonly handler: { onClaimable (): void }
}

/**
 * Channels whose claim failed for want of memory, longest wait first. When there is memory again they are told in that order, and
 * only as many as keep the link busy until the next time: to wake all for every frame that leaves would be quadratic work, of which
 * each gets a sliver of memory. Who has been served and stalls again goes behind the others, so nobody is starved.
 */
export class MemoryQueue {
  readonly #waiters = new Set<MemoryWaiter>()
  readonly #onWakeDue: () => void
  #refused = false
  #timer: NodeJS.Timeout | null = null

  /** `onWakeDue` is called when it is time for `wake()` although the transport has no reason to say so. */
  constructor (onWakeDue: () => void) {
    this.#onWakeDue = onWakeDue
  }

  /** A claim failed: the transport will call when it has memory again. One that waits already keeps its place. */
  handleRefusal (waiter: MemoryWaiter): void {
    this.#refused = true
    this.#waiters.add(waiter)
    this.#cancelTimer()
  }

  /** It got memory, or needs none any more. */
  remove (waiter: MemoryWaiter): void {
    this.#waiters.delete(waiter)
  }

  /** There is memory again. */
  wake (): void {
    this.#cancelTimer()
    this.#refused = false
    let left = WAKE_AT_ONCE
    for (const waiter of this.#waiters) {
      if (left-- === 0) break
      waiter.handler.onClaimable()
      if (this.#refused) return
      this.#waiters.delete(waiter)
    }
    // As long as nobody is refused the transport has no reason to call, and those just woken may have nothing to send.
    if (this.#waiters.size > 0) this.#timer = setTimeout(this.#onWakeDue, WAKE_AGAIN_MS)
  }

  /** Nobody is woken any more. */
  stop (): void {
    this.#cancelTimer()
    this.#waiters.clear()
  }

  #cancelTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
