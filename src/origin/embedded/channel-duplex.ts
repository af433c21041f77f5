import { Duplex } from 'node:stream'
import type { ConnectionAddresses } from '../../base/address.js'
import { ChunkWriter } from './chunk-writer.js'
import { Closing, type CloseLimits, DEFAULT_CLOSE_LIMITS } from './closing.js'
import type { ServerChannel, ServerChannelHandler } from './server-channel.js'

/** What is read ahead of the stream's user; beyond it the client runs out of credit. */
const READ_HIGH_WATER_BYTES = 65_536
const WRITE_HIGH_WATER_BYTES = 65_536

/** Stands in for an unknown client address. A program that trusts this machine (127.0.0.1) must not trust this one. */
const UNKNOWN: ConnectionAddresses = {
  family: 'IPv4', remoteAddress: '0.0.0.0', remotePort: 0, localAddress: '0.0.0.0', localPort: 0
}

let isNodeDue = false

/**
 * Streams go on in ticks and promises, for which the epoll engine's loop leaves Node a turn within a millisecond, and
 * at once where something is set for "immediately".
 */
function askForNode (): void {
  if (isNodeDue) return
  isNodeDue = true
  setImmediate(() => { isNodeDue = false })
}

/**
 * A channel as a stream of Node that behaves as a `net.Socket`: for servers that take one. What is written is copied
 * into the tunnel's memory as far as there is room, and waits for more otherwise.
 */
export class ChannelDuplex extends Duplex implements ServerChannelHandler {
  /** Of Node's streams, and missing from its types. */
  declare readonly writableBuffer?: ReadonlyArray<{ readonly chunk: Uint8Array } | null>
  readonly #channel: ServerChannel
  readonly #limits: CloseLimits
  readonly #writer: ChunkWriter
  /** What `read()` has not asked for yet. */
  readonly #inputs: Array<{ readonly view: Uint8Array, readonly release: () => void }> = []
  #wantsInput = false
  #clientEnded = false
  #wasReset = false
  #onWritten: ((error?: Error | null) => void) | null = null
  #isOver = false
  #resets = false
  #closing: Closing | null = null
  /** undefined: nobody has set one, as with `net.Socket`. */
  #timeoutMs: number | undefined
  #timer: NodeJS.Timeout | null = null
  bytesRead = 0
  #bytesTaken = 0

  constructor (channel: ServerChannel, limits: CloseLimits = DEFAULT_CLOSE_LIMITS) {
    super({
      readableHighWaterMark: READ_HIGH_WATER_BYTES,
      writableHighWaterMark: WRITE_HIGH_WATER_BYTES,
      decodeStrings: true,
      // As a socket's: its 'close' says whether there was an error.
      emitClose: false
    })
    this.#channel = channel
    this.#limits = limits
    this.#writer = new ChunkWriter(channel)
  }

  // --- From the channel

  onData (view: Uint8Array, release: () => void): void {
    if (this.#closing !== null) return this.#closing.onData(release)
    if (this.destroyed) return release()
    this.bytesRead += view.length
    this.#refreshTimeout()
    this.#inputs.push({ view, release })
    askForNode()
    this.#pushInputs()
  }

  onEnd (): void {
    this.#clientEnded = true
    askForNode()
    this.#pushInputs()
  }

  onReset (): void {
    this.onDone()
    this.#wasReset = true
    askForNode()
    if (this.#onWritten !== null) this.destroy(resetError('write'))
    this.#pushInputs()
  }

  onDone (): void {
    this.#isOver = true
    this.#closing?.stop()
  }

  onClaimable (): void {
    askForNode()
    if (this.#closing === null) this.#writeOn()
    else this.#closing.onClaimable()
  }

  // --- To the stream

  override _read (): void {
    this.#wantsInput = true
    this.#pushInputs()
  }

  #pushInputs (): void {
    while (this.#wantsInput) {
      const input = this.#inputs.shift()
      if (input === undefined) break
      // The stream may keep it for as long as it likes, and the tunnel's memory is needed again.
      const copy = Buffer.from(input.view)
      input.release()
      this.#wantsInput = this.push(copy)
    }
    if (this.#inputs.length > 0) return
    // What was sent before a reset is read before it.
    if (this.#wasReset) this.destroy(resetError('read'))
    else if (this.#clientEnded) this.push(null)
  }

  override _write (chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#startWriting([chunk], callback)
  }

  override _writev (chunks: Array<{ chunk: Uint8Array }>, callback: (error?: Error | null) => void): void {
    this.#startWriting(chunks.map(({ chunk }) => chunk), callback)
  }

  override _final (callback: (error?: Error | null) => void): void {
    this.#channel.end()
    callback()
  }

  override _destroy (error: Error | null, callback: (error: Error | null) => void): void {
    this.#clearTimer()
    for (const { release } of this.#inputs.splice(0)) release()
    this.#onWritten = null
    if (this.#resets && !this.#isOver) {
      this.#channel.reset()
    } else if (!this.#isOver) {
      this.#closing = new Closing(this.#channel, [...this.#writer.rest(), ...this.#unseen()], this.#limits)
    }
    callback(error)
    process.nextTick(() => { this.emit('close', error !== null) })
  }

  /** What was written and `_write()` has not seen. */
  #unseen (): Uint8Array[] {
    return (this.writableBuffer ?? []).flatMap((one) => one === null ? [] : [one.chunk])
  }

  #startWriting (chunks: readonly Uint8Array[], callback: (error?: Error | null) => void): void {
    if (this.#isOver) return callback(resetError('write'))
    for (const { length } of chunks) this.#bytesTaken += length
    this.#writer.start(chunks)
    this.#onWritten = callback
    this.#writeOn()
  }

  #writeOn (): void {
    const callback = this.#onWritten
    if (callback === null || this.destroyed) return
    this.#refreshTimeout()
    if (!this.#writer.pump()) return
    this.#onWritten = null
    callback()
  }

  // --- What servers expect of a socket

  setTimeout (timeoutMs: number, callback?: () => void): this {
    this.#timeoutMs = timeoutMs
    this.#clearTimer()
    if (callback !== undefined) {
      if (timeoutMs === 0) this.removeListener('timeout', callback)
      else this.once('timeout', callback)
    }
    this.#refreshTimeout()
    return this
  }

  get timeout (): number | undefined { return this.#timeoutMs }
  setNoDelay (): this { return this }
  setKeepAlive (): this { return this }
  ref (): this { return this }
  unref (): this { return this }
  get encrypted (): boolean { return false }
  get connecting (): boolean { return false }
  get pending (): boolean { return false }
  get bytesWritten (): number { return this.#unseen().reduce((sum, { length }) => sum + length, this.#bytesTaken) }
  get bufferSize (): number { return this.writableLength }
  get readyState (): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  get #addresses (): ConnectionAddresses { return this.#channel.addresses ?? UNKNOWN }
  get remoteAddress (): string { return this.#addresses.remoteAddress }
  get remoteFamily (): string { return this.#addresses.family }
  get remotePort (): number { return this.#addresses.remotePort }
  get localAddress (): string { return this.#addresses.localAddress }
  get localFamily (): string { return this.#addresses.family }
  get localPort (): number { return this.#addresses.localPort }
  address (): { address: string, family: string, port: number } {
    const { family, localAddress, localPort } = this.#addresses
    return { address: localAddress, family, port: localPort }
  }

  destroySoon (): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => { this.destroy() })
  }

  resetAndDestroy (): this {
    this.#resets = true
    return this.destroy()
  }

  #refreshTimeout (): void {
    if (this.#timeoutMs === undefined || this.#timeoutMs === 0 || this.destroyed) return
    if (this.#timer !== null) this.#timer.refresh()
    else this.#timer = setTimeout(() => { this.emit('timeout') }, this.#timeoutMs).unref()
  }

  #clearTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

function resetError (syscall: 'read' | 'write'): Error {
  return Object.assign(new Error(`${syscall} ECONNRESET`), { code: 'ECONNRESET', syscall })
}
