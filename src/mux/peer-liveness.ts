import { nowNs } from '../base/clock.js'
import { ErrorCode, TunnelError } from '../base/errors.js'

export interface PeerLivenessOptions {
  readonly helloTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/**
 * Watches a peer's signs of life: its HELLO within a time limit, then an answer to every PING. Measures the round trip.
 */
export class PeerLiveness {
  roundTripNs: number | null = null
  readonly #options: PeerLivenessOptions
  readonly #sendPing: (number: number) => void
  readonly #onDead: (error: TunnelError) => void
  #timer: NodeJS.Timeout | null = null
  #pingNumber = 0
  #pingSentAtNs: number | null = null

  constructor (options: PeerLivenessOptions, sendPing: (number: number) => void, onDead: (error: TunnelError) => void) {
    this.#options = options
    this.#sendPing = sendPing
    this.#onDead = onDead
  }

  awaitHello (): void {
    this.#await((timeoutMs) => `no HELLO came within ${timeoutMs} ms: whatever connected does not speak this protocol`)
  }

  /** HELLO came, and the peer has as long again to attach the medium. */
  awaitAttach (): void {
    this.#await((timeoutMs) =>
      `the peer did not attach the shared memory within ${timeoutMs} ms: it hangs or is stopped`)
  }

  #await (rule: (timeoutMs: number) => string): void {
    this.stop()
    const { helloTimeoutMs } = this.#options
    if (helloTimeoutMs === 0) return
    this.#timer = setTimeout(() => {
      this.#onDead(new TunnelError(ErrorCode.HANDSHAKE_TIMEOUT, `Cannot shake hands: ${rule(helloTimeoutMs)}`))
    }, helloTimeoutMs)
  }

  handshakeDone (): void {
    this.stop()
    if (this.#options.pingIntervalMs > 0) this.#timer = setInterval(this.#tick, this.#options.pingIntervalMs)
  }

  handlePong (number: number): void {
    if (this.#pingSentAtNs === null || number !== this.#pingNumber) return
    this.roundTripNs = nowNs() - this.#pingSentAtNs
    this.#pingSentAtNs = null
  }

  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  readonly #tick = (): void => {
    if (this.#pingSentAtNs === null) {
      this.#pingNumber = (this.#pingNumber + 1) >>> 0
      this.#pingSentAtNs = nowNs()
      this.#sendPing(this.#pingNumber)
      return
    }
    const silentMs = (nowNs() - this.#pingSentAtNs) / 1e6
    if (this.#options.pingTimeoutMs > 0 && silentMs > this.#options.pingTimeoutMs) {
      this.#onDead(
        new TunnelError(
          ErrorCode.PEER_SILENT,
          `Cannot go on with the link: the peer left a PING unanswered for ${Math.round(silentMs)} ms, and at most ` +
          `${this.#options.pingTimeoutMs} are allowed: it hangs or is stopped`
        )
      )
    }
  }
}
