import type { TunnelError } from '../base/errors.js'
import type { Engine, Reader, Socket } from '../engine/engine.js'
import type { ServerChannel, ServerChannelHandler, ServerConstant, ServerConstants } from './embedded/server-channel.js'

/** Most bytes of one read. */
const READ_BYTES = 65_536
/** Longest piece that a server copies before it sends it. */
const CLAIM_BYTES = 65_536
/** A server gets no more memory while so much of what it sent waits for its client. */
const PENDING_MAX_BYTES = 262_144

/** An accepted socket in the place of a tunnel's channel: a server for the one serves the other. */
export class SocketChannel implements ServerChannel {
  readonly #engine: Engine
  readonly #socket: Socket
  readonly #input: SharedInput
  readonly #onClose: (channel: SocketChannel) => void
  #handler!: ServerChannelHandler
  #output: Uint8Array | null = null
  /** The server keeps what it was given last, and nothing more is read: a client costs one read's memory at most. */
  #isHeld = false
  /** The server was refused memory and waits for it. Until then nothing is read for it. */
  #isWaiting = false
  /** The engine was refused memory. */
  #isPaused = false
  #isTurnAsked = false
  #isClosed = false

  constructor (engine: Engine, socket: Socket, input: SharedInput, onClose: (channel: SocketChannel) => void) {
    this.#engine = engine
    this.#socket = socket
    this.#input = input
    this.#onClose = onClose
  }

  start (handler: ServerChannelHandler): void {
    this.#handler = handler
    this.#socket.start(this.#reader)
  }

  // --- For the server

  /** Not needed: the lab's endpoints are the same for every client. */
  readonly addresses = null

  get unconfirmedBytes (): number { return this.#socket.pendingBytes }

  /** The connection exists already. */
  accept (): void {}

  claim (bytes = CLAIM_BYTES): Uint8Array | null {
    if (!this.#hasRoom()) return null
    this.#output = Buffer.allocUnsafe(Math.min(bytes, CLAIM_BYTES))
    return this.#output
  }

  commit (bytes: number): void {
    this.#socket.write(this.#output!.subarray(0, bytes), this.#onWritten)
    this.#output = null
  }

  sendConstant (constant: ServerConstant, offset: number, bytes: number): number {
    if (!this.#hasRoom()) return 0
    const { view } = constant as HeapConstant
    this.#socket.write(bytes === view.length ? view : view.subarray(offset, offset + bytes), this.#onWritten)
    return bytes
  }

  end (): void {
    this.#socket.shutdown()
  }

  reset (): void {
    this.#socket.reset()
  }

  abort (): void {
    this.#socket.abort()
  }

  #hasRoom (): boolean {
    this.#isWaiting = this.#socket.pendingBytes >= PENDING_MAX_BYTES
    return !this.#isWaiting
  }

  // --- From the socket

  readonly #reader: Reader = {
    claimReserves: false,
    claim: () => {
      this.#isPaused = this.#isHeld || this.#isWaiting
      return this.#isPaused ? null : this.#input.claim()
    },
    commit: (bytes) => {
      this.#isHeld = true
      this.#handler.onData(this.#input.viewOf(bytes), this.#release)
      if (this.#isHeld) this.#input.giveAway()
    },
    end: () => { this.#handler.onEnd() },
    close: (error: TunnelError | null) => {
      this.#isClosed = true
      this.#onClose(this)
      if (error === null) this.#handler.onDone()
      else this.#handler.onReset()
    }
  }

  readonly #release = (): void => {
    this.#isHeld = false
    if (this.#isPaused) this.#askTurn()
  }

  readonly #onWritten = (): void => {
    if (this.#isWaiting) this.#askTurn()
  }

  /** Not at once: a release may come from inside the server, or from a socket that is being closed. */
  #askTurn (): void {
    if (this.#isTurnAsked) return
    this.#isTurnAsked = true
    this.#engine.atTurnEnd(this.#goOn)
  }

  readonly #goOn = (): void => {
    this.#isTurnAsked = false
    if (this.#isClosed) return
    if (this.#isWaiting && this.#hasRoom()) this.#handler.onClaimable()
    if (this.#isPaused && !this.#isHeld && !this.#isWaiting) this.#socket.resume()
  }
}

/**
 * Memory that accepted sockets read into, one after the other: for them an engine claims, reads and commits in one go.
 * What a server keeps is not written to again, and the next read gets other memory.
 */
export class SharedInput {
  #memory: Uint8Array | null = null
  #view: Uint8Array | null = null

  claim (): Uint8Array {
    this.#memory ??= Buffer.allocUnsafeSlow(READ_BYTES)
    return this.#memory
  }

  /** The first `bytes` bytes. Clients repeat themselves, so the view before often fits. */
  viewOf (bytes: number): Uint8Array {
    if (this.#view?.length !== bytes) this.#view = this.#memory!.subarray(0, bytes)
    return this.#view
  }

  giveAway (): void {
    this.#memory = this.#view = null
  }
}

interface HeapConstant extends ServerConstant {
  view: Uint8Array
}

/** Constants in ordinary memory. A rewritten one is a new copy: what is still being sent stays as it was. */
export const heapConstants: ServerConstants = {
  publish: (bytes): HeapConstant => ({ bytes: bytes.length, view: Uint8Array.from(bytes) }),
  tryRewrite: (constant, bytes) => {
    (constant as HeapConstant).view = Uint8Array.from(bytes)
    return true
  }
}
