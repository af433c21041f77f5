import { ErrorCode, messageOf, TunnelError } from '../base/errors.js'
import type { Transport } from '../transport/transport.js'
import { decodeHello, encodeHello, type Hello, Role } from './hello.js'
import type { Outgoing } from './outgoing.js'
import type { SessionHandler } from './session-handler.js'
import type { SessionOptions } from './session-options.js'

export type Refusal = ReturnType<NonNullable<SessionHandler['refuse']>>

/** HELLO in both directions. The plugin speaks first; the host answers a good HELLO with its own. */
export class Handshake {
  /** What the peer said; null: nothing good so far. */
  peer: Hello | null = null
  readonly #transport: Transport
  readonly #options: SessionOptions
  readonly #outgoing: Outgoing

  constructor (transport: Transport, options: SessionOptions, outgoing: Outgoing) {
    this.#transport = transport
    this.#options = options
    this.#outgoing = outgoing
  }

  /** Throws a `TunnelError`. */
  start (): void {
    if (this.#options.role === Role.PLUGIN) withHandshakeErrors(() => { this.#sendHello(null) })
  }

  /**
   * The peer's HELLO. Returns why it is turned away although its HELLO is good, or null: channels can be opened. Throws
   * a `TunnelError` where the two sides do not fit together.
   */
  receive (payload: Uint8Array, handler: SessionHandler): Refusal {
    return withHandshakeErrors(() => {
      const { role, maxPayloadBytes } = this.#options
      const isHost = role === Role.HOST
      const hello = decodeHello(payload, { role: isHost ? Role.PLUGIN : Role.HOST, transport: this.#transport.kind })
      const refusal = handler.refuse?.() ?? null
      if (refusal !== null) return refusal
      if (isHost) this.#sendHello(hello.attachment)
      else this.#transport.attach(hello.attachment)
      this.#outgoing.setLimits(hello)
      this.#transport.setMaxPayloadBytes(maxPayloadBytes)
      this.peer = hello
      return null
    })
  }

  /** `request` is the end of the peer's HELLO; null: this side speaks first. */
  #sendHello (request: Uint8Array | null): void {
    const { role, serves = false, maxPayloadBytes, windowBytes, maxChannels } = this.#options
    const attachment = this.#transport.offer(request)
    const { kind: transport } = this.#transport
    this.#outgoing.sendHello(
      encodeHello({ role, serves, transport, maxPayloadBytes, windowBytes, maxChannels, attachment })
    )
  }
}

/** What else goes wrong while a medium is offered or attached must not reach the loop either. */
function withHandshakeErrors<T> (step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (error instanceof TunnelError) throw error
    throw new TunnelError(ErrorCode.INTERNAL, `Cannot shake hands: ${messageOf(error)}`, { cause: error })
  }
}
