import type { Address } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { callAfter, checkTimeLimitMs, checkTimeMs, CONNECT_TIMEOUT_MS } from '../base/time-limit.js'
import type { Engine, Listener, Socket } from '../engine/engine.js'
import { PiecePool, RelayEnd } from './relay-pipe.js'

const MAX_CONNECTIONS = 4096
/** 16 MiB of pieces are kept for the next burst. */
const KEPT_PIECES = 256

export interface RelayOptions {
  readonly engine: Engine
  /** Where clients connect. Port 0 takes any free port. */
  readonly listen: Address
  /** Where every connection is carried to. */
  readonly target: Address
  /** Time limit of a connection to the target, in ms. Default 5,000; 0 and `Infinity` wait for ever. */
  readonly connectTimeoutMs?: number
  /** Further clients are reset at once. Default 4,096. */
  readonly maxConnections?: number
}

/**
 * Copies bytes between clients and a target, one connection for each, on the tunnel's own engine and without anything
 * else of the tunnel: no frames, no channels, no credit. It shows what a hop costs by itself. Half-close and reset pass
 * in both directions; a direction holds at most `PIECES_PER_DIRECTION` reads, so a peer that does not read slows the
 * other down.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #connectTimeoutMs: number
  readonly #maxConnections: number
  readonly #pool = new PiecePool(KEPT_PIECES)
  readonly #ends = new Set<RelayEnd>()
  #listener!: Listener
  #whenDrained: (() => void) | null = null
  #closing: Promise<void> | null = null

  private constructor (options: RelayOptions) {
    this.#options = options
    this.#connectTimeoutMs = checkTimeLimitMs('connectTimeoutMs', options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
    this.#maxConnections = options.maxConnections ?? MAX_CONNECTIONS
    if (this.#maxConnections >= 1) return
    throw new TunnelError(
      ErrorCode.USAGE,
      `Cannot use maxConnections: it must be at least 1: it is ${this.#maxConnections}`
    )
  }

  /** Rejects as `Engine.listen()` does, and with ERR_TUNNEL_USAGE for a limit that is none. */
  static async start (options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    relay.#listener = await options.engine.listen(options.listen, (socket) => { relay.#handleClient(socket) })
    return relay
  }

  /** Where clients connect, with the port really bound. */
  get address (): Address { return this.#listener.address }
  /** Sockets that are open, two for each connection. */
  get sockets (): number { return this.#ends.size }

  /**
   * Stops accepting, lets connections at hand finish for at most `drainMs` (default 2,000), and resets what is left. A
   * second call may shorten the wait; `Infinity` waits for all.
   */
  async close ({ drainMs = 2000 }: { readonly drainMs?: number } = {}): Promise<void> {
    const cancelCut = callAfter(checkTimeMs('drainMs', drainMs), () => {
      for (const end of this.#ends) end.socket.abort()
    })
    this.#closing ??= this.#drain()
    await this.#closing.finally(cancelCut)
  }

  async #drain (): Promise<void> {
    const [closed] = await Promise.allSettled([this.#listener.close()])
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve
      this.#resolveIfDrained()
    })
    if (closed!.status === 'rejected') throw closed!.reason
  }

  #resolveIfDrained (): void {
    if (this.#ends.size === 0) this.#whenDrained?.()
  }

  #handleClient (socket: Socket): void {
    const { engine, target } = this.#options
    const client = this.#createEnd()
    client.socket = socket
    if (this.#ends.size > 2 * this.#maxConnections) {
      client.other = client
      socket.start(client)
      socket.abort()
      return
    }
    const server = this.#createEnd()
    client.other = server
    server.other = client
    server.socket = engine.connect(target, server, { timeoutMs: this.#connectTimeoutMs })
    socket.start(client)
  }

  #createEnd (): RelayEnd {
    const end = new RelayEnd(this.#pool, () => {
      this.#ends.delete(end)
      this.#resolveIfDrained()
    })
    this.#ends.add(end)
    return end
  }
}
