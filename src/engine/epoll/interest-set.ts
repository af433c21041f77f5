import { Linux, type SystemCalls } from '../../native/system-calls.js'
import { keepDescriptor } from './descriptor.js'
import { checked } from './system-error.js'

/** Told what happened to its descriptor: bits of `EPOLLIN`, `EPOLLOUT`, `EPOLLERR`, `EPOLLHUP`. */
export interface Watcher {
  handleEvents (events: number): void
}

const MAX_EVENTS = 256
/**
 * `struct epoll_event { uint32_t events; uint64_t data }` has no gap on x86-64, where it is packed, and on
 * x86, where 64 bits align to 32. In 32-bit words:
 */
const PACKED = process.arch === 'x64' || process.arch === 'ia32'
const EVENT_WORDS = PACKED ? 3 : 4
const DATA_WORD = PACKED ? 1 : 2
const EINTR = Linux.EINTR

/**
 * An epoll instance (epoll(7)), level-triggered. The kernel keeps, with each descriptor, the number of its entry here
 * and of that entry's user: an event of a descriptor that was closed earlier in the same batch, or is still open in a
 * child process that is just being made, is dropped, whatever has got its number since.
 */
export class InterestSet {
  readonly #system: SystemCalls
  readonly #fd: number
  readonly #events = new Int32Array(MAX_EVENTS * EVENT_WORDS)
  readonly #scratch = new Int32Array(EVENT_WORDS)
  readonly #watchers: Array<Watcher | null> = []
  /** Of each entry: how many users it has had. */
  readonly #generations: number[] = []
  readonly #freeEntries: number[] = []

  constructor (system: SystemCalls) {
    this.#system = system
    this.#fd = keepDescriptor(system, checked(system, 'epoll_create1', system.epoll_create1(Linux.EPOLL_CLOEXEC)))
  }

  /** Returns the entry to name in the other calls. */
  add (fd: number, interest: number, watcher: Watcher): number {
    const entry = this.#freeEntries.pop() ?? this.#watchers.push(null) - 1
    this.#watchers[entry] = watcher
    this.#generations[entry] ??= 0
    try {
      this.#control(Linux.EPOLL_CTL_ADD, fd, entry, interest)
    } catch (error) {
      this.forget(entry)
      throw error
    }
    return entry
  }

  /** `EPOLLERR` and `EPOLLHUP` come in any case. */
  setInterest (fd: number, entry: number, interest: number): void {
    this.#control(Linux.EPOLL_CTL_MOD, fd, entry, interest)
  }

  /** Nothing comes any more, not even `EPOLLHUP`, until `rewatch()`. */
  unwatch (fd: number, entry: number): void {
    this.#control(Linux.EPOLL_CTL_DEL, fd, entry, 0)
  }

  rewatch (fd: number, entry: number, interest: number): void {
    this.#control(Linux.EPOLL_CTL_ADD, fd, entry, interest)
  }

  /** The descriptor is being closed, which takes it out of the set. */
  forget (entry: number): void {
    this.#watchers[entry] = null
    this.#generations[entry] = (this.#generations[entry]! + 1) | 0
    this.#freeEntries.push(entry)
  }

  /**
   * Waits up to `timeoutMs` and hands out what happened. Returns how many events that were; -1: a signal ended the
   * wait.
   */
  dispatch (timeoutMs: number): number {
    const events = this.#events
    const count = this.#system.epoll_wait(this.#fd, events, MAX_EVENTS, timeoutMs)
    if (count < 0) {
      const errno = this.#system.errno()
      if (errno === EINTR) return -1
      checked(this.#system, 'epoll_wait', -1)
    }
    for (let word = 0, end = count * EVENT_WORDS; word < end; word += EVENT_WORDS) {
      const entry = events[word + DATA_WORD]!
      if (this.#generations[entry] === events[word + DATA_WORD + 1]) this.#watchers[entry]!.handleEvents(events[word]!)
    }
    return count
  }

  #control (operation: number, fd: number, entry: number, interest: number): void {
    const event = this.#scratch
    event[0] = interest
    event[DATA_WORD] = entry
    event[DATA_WORD + 1] = this.#generations[entry]!
    checked(this.#system, 'epoll_ctl', this.#system.epoll_ctl(this.#fd, operation, fd, event))
  }
}
