import { throwLater } from '../base/errors.js'

/**
 * Channels that go on reading when memory is free again, each with a frame or a few; more where the transport has room
 * for more.
 */
const WAKE_AT_LEAST = 4
const WAKE_AGAIN_MS = 1

/**
 * In the place of the bytes of a refusal: the waiter may claim and has not done so yet, since an engine may read a turn
 * later. It is forgotten by the second wake after that; the first may come before the engine has read.
 */
const NOTIFIED = 0
const NOTIFIED_BEFORE = -1

/** What waits: a channel. */
export interface MemoryWaiter {
  readonly handler: { onClaimable (): void }
}

/**
 * Channels whose claim failed for want of memory, longest wait first. When there is memory again they are notified in
 * that order, and only as many as there is room for, or as keep the link busy until the next time: to wake all for
 * every frame that leaves would be quadratic work, and each would get a sliver of memory. A channel that has been
 * served and stalls again goes behind the others, so nobody is starved. One that is still refused (its reader has
 * stalled and holds its share of the memory) is passed over and keeps its place, and so does one that was notified and
 * found nothing left.
 */
export class MemoryQueue<W extends MemoryWaiter> {
  /** How many bytes each was refused, or `NOTIFIED`, or `NOTIFIED_BEFORE`. */
  readonly #waiters = new Map<W, number>()
  readonly #canClaim: (waiter: W, bytes: number) => boolean
  readonly #room: () => number
  readonly #onWakeDue: () => void
  #timer: NodeJS.Timeout | null = null

  /**
   * `canClaim` and `room` ask the transport. `onWakeDue` is called when it is time for `wake()` although the transport
   * has no reason to say so.
   */
  constructor (canClaim: (waiter: W, bytes: number) => boolean, room: () => number, onWakeDue: () => void) {
    this.#canClaim = canClaim
    this.#room = room
    this.#onWakeDue = onWakeDue
  }

  /** A claim of `bytes` failed. One that waits already keeps its place. Returns whether it is new here. */
  handleRefusal (waiter: W, bytes: number): boolean {
    const isNew = !this.#waiters.has(waiter)
    this.#waiters.set(waiter, bytes)
    return isNew
  }

  /** It got memory, or needs none any more. */
  remove (waiter: W): void {
    this.#waiters.delete(waiter)
  }

  /** There is memory again. */
  wake (): void {
    this.#cancelTimer()
    let left = Math.max(WAKE_AT_LEAST, this.#room())
    for (const [waiter, bytes] of this.#waiters) {
      // The transport calls again for those whom it refuses only, and those just woken may have nothing to send.
      if (left === 0) return this.#wakeSoon()
      if (bytes === NOTIFIED_BEFORE) this.#waiters.delete(waiter)
      else if (bytes === NOTIFIED) this.#waiters.set(waiter, NOTIFIED_BEFORE)
      else if (this.#canClaim(waiter, bytes)) {
        left--
        this.#notify(waiter)
      }
    }
  }

  #notify (waiter: W): void {
    this.#waiters.set(waiter, NOTIFIED)
    try {
      waiter.handler.onClaimable()
    } catch (error) {
      // Of the waiter's user. The others wait for their turn all the same.
      throwLater(error)
    }
  }

  /** Nobody is woken any more. */
  stop (): void {
    this.#cancelTimer()
    this.#waiters.clear()
  }

  #wakeSoon (): void {
    this.#timer = setTimeout(this.#onWakeDue, WAKE_AGAIN_MS)
  }

  #cancelTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
