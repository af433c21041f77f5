import { nowNs, SECOND_NS } from '../../base/clock.js'
import { Linux } from '../../native/system-calls.js'
import type { Alarm } from '../engine.js'
import { closeDescriptor, keepDescriptor } from './descriptor.js'
import type { EpollEngineParts } from './epoll-socket.js'
import { checked } from './system-error.js'

/**
 * A timer of the kernel (timerfd_create(2)) among the descriptors that the loop waits for. Where the loop's own waits
 * count in milliseconds this one has the kernel's resolution; what remains is the time that a sleeping thread takes to
 * come back to a core.
 */
export class EpollAlarm implements Alarm {
  readonly precisionNs = 100_000
  readonly #parts: EpollEngineParts
  readonly #onRing: () => void
  readonly #fd: number
  readonly #entry: number
  /** `struct itimerspec`: interval and time to the first ring, each in seconds and nanoseconds. */
  readonly #words = new BigInt64Array(4)
  readonly #spec = new Uint8Array(this.#words.buffer)
  #isClosed = false

  constructor (parts: EpollEngineParts, onRing: () => void) {
    this.#parts = parts
    this.#onRing = onRing
    const { loop } = parts
    const { system } = loop
    this.#fd = keepDescriptor(
      system,
      checked(
        system,
        'timerfd_create',
        system.timerfd_create(Linux.CLOCK_MONOTONIC, Linux.TFD_NONBLOCK | Linux.TFD_CLOEXEC)
      )
    )
    try {
      this.#entry = loop.interest.add(this.#fd, Linux.EPOLLIN, this)
    } catch (error) {
      closeDescriptor(system, this.#fd)
      throw error
    }
    loop.hold(parts.spin)
  }

  set (atNs: number): void {
    this.#arm(Math.max(1, Math.round(atNs - nowNs())))
  }

  /** Setting a timer anew makes it unreadable again, so nothing is read from it. */
  handleEvents (): void {
    this.#arm(0)
    this.#onRing()
  }

  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const { loop, spin } = this.#parts
    loop.interest.forget(this.#entry)
    closeDescriptor(loop.system, this.#fd)
    loop.release(spin)
  }

  /** `waitNs` 0: never. */
  #arm (waitNs: number): void {
    if (this.#isClosed) return
    this.#words[2] = BigInt(Math.floor(waitNs / SECOND_NS))
    this.#words[3] = BigInt(waitNs % SECOND_NS)
    const { system } = this.#parts.loop
    checked(system, 'timerfd_settime', system.timerfd_settime(this.#fd, 0, this.#spec, null))
  }
}
