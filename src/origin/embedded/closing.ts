import { ChunkWriter } from './chunk-writer.js'
import type { ServerChannel } from './server-channel.js'

/**
 * How long a client may make no progress, in ms, before a connection that its server has closed is cut off. Each counts
 * from the client's last progress.
 */
export interface CloseLimits {
  /** It has taken everything, and does not end its side. Default 5,000. */
  readonly lingerMs: number
  /** It has not taken everything. Default 60,000. */
  readonly stalledMs: number
}

export const DEFAULT_CLOSE_LIMITS: CloseLimits = { lingerMs: 5000, stalledMs: 60_000 }

/**
 * The end of a connection whose server has closed it, as the system has it for a TCP socket: what was written leaves
 * first, however slowly the client reads, and then the end. What the client still sends is read and thrown away,
 * because a reset would take the last response with it.
 */
export class Closing {
  readonly #channel: ServerChannel
  readonly #limits: CloseLimits
  readonly #writer: ChunkWriter
  readonly #timer: NodeJS.Timeout
  #unconfirmedBytes: number
  #standingMs = 0

  /** `chunks` are still to be sent. */
  constructor (channel: ServerChannel, chunks: readonly Uint8Array[], limits: CloseLimits) {
    this.#channel = channel
    this.#limits = limits
    this.#writer = new ChunkWriter(channel)
    this.#writer.start(chunks)
    // The chunks' owner may reuse them as soon as this returns.
    if (!this.#endIfSent()) this.#writer.start([Buffer.concat(this.#writer.rest())])
    this.#unconfirmedBytes = channel.unconfirmedBytes
    this.#timer = setInterval(() => { this.#check() }, limits.lingerMs).unref()
  }

  onData (release: () => void): void {
    this.#standingMs = 0
    this.#timer.refresh()
    release()
  }

  onClaimable (): void {
    this.#endIfSent()
  }

  /** The channel is over. */
  stop (): void {
    clearInterval(this.#timer)
  }

  #endIfSent (): boolean {
    const isSent = this.#writer.pump()
    if (isSent) this.#channel.end()
    return isSent
  }

  #check (): void {
    const { lingerMs, stalledMs } = this.#limits
    const { unconfirmedBytes } = this.#channel
    const hasMoved = unconfirmedBytes !== this.#unconfirmedBytes
    this.#unconfirmedBytes = unconfirmedBytes
    this.#standingMs = hasMoved ? 0 : this.#standingMs + lingerMs
    if (this.#standingMs < (unconfirmedBytes > 0 ? stalledMs : lingerMs)) return
    this.stop()
    this.#channel.reset()
  }
}
