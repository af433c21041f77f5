import type net from 'node:net'
import type { TunnelError } from '../../base/errors.js'
import type { EngineCounters, Reader, Socket } from '../engine.js'
import type { Corked, TurnEnd } from '../turn-end.js'

/** What all sockets of one engine share. */
export interface NodeEngineParts {
  readonly counters: EngineCounters
  readonly turnEnd: TurnEnd
  /**
   * Read into by every connecting socket that has no claim armed. One is enough: Node reads and calls back in one go, and the
   * bytes are copied out before the callback returns.
   */
  readonly parking: Uint8Array
  /** Claims of connecting sockets that wait for their bytes. */
  reservations: number
}

/** Everything but the way bytes come in, which differs between accepted and connecting sockets. */
export abstract class NodeSocket implements Socket, Corked {
  protected abstract readonly raw: net.Socket
  protected readonly parts: NodeEngineParts
  protected reader: Reader | null = null
  /** True from a `claim()` that returned null to the next `resume()`. */
  protected paused = false
  /** No byte and no end reaches the reader any more: this side reset the connection, or it broke. */
  protected cut = false
  /** Bytes that were read when the reader had no room for them. Reading rests until they are gone. */
  private stash: Uint8Array | null = null
  /** End-of-file was read while bytes were stashed. */
  private endHeldBack = false
  private isShutDown = false
  private isCorked = false
  private pendingWrites = 0
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

  /** Subclasses call this once `raw` is there. */
  protected watch (): void {
    this.raw.on('error', (cause) => this.fail(this.toTunnelError(cause)))
    this.raw.on('end', this.handleEnd)
    this.raw.on('close', () => {
      this.descriptorClosed = true
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
    const done = () => {
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
    if (this.isShutDown || this.cut) return
    this.isShutDown = true
    const { raw } = this
    // Told so while it connects Node would never finish once the first address of a name has failed.
    if (raw.connecting) raw.once('connect', () => { raw.end() })
    else raw.end()
  }

  reset (): void {
    if (this.cut) return
    this.cut = true
    this.stash = null
    const { raw } = this
    if (this.descriptorClosed) {
      this.parts.turnEnd.addTask(() => this.tryFinish())
    } else if (!this.isTcp() || raw.connecting) {
      // Node keeps a `resetAndDestroy()` for later while it connects, which may be never.
      raw.destroy()
    } else if (raw.writableEnded && !raw.writableFinished && raw.writableLength === 0) {
      // Everything is written and shutdown(2) is about to be called. libuv refuses a reset just then, and Node loses the
      // descriptor over it. It does not depend on the peer and is over within a turn. The memory armed for the next read is given up now.
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
      const taken = this.copyIn(stash)
      if (this.cut) return
      if (taken < stash.length) return this.hold(stash.subarray(taken))
    }
    if (!this.endHeldBack) return this.startReading()
    this.sendEnd()
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

  /** Keeps bytes for which there is no room until `resume()`. They must belong to nobody else. */
  protected hold (bytes: Uint8Array): void {
    this.paused = true
    if (!this.cut) this.stash = bytes
  }

  /** Records why the connection is going away; `reader.close()` follows when it is gone. The first reason counts. */
  protected fail (error: TunnelError): void {
    if (this.cut) return
    this.cut = true
    this.error = error
    this.stash = null
  }

  private readonly handleEnd = (): void => {
    if (this.cut) return
    // Node announces the end of a paused stream too, as soon as its own buffer is empty.
    if (this.stash === null) this.sendEnd()
    else this.endHeldBack = true
  }

  private sendEnd (): void {
    this.endHeldBack = false
    this.reader?.end()
  }

  /** The last call to the reader: the descriptor is gone, all memory is released, and all that arrived is delivered. */
  private tryFinish (): void {
    if (this.closeSent || !this.descriptorClosed || this.pendingWrites > 0 || this.stash !== null) return
    this.closeSent = true
    this.cut = true
    this.reader?.close(this.error)
  }
}
