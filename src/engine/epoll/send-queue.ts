import { NO_BYTES } from '../../base/copy-bytes.js'
import { Linux, type SystemCalls } from '../../native/system-calls.js'

/** What `send()` returns: all is with the kernel, or its buffer is full. From 0 up: the errno of a failed call. */
export const Sent = { ALL: -1, BLOCKED: -2 } as const

/** The fewest places of the arrays that are worth moving the rest for. */
const MIN_COMPACTION = 64

/**
 * Writes in the order given, each sent from where it lies, and released once the kernel has taken all of it. The arrays
 * are kept.
 */
export class SendQueue {
  #views: Uint8Array[] = []
  #releases: Array<() => void> = []
  #head = 0
  #tail = 0
  /** Bytes of the first view that have been sent. */
  #offset = 0
  #stopped = false
  /** Of writes that are not released. */
  bytes = 0

  get isEmpty (): boolean {
    return this.#head === this.#tail
  }

  push (view: Uint8Array, release: () => void): void {
    this.#views[this.#tail] = view
    this.#releases[this.#tail++] = release
    this.bytes += view.length
  }

  /**
   * One `send` for each view that is here now; those pushed by a release wait. `MSG_MORE` lets TCP fill its segments. A
   * stop from inside a release ends it, with `BLOCKED`.
   */
  send (system: SystemCalls, fd: number): number {
    for (const end = this.#tail; this.#head < end;) {
      const whole = this.#views[this.#head]!
      const view = this.#offset === 0 ? whole : whole.subarray(this.#offset)
      const taken = system.send(
        fd,
        view,
        view.length,
        this.#head + 1 < end ? Linux.MSG_NOSIGNAL | Linux.MSG_MORE : Linux.MSG_NOSIGNAL
      )
      if (taken < view.length) {
        if (taken < 0) {
          const errno = system.errno()
          return errno === Linux.EAGAIN || errno === Linux.EINTR ? Sent.BLOCKED : errno
        }
        this.#offset += taken
        return Sent.BLOCKED
      }
      this.#releaseFirst()
      if (this.#stopped) return Sent.BLOCKED
    }
    this.#compact()
    return Sent.ALL
  }

  /** Releases everything unsent, including what that leads to. Nothing can be sent afterwards. */
  drop (): void {
    while (this.#head < this.#tail) this.#releaseFirst()
    this.#compact()
  }

  /** Anything that a release pushes from now on is not sent. */
  stop (): void {
    this.#stopped = true
  }

  #releaseFirst (): void {
    const release = this.#releases[this.#head]!
    this.bytes -= this.#views[this.#head]!.length
    // The places keep what they hold until they are used again or the queue is empty.
    this.#views[this.#head] = NO_BYTES
    this.#releases[this.#head] = noRelease
    this.#head++
    this.#offset = 0
    release()
  }

  #compact (): void {
    if (this.#head === this.#tail) {
      this.#head = this.#tail = 0
    } else if (this.#head >= MIN_COMPACTION && this.#head * 2 >= this.#tail) {
      this.#views = this.#views.slice(this.#head, this.#tail)
      this.#releases = this.#releases.slice(this.#head, this.#tail)
      this.#tail -= this.#head
      this.#head = 0
    }
  }
}

const noRelease = (): void => {}
