import { Duplex } from 'node:stream'
import type { ServerChannel, ServerChannelHandler } from './server-channel.js'

/** What is read ahead of the stream's user; beyond it the client runs out of credit. */
const READ_HIGH_WATER_BYTES = 65_536
const WRITE_HIGH_WATER_BYTES = 65_536

/** How long the client may go on after this side has ended, before it is cut off. Until then what it sends is thrown away: a reset would take the last response with it. */
const LINGER_MS = 5000

let isNodeDue = false

/** Streams go on in ticks and promises, for which the epoll engine's loop leaves Node a turn within a millisecond, and at once where something is set for "immediately". */
function askForNode (): void {
  if (isNodeDue) return
  isNodeDue = true
  setImmediate(() => { isNodeDue = false })
}

/** A channel as a stream of Node: for servers that take a socket. What is written is copied into the tunnel's memory as far as there is room, and waits for more otherwise. */
export class ChannelDuplex extends Duplex implements ServerChannelHandler {
  readonly #channel: ServerChannel
  /** What `read()` has not asked for yet. */
  readonly #inputs: Array<{ readonly view: Uint8Array, readonly release: () => void }> = []
  #wantsInput = false
  #clientEnded = false
  /** Requests of this connection that are not answered. */
  requests = 0
  /** What is being written, and how far. */
  #output: readonly Uint8Array[] = []
  #outputIndex = 0
  #outputAt = 0
  #onWritten: ((error?: Error | null) => void) | null = null
  #isOver = false
  #timeoutMs = 0
  #timer: NodeJS.Timeout | null = null

  constructor (channel: ServerChannel) {
    super({ readableHighWaterMark: READ_HIGH_WATER_BYTES, writableHighWaterMark: WRITE_HIGH_WATER_BYTES, decodeStrings: true })
    this.#channel = channel
  }

  // --- From the channel

  onData (view: Uint8Array, release: () => void): void {
    if (this.destroyed) return release()
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
    this.#isOver = true
    this.#clearTimer()
    this.destroy(Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' }))
  }

  onDone (): void {
    this.#isOver = true
    this.#clearTimer()
  }

  onClaimable (): void {
    askForNode()
    this.#writeOn()
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
    if (this.#inputs.length === 0 && this.#clientEnded) this.push(null)
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
    if (!this.#isOver) {
      if (error === null && this.writableFinished) this.#timer = setTimeout(() => { if (!this.#isOver) this.#channel.reset() }, LINGER_MS).unref()
      else this.#channel.reset()
    }
    callback(error)
  }

  #startWriting (chunks: readonly Uint8Array[], callback: (error?: Error | null) => void): void {
    this.#output = chunks
    this.#outputIndex = this.#outputAt = 0
    this.#onWritten = callback
    this.#writeOn()
  }

  /** Fills claims until all is written or there is none; `onClaimable()` goes on. */
  #writeOn (): void {
    const callback = this.#onWritten
    if (callback === null || this.destroyed) return
    this.#refreshTimeout()
    let left = this.#output.reduce((sum, chunk, i) => i < this.#outputIndex ? sum : sum + chunk.length, -this.#outputAt)
    while (left > 0) {
      const claim = this.#channel.claim(left)
      if (claim === null) return
      const room = Math.min(claim.length, left)
      for (let used = 0; used < room;) {
        const chunk = this.#output[this.#outputIndex]!
        const bytes = Math.min(room - used, chunk.length - this.#outputAt)
        claim.set(chunk.subarray(this.#outputAt, this.#outputAt + bytes), used)
        used += bytes
        this.#outputAt += bytes
        if (this.#outputAt < chunk.length) continue
        this.#outputIndex++
        this.#outputAt = 0
      }
      this.#channel.commit(room, true)
      left -= room
    }
    this.#output = []
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

  get timeout (): number { return this.#timeoutMs }
  setNoDelay (): this { return this }
  setKeepAlive (): this { return this }
  ref (): this { return this }
  unref (): this { return this }
  get remoteAddress (): undefined { return undefined }
  get encrypted (): boolean { return false }

  destroySoon (): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => { this.destroy() })
  }

  #refreshTimeout (): void {
    if (this.#timeoutMs === 0 || this.destroyed) return
    if (this.#timer !== null) this.#timer.refresh()
    else this.#timer = setTimeout(() => { this.emit('timeout') }, this.#timeoutMs).unref()
  }

  #clearTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
