import { type TunnelError } from '../../base/errors.js'
import { Linux } from '../../native/system-calls.js'
import type { EngineCounters, Reader, Socket } from '../engine.js'
import { brokenError } from '../socket-errors.js'
import type { Corked } from '../turn-end.js'
import { closeDescriptor } from './descriptor.js'
import type { EventLoop } from './event-loop.js'
import type { Watcher } from './interest-set.js'
import { SendQueue, Sent } from './send-queue.js'
import type { Spin } from './spin.js'
import { systemError } from './system-error.js'

/** What all sockets of one engine share. */
export interface EpollEngineParts {
  readonly loop: EventLoop
  readonly spin: Spin
  readonly counters: EngineCounters
}

const { EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP } = Linux
/** Not in the interest set. */
const UNWATCHED = -1
const LINGER_NOT = Int32Array.of(1, 0)
const value = new Int32Array(1)
const valueBytes = Int32Array.of(4)

/**
 * A connection that stands. One `recv` per turn while there is something to read, straight into the reader's claim: what is left is reported again in the
 * next turn, so no connection starves another and no claim waits for bytes that may not come. One `send` per write at the end of the turn.
 * The interest changes only at a pause that lasts, a full send buffer, and the end.
 */
export class EpollSocket implements Socket, Corked, Watcher {
  protected readonly parts: EpollEngineParts
  protected reader: Reader | null = null
  /** -1: not open yet, or closed. */
  protected fd: number
  /** Of the interest set; -1: none. */
  protected entry = -1
  protected interest: number = UNWATCHED
  readonly #peer: string
  readonly #isTcp: boolean
  readonly #queue = new SendQueue()
  #corked = false
  #paused = false
  #ended = false
  #isShutDown = false
  /** Writes that were dropped and whose releases are due at the turn's end. */
  #dropping = 0
  /** False: what is written waits. */
  protected isEstablished = true
  /** The descriptor is closed, or will not be opened. */
  #closed = false
  #closeSent = false
  #error: TunnelError | null = null

  /** `peer` is for messages: `accepted on /tmp/a.sock`. */
  constructor (parts: EpollEngineParts, fd: number, isTcp: boolean, peer: string) {
    this.parts = parts
    this.fd = fd
    this.#isTcp = isTcp
    this.#peer = peer
    parts.counters.socketsOpened++
    parts.loop.hold(parts.spin)
  }

  start (reader: Reader): void {
    this.reader = reader
    try {
      this.watch(EPOLLIN)
    } catch (error) {
      this.destroy(this.toTunnelError(error))
    }
  }

  protected watch (interest: number): void {
    this.entry = this.parts.loop.interest.add(this.fd, interest, this)
    this.interest = interest
  }

  protected get isClosed (): boolean {
    return this.#closed
  }

  get pendingBytes (): number {
    return this.#queue.bytes
  }

  write (view: Uint8Array, release: () => void): void {
    if (view.length === 0 || this.#isShutDown || this.#closed) return this.#drop(view, release)
    this.#queue.push(view, release)
    this.cork()
  }

  /** What is dropped still counts as pending until its release. */
  #drop (view: Uint8Array, release: () => void): void {
    this.#dropping++
    this.#queue.bytes += view.length
    this.parts.loop.turnEnd.addTask(() => {
      this.#dropping--
      this.#queue.bytes -= view.length
      release()
      this.#tryFinish()
    })
  }

  shutdown (): void {
    if (this.#isShutDown || this.#closed) return
    this.#isShutDown = true
    this.cork()
  }

  reset (): void {
    if (this.#closed) return
    if (this.#isTcp && this.fd !== -1) this.parts.loop.system.setsockopt(this.fd, Linux.SOL_SOCKET, Linux.SO_LINGER, LINGER_NOT, 8)
    this.destroy(null)
  }

  resume (): void {
    if (!this.#paused || this.#closed) return
    this.#paused = false
    // What it was paused for is still there, and reported in the next turn.
    this.setInterest((this.interest === UNWATCHED ? 0 : this.interest) | EPOLLIN)
  }

  // --- Events

  handleEvents (events: number): void {
    if ((events & EPOLLOUT) !== 0) this.#send()
    if (this.fd === -1 || (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) === 0) return
    if (!this.#paused && !this.#ended) this.#read()
    else if ((events & EPOLLERR) !== 0 && (this.#ended || this.#isTcp)) this.fail(this.takeError())
    // Both directions are over, or a Unix socket was cut off. What lies unread is not lost; `resume()` finds it, or the next write the reason.
    else if ((events & (EPOLLERR | EPOLLHUP)) !== 0) this.setInterest(UNWATCHED)
    else this.setInterest(this.interest & ~EPOLLIN)
  }

  #read (): void {
    const reader = this.reader!
    const { system } = this.parts.loop
    const claim = reader.claim()
    if (this.fd === -1) return
    if (claim === null) {
      this.#paused = true
      return
    }
    const bytes = system.recv(this.fd, claim, claim.length, 0)
    if (bytes > 0) {
      this.parts.counters.zeroCopyBytes += bytes
      reader.commit(bytes, false)
    } else if (bytes === 0) {
      this.#ended = true
      reader.end()
      if (this.#isShutDown) this.cork()
    } else {
      const errno = system.errno()
      if (errno !== Linux.EAGAIN && errno !== Linux.EINTR) this.fail(errno)
    }
  }

  /** Asks for `uncork()` at the end of the turn. */
  protected cork (): void {
    if (this.#corked) return
    this.#corked = true
    this.parts.loop.turnEnd.addCorked(this)
  }

  uncork (): void {
    this.#corked = false
    if (!this.isEstablished) return
    // While the kernel's buffer is full there is no use in trying.
    if (this.interest === UNWATCHED || (this.interest & EPOLLOUT) === 0) this.#send()
  }

  #send (): void {
    if (this.fd === -1) return
    const result = this.#queue.send(this.parts.loop.system, this.fd)
    if (this.fd === -1) return
    if (result === Sent.FAILED) return this.fail(this.parts.loop.system.errno())
    if (result === Sent.BLOCKED) return this.setInterest((this.interest === UNWATCHED ? 0 : this.interest) | EPOLLOUT)
    if (this.interest !== UNWATCHED) this.setInterest(this.interest & ~EPOLLOUT)
    if (this.#isShutDown && this.#queue.isEmpty) this.#sendEnd()
  }

  #sendEnd (): void {
    // With everything read and everything written, closing says the same.
    if (this.#ended) this.destroy(null)
    else this.parts.loop.system.shutdown(this.fd, Linux.SHUT_WR)
  }

  protected setInterest (interest: number): void {
    if (interest === this.interest || this.fd === -1) return
    const { interest: set } = this.parts.loop
    if (interest === UNWATCHED) set.unwatch(this.fd, this.entry)
    else if (this.interest === UNWATCHED) set.rewatch(this.fd, this.entry, interest)
    else set.setInterest(this.fd, this.entry, interest)
    this.interest = interest
  }

  // --- The end

  /** The error that the kernel has noted for this socket, an errno; 0: none. */
  protected takeError (): number {
    const { system } = this.parts.loop
    return system.getsockopt(this.fd, Linux.SOL_SOCKET, Linux.SO_ERROR, value, valueBytes) < 0
      ? system.errno()
      : value[0]!
  }

  protected fail (errno: number): void {
    this.destroy(this.toTunnelError(systemError('socket', errno)))
  }

  protected toTunnelError (cause: unknown): TunnelError {
    return brokenError(this.#peer, cause)
  }

  /** Closes the descriptor at once; the writes are released and `reader.close()` is called at the end of the turn. */
  protected destroy (error: TunnelError | null): void {
    if (this.#closed) return
    const { loop, counters } = this.parts
    this.#closed = true
    this.#error = error
    this.#queue.stop()
    counters.socketsClosed++
    this.forgetDescriptor()
    loop.turnEnd.addTask(() => {
      this.#queue.drop()
      this.#tryFinish()
    })
  }

  protected forgetDescriptor (): void {
    const { loop } = this.parts
    if (this.entry !== -1) loop.interest.forget(this.entry)
    if (this.fd !== -1) closeDescriptor(loop.system, this.fd)
    this.fd = this.entry = -1
    this.interest = UNWATCHED
  }

  /** The last call to the reader. */
  #tryFinish (): void {
    if (!this.#closed || this.#closeSent || this.#dropping > 0 || !this.#queue.isEmpty) return
    this.#closeSent = true
    this.parts.loop.release(this.parts.spin)
    this.reader?.close(this.#error)
  }
}
