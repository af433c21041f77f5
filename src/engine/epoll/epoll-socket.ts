import type { ConnectionAddresses } from '../../base/address.js'
import { type TunnelError } from '../../base/errors.js'
import { Linux } from '../../native/system-calls.js'
import type { EngineCounters, Reader, Socket } from '../engine.js'
import { OrderedReset, STALL_LIMIT_MS } from '../ordered-reset.js'
import { brokenError } from '../socket-errors.js'
import type { Corked } from '../turn-end.js'
import { closeDescriptor } from './descriptor.js'
import type { EventLoop } from './event-loop.js'
import type { Watcher } from './interest-set.js'
import { SendQueue, Sent } from './send-queue.js'
import { connectionAddresses } from './socket-address.js'
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
const optionValue = new Int32Array(1)
const optionBytes = Int32Array.of(4)
/** For bytes that are read and thrown away. */
const discardBuffer = new Uint8Array(65_536)

/**
 * An established connection. One `recv` per turn while there is something to read, straight into the reader's claim:
 * what is left is reported again in the next turn, so no connection starves another and no claim waits for bytes that
 * may not come. One `send` per write at the end of the turn. The interest changes only at a pause that lasts, a full
 * send buffer, and the end.
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
  /**
   * A `send` failed with this errno: the connection is over, but what came before that may not be read yet. 0: none.
   */
  #sendErrno = 0
  /** `reset()` was called: the reader gets no call but `close()`. */
  #reset: OrderedReset | null = null
  /** The other side has cut a connection off whose bytes the reader does not take. */
  #stallTimer: NodeJS.Timeout | undefined
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

  /** The reader gets no call any more but `close()`. */
  protected get isCut (): boolean {
    return this.#closed || this.#reset !== null
  }

  protected get isClosed (): boolean {
    return this.#closed
  }

  get pendingBytes (): number {
    return this.#queue.bytes
  }

  peerAddress (): ConnectionAddresses | null {
    return this.#isTcp && this.fd !== -1 ? connectionAddresses(this.parts.loop.system, this.fd) : null
  }

  write (view: Uint8Array, release: () => void): void {
    if (view.length === 0 || this.#isShutDown || this.isCut) return this.#drop(view, release)
    this.#queue.push(view, release)
    this.cork()
  }

  /** Dropped bytes count as pending until their release. */
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
    if (this.#isShutDown || this.isCut) return
    this.#isShutDown = true
    this.cork()
  }

  reset (): void {
    if (this.#closed || this.#reset !== null) return
    if (!this.isEstablished && this.#queue.isEmpty) return this.abort()
    this.#reset = new OrderedReset(() => this.#unsentBytes(), () => { this.abort() })
    // Input is discarded from here on: a peer that writes before it reads must not wait for ever.
    this.resume()
    this.cork()
  }

  abort (): void {
    if (this.#closed) return
    if (this.#isTcp && this.fd !== -1) {
      this.parts.loop.system.setsockopt(this.fd, Linux.SOL_SOCKET, Linux.SO_LINGER, LINGER_NOT, 8)
    }
    this.destroy(null)
  }

  resume (): void {
    if (!this.#paused || this.#closed) return
    this.#paused = false
    clearTimeout(this.#stallTimer)
    // What it was paused for is still there, and reported in the next turn.
    this.setInterest((this.interest === UNWATCHED ? 0 : this.interest) | EPOLLIN)
  }

  // --- Events

  handleEvents (events: number): void {
    if ((events & EPOLLOUT) !== 0) this.#send()
    if (this.fd === -1 || (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) === 0) return
    if (!this.#paused && !this.#ended) this.#read()
    else if (this.#ended && (events & EPOLLERR) !== 0) this.fail(this.takeError())
    // Both directions are over, or the peer has cut the connection off. What lies unread is not lost: `resume()` finds
    // it.
    else if ((events & (EPOLLERR | EPOLLHUP)) !== 0) this.#leaveUnread()
    else this.setInterest(this.interest & ~EPOLLIN)
  }

  /** Only the reader can go on, and it has been waited for long enough when the limit is over. */
  #leaveUnread (): void {
    this.setInterest(UNWATCHED)
    clearTimeout(this.#stallTimer)
    if (this.#paused) {
      this.#stallTimer = setTimeout(() => {
        this.fail(this.#sendErrno || this.takeError())
      }, STALL_LIMIT_MS)
    }
  }

  #read (): void {
    const reader = this.reader!
    const { system } = this.parts.loop
    const isWanted = this.#reset === null
    const claim = isWanted ? reader.claim() : discardBuffer
    if (this.fd === -1) return
    if (claim === null) {
      this.#paused = true
      return
    }
    const bytes = system.recv(this.fd, claim, claim.length, 0)
    if (bytes > 0) {
      if (!isWanted) return
      this.parts.counters.zeroCopyBytes += bytes
      reader.commit(bytes, false)
    } else if (bytes === 0) {
      this.#handleEnd()
    } else {
      const errno = system.errno()
      if (errno === Linux.EINTR) return
      if (errno !== Linux.EAGAIN) this.fail(this.#sendErrno || errno)
      else if (this.#sendErrno !== 0) this.fail(this.#sendErrno)
    }
  }

  /**
   * End-of-file. Behind a failed `send` it is the end of what could be read, and a half-close only if the kernel says
   * that one came first (EPIPE).
   */
  #handleEnd (): void {
    this.#ended = true
    const isHalfClose = this.#sendErrno === 0 || this.#sendErrno === Linux.EPIPE
    if (isHalfClose && this.#reset === null) this.reader!.end()
    if (this.#sendErrno !== 0) this.fail(this.#sendErrno)
    else if (this.#reset !== null) this.setInterest(this.interest & ~EPOLLIN)
    else if (this.#isShutDown) this.cork()
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
    // While the kernel's buffer is full, trying is useless.
    if (this.interest === UNWATCHED || (this.interest & EPOLLOUT) === 0) this.#send()
    if (!this.#closed) this.#reset?.look()
  }

  #send (): void {
    if (this.fd === -1 || this.#sendErrno !== 0) return
    const result = this.#queue.send(this.parts.loop.system, this.fd)
    if (this.fd === -1) return
    if (result >= 0) return this.#handleSendFailure(result)
    if (result === Sent.BLOCKED) return this.setInterest((this.interest === UNWATCHED ? 0 : this.interest) | EPOLLOUT)
    if (this.interest !== UNWATCHED) this.setInterest(this.interest & ~EPOLLOUT)
    if (!this.#queue.isEmpty) return
    if (this.#isShutDown) this.#sendEnd()
    this.#reset?.look()
  }

  /** The kernel may still hold what the other side sent before it cut the connection off. */
  #handleSendFailure (errno: number): void {
    const isCutOff = errno === Linux.EPIPE || errno === Linux.ECONNRESET
    if (!isCutOff || this.#ended || this.#reset !== null) return this.fail(errno)
    this.#sendErrno = errno
    this.#isShutDown = true
    this.parts.loop.turnEnd.addTask(() => { this.#queue.drop() })
    // It is reported in the next turns, until `recv` finds no more.
    if (!this.#paused) this.setInterest(EPOLLIN)
  }

  /** Written, and not with the other side's kernel. A Unix socket's bytes are, as soon as they are sent. */
  #unsentBytes (): number {
    const bytes = this.#queue.bytes
    if (bytes > 0 || !this.#isTcp || this.fd === -1) return bytes
    return this.parts.loop.system.ioctl(this.fd, Linux.SIOCOUTQ, optionValue) < 0 ? 0 : optionValue[0]!
  }

  #sendEnd (): void {
    // With everything read and everything written, closing says the same; unless a reset follows.
    if (this.#ended && this.#reset === null) this.destroy(null)
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
    return system.getsockopt(this.fd, Linux.SOL_SOCKET, Linux.SO_ERROR, optionValue, optionBytes) < 0
      ? system.errno()
      : optionValue[0]!
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
    this.#error = this.#reset === null ? error : null
    this.#reset?.stop()
    clearTimeout(this.#stallTimer)
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
