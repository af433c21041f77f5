import { ErrorCode, TunnelError } from '../../base/errors.js'
import type { Reader, Socket } from '../../engine/engine.js'
import { FrameReader, linkCutError } from '../../frame/frame-reader.js'
import { encodeHeader, type FrameHeader } from '../../frame/header.js'
import { type FrameType, HEADER_BYTES, HELLO_MAX_BYTES } from '../../frame/layout.js'

/** One byte on the socket: look at the rings. */
const BELL = 1
const BELL_MESSAGE = Uint8Array.of(BELL)

/** A peer that leaves this many bells unread needs no more of them. */
const MAX_PENDING_BELLS = 1024

/** What the socket's owner is asked and told. Errors that it throws are the peer's fault: `onBroken()` follows. */
export interface ControlSocketOwner {
  /** Whether anything can be taken now; if not, call `resume()` later. */
  isReady (): boolean
  /** The peer has mapped the segment: what it sends from here on is bells. */
  isAttached (): boolean
  onFrame (header: FrameHeader, payload: Uint8Array, release: () => void): void
  onBell (): void
  /** `hasPeerEnded` has turned true. */
  onEnd (): void
  onBroken (error: TunnelError): void
  onClose (error: TunnelError | null): void
}

/** The socket next to the segment: handshake frames first, then the doorbell. Its close is the peer's death. */
export class ControlSocket {
  readonly #owner: ControlSocketOwner
  readonly #frames: FrameReader
  readonly #bells = new Uint8Array(64)
  #socket!: Socket
  #unflushed: Uint8Array[] = []
  /** What came broke a rule: the rest is thrown away. */
  #isBroken = false
  /** It will send nothing more. */
  hasPeerEnded = false
  /** The memory claimed last is for bells, not for frames. */
  #readsBells = false
  #ended = false

  /** `open` starts the socket with the reader it is given. */
  constructor (owner: ControlSocketOwner, open: (reader: Reader) => Socket) {
    this.#owner = owner
    this.#frames = new FrameReader(HELLO_MAX_BYTES, {
      onFrame: (header, payload, release) => {
        owner.onFrame(header, payload, release)
      }
    })
    this.#socket = open(this.#reader())
  }

  /** A frame of the handshake; leaves with `flush()`. The payload is copied. */
  send (type: FrameType, channelId: number, argument: number, flags: number, payload: Uint8Array): void {
    const frame = new Uint8Array(HEADER_BYTES + payload.length)
    encodeHeader(frame, 0, { type, channelId, payloadBytes: payload.length, flags, argument })
    frame.set(payload, HEADER_BYTES)
    this.#unflushed.push(frame)
  }

  flush (): void {
    if (this.#unflushed.length === 0) return
    for (const frame of this.#unflushed.splice(0)) this.#socket.write(frame, () => {})
  }

  /** Sends one bell. False: none is needed, or none can be sent. */
  ring (): boolean {
    if (this.#ended || this.#socket.pendingBytes > MAX_PENDING_BELLS) return false
    this.#socket.write(BELL_MESSAGE, () => {})
    return true
  }

  resume (): void {
    this.#socket.resume()
  }

  shutdown (): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.shutdown()
  }

  reset (): void {
    this.stop()
    this.#socket.abort()
  }

  /** Nothing is delivered or sent any more. */
  stop (): void {
    this.#ended = true
    this.#unflushed = []
    this.#frames.stop()
  }

  #reader (): Reader {
    const owner = this.#owner
    return {
      claimReserves: false,
      claim: () => {
        if (!owner.isReady()) return null
        this.#readsBells = owner.isAttached()
        return this.#readsBells ? this.#bells : this.#frames.claim()
      },
      commit: (bytes) => { this.#guard(() => { this.#receive(bytes) }) },
      end: () => {
        this.#guard(() => {
          if (!this.#readsBells && this.#frames.insideFrame && !this.#isBroken) throw linkCutError()
          this.hasPeerEnded = true
          owner.onEnd()
        })
      },
      close: (error) => { owner.onClose(error) }
    }
  }

  #receive (bytes: number): void {
    if (this.#isBroken) return
    if (!this.#readsBells) {
      this.#frames.commit(bytes)
      if (this.#frames.insideFrame && this.#owner.isAttached()) {
        throw new TunnelError(
          ErrorCode.PROTOCOL,
          'Cannot go on with the link: the peer sent frames on the socket after the handshake'
        )
      }
      return
    }
    for (let i = 0; i < bytes; i++) {
      if (this.#bells[i] !== BELL) {
        throw new TunnelError(
          ErrorCode.PROTOCOL,
          `Cannot go on with the link: a doorbell must be the byte ${BELL}: it is ${this.#bells[i]}`
        )
      }
    }
    this.#owner.onBell()
  }

  #guard (action: () => void): void {
    try {
      action()
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      this.#isBroken = true
      this.#frames.stop()
      this.#owner.onBroken(error)
    }
  }
}
