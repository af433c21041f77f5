import { type Address, formatAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { callAfter, checkTimeMs } from '../base/time-limit.js'
import type { Engine, Listener, Socket } from '../engine/engine.js'
import { Reason } from '../frame/layout.js'
import { Role } from '../mux/hello.js'
import { DEFAULT_SESSION_OPTIONS, Session, type SessionOptions } from '../mux/session.js'
import type { TransportKind } from '../transport/transport.js'
import { streamTransport } from '../transport/stream/stream-transport.js'
import { Bridge } from './bridge.js'
import { RepeatedEvents } from './repeated-events.js'
import {
  addSessionStats, checkSessionOptions, type DrainOptions, emptyTunnelStats, safeHandler, setLinkState, spinStats,
  type TunnelEventHandler, type TunnelLimits, type TunnelStats
} from './tunnel.js'

/** Links whose handshake is not done, at one time: enough for any honest use, and a bound for a dishonest one. */
const MAX_HANDSHAKES = 16

/**
 * Links that are refused are told at once as long as they are so few: strangers, not a second plugin, which tries
 * again and again.
 */
const REFUSED_BURST = 8

const SHUTTING_DOWN = 'the host is shutting down'

export interface TunnelHostOptions extends TunnelLimits {
  readonly engine: Engine
  /** Where clients connect. Port 0 takes any free port. */
  readonly listen: Address
  /** Where the plugin connects. */
  readonly tunnel: Address
  /** As the plugin has it. Default: stream. */
  readonly transport?: TransportKind
  readonly onEvent?: TunnelEventHandler
}

/**
 * Accepts client connections and carries each through the tunnel to the plugin that is attached. Outlives plugins: with
 * none attached a client is reset at once, and the next plugin is taken as soon as it comes.
 */
export class TunnelHost {
  readonly #engine: Engine
  readonly #transport: TransportKind
  readonly #sessionOptions: SessionOptions
  readonly #emit: TunnelEventHandler
  readonly #repeated: RepeatedEvents
  readonly #bridges = new Set<Bridge>()
  readonly #sessions = new Set<Session>()
  /** The plugin that gets new clients. */
  #current: Session | null = null
  #clients!: Listener
  #plugins!: Listener
  readonly #stats = emptyTunnelStats()
  #whenDrained: (() => void) | null = null
  #closing: Promise<void> | null = null

  private constructor (options: TunnelHostOptions) {
    this.#engine = options.engine
    this.#transport = options.transport ?? streamTransport
    this.#transport.check()
    this.#sessionOptions = checkSessionOptions({ ...DEFAULT_SESSION_OPTIONS, ...options.limits, role: Role.HOST })
    this.#emit = safeHandler(options.onEvent)
    this.#repeated = new RepeatedEvents(this.#emit)
  }

  /**
   * Listens on both addresses. Rejects as `Engine.listen()` does, and with ERR_TUNNEL_USAGE for limits out of bounds,
   * and ERR_TUNNEL_UNAVAILABLE; nothing listens then.
   */
  static async start (options: TunnelHostOptions): Promise<TunnelHost> {
    const host = new TunnelHost(options)
    host.#clients = await options.engine.listen(options.listen, (socket) => { host.#handleClient(socket) }, {
      onTurnedAway: (error) => { host.#noteTurnedAway(error) }
    })
    try {
      host.#plugins = await options.engine.listen(options.tunnel, (socket) => { host.#handleLink(socket) },
        { onSocketFile: host.#emit })
    } catch (error) {
      await host.#clients.close()
      throw error
    }
    return host
  }

  /** Where clients connect, with the port really bound. */
  get address (): Address { return this.#clients.address }
  /** All addresses of its host that clients can connect to. */
  get addresses (): readonly Address[] { return this.#clients.addresses }
  get tunnelAddress (): Address { return this.#plugins.address }
  /** A plugin is attached: clients are served. */
  get attached (): boolean { return this.#current?.ready ?? false }

  stats (): TunnelStats {
    const stats = {
      ...this.#stats,
      counters: { ...this.#stats.counters },
      transport: { ...this.#stats.transport },
      engine: spinStats(this.#engine.counters)
    }
    for (const session of this.#sessions) addSessionStats(stats, session)
    setLinkState(stats, this.#current)
    stats.sockets = this.#bridges.size
    return stats
  }

  /**
   * Stops accepting, lets the connections at hand finish for at most `drainMs` (default 2,000), resets what is left,
   * closes the link and removes the socket file. Calling it again with a shorter time shortens the wait. Rejects with
   * ERR_TUNNEL_USAGE, and nothing is closed, for a `drainMs` that is no time; and in the end as `Listener.close()`
   * does.
   */
  async close ({ drainMs = 2000 }: DrainOptions = {}): Promise<void> {
    const cancelCut = callAfter(checkTimeMs('drainMs', drainMs), () => {
      for (const session of this.#sessions) session.close(Reason.SHUTDOWN, SHUTTING_DOWN)
      for (const bridge of this.#bridges) bridge.cut(Reason.SHUTDOWN)
    })
    this.#closing ??= this.#drain()
    await this.#closing.finally(cancelCut)
  }

  async #drain (): Promise<void> {
    const closed = await Promise.allSettled([this.#clients.close(), this.#plugins.close()])
    for (const session of this.#sessions) session.goAway(Reason.SHUTDOWN, SHUTTING_DOWN)
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve
      this.#resolveIfDrained()
    })
    this.#repeated.stop()
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }

  #resolveIfDrained (): void {
    if (this.#sessions.size === 0 && this.#bridges.size === 0) this.#whenDrained?.()
  }

  #handleClient (socket: Socket): void {
    const bridge = new Bridge(() => {
      this.#bridges.delete(bridge)
      this.#resolveIfDrained()
    })
    bridge.socket = socket
    this.#bridges.add(bridge)
    const session = this.#current
    bridge.channel = session?.tryOpen(bridge, session.wantsAddresses ? socket.peerAddress?.() : null) ?? null
    socket.start(bridge)
    if (bridge.channel !== null) return
    this.#noteTurnedAway(this.#turnedAwayError())
    socket.abort()
  }

  #noteTurnedAway (error: TunnelError): void {
    this.#stats.clientsTurnedAway++
    this.#repeated.note({ kind: 'turned-away', error })
  }

  #turnedAwayError (): TunnelError {
    if (this.attached) {
      const { maxChannels } = this.#current!
      return new TunnelError(
        ErrorCode.LIMIT,
        'Cannot carry one more client: as many connections are open as host and plugin allow (maxChannels: ' +
        `${maxChannels}): raise both limits`,
        { cure: 'connections' }
      )
    }
    const address = formatAddress(this.tunnelAddress)
    return new TunnelError(
      ErrorCode.NOT_ATTACHED,
      `Cannot carry a client: no plugin is attached at ${address}: start one`
    )
  }

  #handleLink (socket: Socket): void {
    const transport = this.#transport.accept(this.#engine, socket)
    const session: Session = new Session(
      transport,
      this.#sessionOptions,
      {
        refuse: () =>
          this.attached
            ? { reason: Reason.BUSY, text: 'the host serves another plugin already: stop that one first' }
            : null,
        onReady: () => {
          this.#current = session
        },
        onAttached: () => {
          this.#emit({ kind: 'attached' })
        },
        onGoAway: () => {
          if (session.wasAttached) this.#emit({ kind: 'draining' })
        },
        onClose: (error) => {
          this.#sessions.delete(session)
          addSessionStats(this.#stats, session)
          const wasAttached = session.wasAttached
          if (this.#current === session) this.#current = null
          if (wasAttached) this.#emit({ kind: 'detached', error })
          else this.#noteRefusal(error!)
          this.#resolveIfDrained()
        }
      },
      (task) => {
        this.#engine.atTurnEnd(task)
      }
    )
    this.#sessions.add(session)
    session.start()
    const handshakes = [...this.#sessions].filter((one) => !one.wasAttached).length
    if (handshakes > MAX_HANDSHAKES) {
      session.abort(
        new TunnelError(
          ErrorCode.LIMIT,
          `Cannot accept a link on ${formatAddress(this.tunnelAddress)}: ${handshakes} handshakes are pending, and ` +
          `at most ${MAX_HANDSHAKES} may be`
        )
      )
    }
  }

  #noteRefusal (error: TunnelError): void {
    this.#repeated.note({ kind: 'refused', error }, error.code === ErrorCode.PEER_BUSY ? 1 : REFUSED_BURST)
  }
}
