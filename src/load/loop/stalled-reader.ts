import type { Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import type { Engine, Reader, Socket } from '../../engine/engine.js'

export interface StalledReaderEvents {
  /** Connected, and the request is on its way; or failed. */
  onSettled (): void
  onProblem (problem: string): void
  onClose (): void
}

/** A client that asks for a response and then reads none of it. */
export class StalledReader implements Reader {
  readonly claimReserves = false
  readonly #request: Buffer
  readonly #events: StalledReaderEvents
  readonly #socket: Socket
  #isSettled = false
  #isStopped = false

  constructor (
    engine: Engine,
    target: Address,
    connectTimeoutMs: number,
    request: Buffer,
    events: StalledReaderEvents
  ) {
    this.#request = request
    this.#events = events
    this.#socket = engine.connect(target, this, { timeoutMs: connectTimeoutMs })
  }

  stop (): void {
    this.#isStopped = true
    this.#socket.abort()
  }

  connect (): void {
    this.#socket.write(this.#request, () => {})
    this.#settle()
  }

  claim (): null {
    return null
  }

  commit (): void {}

  end (): void {}

  close (error: TunnelError | null): void {
    if (!this.#isStopped) {
      this.#events.onProblem(`stalled reader: ${error === null ? 'the connection was closed' : error.message}`)
    }
    this.#settle()
    this.#events.onClose()
  }

  #settle (): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#events.onSettled()
  }
}
