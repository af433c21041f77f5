import type { TunnelError } from '../base/errors.js'
import type { Reader, Socket } from '../engine/engine.js'
import { Reason } from '../frame/layout.js'
import type { Channel, ChannelHandler } from '../mux/channel.js'

/**
 * Joins one socket and one channel: what is read from the socket is read into the channel's claim, what arrives on the
 * channel is written to the socket from where it lies. Half-close and reset pass in both directions; bytes are never
 * looked at. Backpressure is the credit: a socket that does not take its bytes keeps them unreleased, and the sender
 * runs out of credit.
 */
export class Bridge implements Reader, ChannelHandler {
  readonly claimReserves = true
  socket: Socket | null = null
  channel: Channel | null = null
  /** Tells the owner of the socket that it is gone. */
  readonly #onClose: (error: TunnelError | null) => void
  readonly #onConnect: (() => void) | undefined

  constructor (onClose: (error: TunnelError | null) => void, onConnect?: () => void) {
    this.#onClose = onClose
    this.#onConnect = onConnect
  }

  /** Cuts the connection off, also one whose channel has ended and whose last bytes are still on their way out. */
  cut (reason: Reason): void {
    this.channel?.abort(reason)
    this.socket!.abort()
  }

  // --- From the socket

  connect (): void {
    this.#onConnect?.()
  }

  claim (bytes?: number): Uint8Array | null {
    return this.channel!.claim(bytes)
  }

  commit (bytes: number, copied: boolean): void {
    this.channel!.commit(bytes, copied)
  }

  end (): void {
    this.channel!.end()
  }

  close (error: TunnelError | null): void {
    this.#onClose(error)
    // After a good end on both sides the channel is done or about to be; anything else is an abort.
    if (error !== null) this.channel?.reset(Reason.CONNECTION_RESET)
  }

  // --- From the channel

  onData (view: Uint8Array, release: () => void): void {
    this.socket!.write(view, release)
  }

  onEnd (): void {
    this.socket!.shutdown()
  }

  onReset (): void {
    this.socket?.reset()
  }

  onClaimable (): void {
    this.socket?.resume()
  }
}
