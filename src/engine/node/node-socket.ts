import type net from 'node:net'
import { nowNs } from '../../base/clock.js'
import { NO_BYTES } from '../../base/copy-bytes.js'
import type { TunnelError } from '../../base/errors.js'
import type { EngineCounters, Reader, Socket } from '../engine.js'
import { OrderedReset, STALL_LIMIT_MS } from '../ordered-reset.js'
import { systemCode } from '../socket-errors.js'
import type { Corked, TurnEnd } from '../turn-end.js'
import { findReset, readUnread, type Unread } from './unread.js'
import { unackedBytes } from './unacked-bytes.js'

/** What all sockets of one engine share. */
export interface NodeEngineParts {
  readonly counters: EngineCounters
  readonly turnEnd: TurnEnd
  /**
   * Read into by every connecting socket that has no claim armed. One is enough: Node reads and calls back in one go,
   * and the bytes are copied out before the callback returns.
   */
  readonly parking: Uint8Array
  /** Claims of connecting sockets that wait for their bytes. */
  reservations: number
}

/** Where the system does not say when the other side has everything, a reset waits this long after the last byte. */
const BLIND_PAUSE_MS = 100
/**
 * How often the other side is asked whether it is still there after its half-close: Node does not watch a socket that
 * it reads no more.
 */
const PROBE_INTERVAL_MS = 100

/** Everything but the way bytes come in, which differs between accepted and connecting sockets. */
export abstract class NodeSocket implements Socket, Corked {
  protected abstract readonly raw: net.Socket
  protected readonly parts: NodeEngineParts
  protected reader: Reader | null = null
  /** True from a `claim()` that returned null to the next `resume()`. */
  protected paused = false
  /** This side has cut the connection off: no byte and no end reaches the reader any more. */
  protected cut = false
  /** The connection has ended for Node. What was read before that still reaches the reader. */
  private broken = false
  /** Bytes that were read when the reader had no room for them. Reading rests until they are gone. */
  private stash: Uint8Array | null = null
  /** End-of-file was read while bytes were stashed. */
  private endHeldBack = false
  private isShutDown = false
  private isCorked = false
  private pendingWrites = 0
  private endSent = false
  /** What the kernel held when a write failed. */
  private unread: Unread | null = null
  private orderedReset: OrderedReset | null = null
  private isAborted = false
  private stallTimer: NodeJS.Timeout | undefined
  private probeTimer: NodeJS.Timeout | undefined
  private error: TunnelError | null = null
  private descriptorClosed = false
  private closeSent = false
  pendingBytes = 0

  constructor (parts: NodeEngineParts) {
    this.parts = parts
    parts.counters.socketsOpened++
  }

  protected abstract isTcp (): boolean
  protected abstract toTunnelError (cause: unknown): TunnelError
  protected abstract startReading (): void
  /** What comes in from here on is thrown away. */
  protected abstract discard (): void

  /** Subclasses call this once `raw` is there. */
  protected watch (): void {
    this.raw.on('error', (cause) => { this.handleError(cause) })
    this.raw.on('end', this.handleEnd)
    this.raw.on('close', () => {
      this.descriptorClosed = true
      clearInterval(this.probeTimer)
      this.orderedReset?.stop()
      this.parts.counters.socketsClosed++
      this.tryFinish()
    })
  }

  start (reader: Reader): void {
    this.reader = reader
  }

  write (view: Uint8Array, release: () => void): void {
    const bytes = view.length
    this.pendingBytes += bytes
    this.pendingWrites++
    const done = (error?: Error | null): void => {
      if (error != null) this.handleWriteError(error)
      this.pendingBytes -= bytes
      this.pendingWrites--
      release()
      this.tryFinish()
    }
    if (bytes === 0 || this.isShutDown || this.cut || this.raw.destroyed) {
      this.parts.turnEnd.addTask(done)
      return
    }
    if (!this.isCorked) {
      this.isCorked = true
      this.raw.cork()
      this.parts.turnEnd.addCorked(this)
    }
    this.raw.write(view, done)
  }

  /** For the end of the turn only. */
  uncork (): void {
    this.isCorked = false
    this.raw.uncork()
  }

  shutdown (): void {
    if (this.isShutDown || this.cut || this.broken) return
    this.isShutDown = true
    const { raw } = this
    // Told so while it connects Node would never finish once the first address of a name has failed.
    if (raw.connecting) raw.once('connect', () => { raw.end() })
    else raw.end()
  }

  reset (): void {
    if (this.cut) return
    if (this.descriptorClosed || (this.raw.connecting && this.pendingWrites === 0)) return this.abort()
    this.cut = true
    this.stash = null
    const resetAtNs = nowNs()
    this.orderedReset = new OrderedReset(() => this.unsentBytes(resetAtNs), () => { this.abort() })
    // A peer that writes before it reads must not wait for ever.
    this.discard()
    this.parts.turnEnd.addTask(() => { if (!this.descriptorClosed) this.orderedReset!.look() })
  }

  abort (): void {
    if (this.isAborted) return
    this.isAborted = this.cut = true
    this.stash = null
    this.orderedReset?.stop()
    const { raw } = this
    if (this.descriptorClosed) {
      this.parts.turnEnd.addTask(() => this.tryFinish())
    } else if (!this.isTcp() || raw.connecting) {
      // Node keeps a `resetAndDestroy()` for later while it connects, which may be never.
      raw.destroy()
    } else if (raw.writableEnded && !raw.writableFinished && raw.writableLength === 0) {
      // Everything is written and shutdown(2) is about to be called. libuv refuses a reset just then, and Node loses
      // the descriptor over it. It does not depend on the peer and is over within a turn. The memory armed for the next
      // read is given up now.
      raw.pause()
      raw.once('finish', () => raw.resetAndDestroy())
    } else {
      raw.resetAndDestroy()
    }
  }

  resume (): void {
    if (!this.paused || this.cut) return
    this.paused = false
    const { stash } = this
    if (stash !== null) {
      this.stash = null
      // The limit counts from the reader's last progress.
      this.stallTimer?.refresh()
      this.take(stash)
      if (this.cut || this.stash !== null) return
    }
    if (this.endHeldBack) this.sendEnd()
    else if (!this.broken) return this.startReading()
    this.tryFinish()
  }

  /** Copies into claims as much of `bytes` as there is room for, and returns how much that was. */
  protected copyIn (bytes: Uint8Array): number {
    const { reader } = this
    if (reader === null) return 0
    let taken = 0
    while (taken < bytes.length && !this.cut) {
      const claim = reader.claim(bytes.length - taken)
      if (claim === null) break
      const length = Math.min(claim.length, bytes.length - taken)
      claim.set(length === bytes.length ? bytes : bytes.subarray(taken, taken + length))
      taken += length
      this.parts.counters.copiedBytes += length
      reader.commit(length, true)
    }
    return taken
  }

  /**
   * Hands `bytes` on, and keeps until `resume()` what there is no room for: a copy of bytes that are not `isOwn`.
   * Returns whether there was room.
   */
  protected take (bytes: Uint8Array, isOwn = true): boolean {
    if (this.stash !== null) {
      this.stash = Buffer.concat([this.stash, bytes])
      return false
    }
    const taken = this.copyIn(bytes)
    if (taken === bytes.length) return true
    this.paused = true
    if (!this.cut) this.stash = isOwn ? bytes.subarray(taken) : bytes.slice(taken)
    return false
  }

  /** Written, and not with the other side's kernel. A Unix socket's bytes are, as soon as they are sent. */
  private unsentBytes (resetAtNs: number): number {
    const { raw } = this
    if (raw.writableLength > 0 || !this.isTcp() || raw.bytesWritten === 0) return raw.writableLength
    return unackedBytes(raw) ?? (nowNs() - resetAtNs < BLIND_PAUSE_MS * 1e6 ? 1 : 0)
  }

  /**
   * Node closes the connection now, and would throw away what the other side had sent before it cut the connection off.
   */
  private handleWriteError (error: Error): void {
    const code = systemCode(error)
    if (this.cut || this.broken || this.unread !== null || (code !== 'EPIPE' && code !== 'ECONNRESET')) return
    const { chunks, hasEnd } = readUnread(this.raw)
    // After ECONNRESET the kernel reports end-of-file, too, but there was none.
    this.unread = { chunks, hasEnd: hasEnd && code === 'EPIPE' }
  }

  /** `reader.close()` follows when the reader has taken what was read before. The first reason counts. */
  private handleError (cause: Error): void {
    if (this.cut || this.broken) return
    this.fail(this.toTunnelError(cause))
    // Of a stream that has failed this gives what it holds, and emits nothing.
    const buffered = this.raw.read() as Buffer | null
    if (buffered !== null) this.take(buffered)
    for (const chunk of this.unread?.chunks ?? []) this.take(chunk)
    if (this.unread?.hasEnd === true) this.holdEnd()
    if (this.stash === null) return
    this.stallTimer = setTimeout(() => {
      this.stash = null
      this.tryFinish()
    }, STALL_LIMIT_MS)
  }

  protected fail (error: TunnelError): void {
    if (this.cut || this.broken) return
    this.broken = true
    this.error = error
  }

  private readonly handleEnd = (): void => {
    if (this.cut || this.broken) return
    const reset = this.isTcp() ? findReset(this.raw) : null
    if (reset === null) this.holdEnd()
    else this.raw.destroy(reset)
  }

  /**
   * Node announces the end of a paused stream too, as soon as its own buffer is empty: the end waits for what is
   * stashed.
   */
  private holdEnd (): void {
    if (this.stash === null) this.sendEnd()
    else this.endHeldBack = true
  }

  private sendEnd (): void {
    this.endHeldBack = false
    if (this.endSent) return
    this.endSent = true
    if (this.isTcp() && !this.broken) this.probeTimer = setInterval(this.probe, PROBE_INTERVAL_MS)
    this.reader?.end()
  }

  /** An empty write fails where the other side has cut the connection off. */
  private readonly probe = (): void => {
    if (this.cut || this.isShutDown || this.raw.destroyed) clearInterval(this.probeTimer)
    else if (this.raw.writableLength === 0) this.raw.write(NO_BYTES)
  }

  /** The last call to the reader: the descriptor is gone, all memory is released, and all that arrived is delivered. */
  private tryFinish (): void {
    if (this.closeSent || !this.descriptorClosed || this.pendingWrites > 0 || this.stash !== null) return
    clearTimeout(this.stallTimer)
    this.closeSent = true
    this.cut = true
    this.reader?.close(this.error)
  }
}
