import { type Address, formatAddress } from '../base/address.js'
import { callSafely, ErrorCode, TunnelError } from '../base/errors.js'
import { callAfter, checkTimeLimitMs, checkTimeMs } from '../base/time-limit.js'
import type { Engine } from '../engine/engine.js'
import { Reason } from '../frame/layout.js'
import type { Channel, ChannelHandler } from '../mux/channel.js'
import { Role } from '../mux/hello.js'
import { DEFAULT_SESSION_OPTIONS, Session, type SessionOptions } from '../mux/session.js'
import { streamTransport } from '../transport/stream/stream-transport.js'
import type { TransportKind } from '../transport/transport.js'
import { Bridge } from './bridge.js'
import type { ChannelServer, LinkServer } from './channel-server.js'
import { OriginOutage } from './origin-outage.js'
import {
  addSessionStats, checkSessionOptions, type DrainOptions, emptyTunnelStats, safeHandler, setLinkState, spinStats,
  type TunnelEventHandler, type TunnelLimits, type TunnelStats
} from './tunnel.js'

const RETRY_MIN_MS = 20
const RETRY_MAX_MS = 500

const SHUTTING_DOWN = 'the plugin is shutting down'

/**
 * Errors of a handshake after which trying again cannot help: the two programs do not fit together. All others may
 * pass.
 */
const FATAL = new Set<string>([ErrorCode.VERSION, ErrorCode.PROTOCOL, ErrorCode.UNAVAILABLE])

export interface TunnelPluginOptions extends TunnelLimits {
  readonly engine: Engine
  /** Where the host listens for plugins. */
  readonly tunnel: Address
  /** As the host has it. Default: stream. */
  readonly transport?: TransportKind
  /** Where every channel is forwarded to. This or `serve` must be given, and not both. */
  readonly origin?: Address
  /** What answers the channels inside this plugin, instead of an origin behind it. */
  readonly serve?: ChannelServer
  /** Time limit of a connection to the origin, in ms. Default 5,000; 0 and `Infinity` wait for ever. */
  readonly originTimeoutMs?: number
  readonly onEvent?: TunnelEventHandler
  /**
   * The plugin has given up: this host and this plugin do not fit together (another protocol version, another
   * transport).
   */
  readonly onFatal?: (error: TunnelError) => void
}

/**
 * Connects to a host and forwards every channel to the origin, or answers it. Outlives hosts: without one it tries
 * again, every 20 to 500 ms, until it is closed; the order in which host and plugin start does not matter.
 */
export class TunnelPlugin {
  readonly #options: TunnelPluginOptions
  readonly #transport: TransportKind
  readonly #sessionOptions: SessionOptions
  readonly #emit: TunnelEventHandler
  readonly #originTimeoutMs: number
  readonly #outage: OriginOutage
  readonly #bridges = new Set<Bridge>()
  readonly #stats = emptyTunnelStats()
  readonly #attachedWaiters: Waiter[] = []
  #session: Session | null = null
  /** Answers the channels of the session, where this plugin serves them itself. */
  #server: LinkServer | null = null
  #retryTimer: NodeJS.Timeout | null = null
  #retryMs = RETRY_MIN_MS
  /** Why no host is attached, as far as it was told. */
  readonly #reportedWaits = new Set<ErrorCode>()
  /**
   * The next HELLO says that this plugin serves. A host of an earlier version refuses that, and is not told any more.
   */
  #announcesServing: boolean
  /** Why no host is looked for any more. */
  #gaveUp: TunnelError | null = null
  #whenDrained: (() => void) | null = null
  #closing: Promise<void> | null = null

  private constructor (options: TunnelPluginOptions) {
    if ((options.origin === undefined) === (options.serve === undefined)) {
      throw new TunnelError(
        ErrorCode.USAGE,
        `Cannot start a plugin with ${options.origin === undefined ? 'neither' : 'both'} of origin and serve: give ` +
        'it one of them'
      )
    }
    this.#options = options
    this.#announcesServing = options.serve !== undefined
    this.#transport = options.transport ?? streamTransport
    this.#transport.check()
    this.#sessionOptions = checkSessionOptions({ ...DEFAULT_SESSION_OPTIONS, ...options.limits, role: Role.PLUGIN })
    this.#originTimeoutMs = checkTimeLimitMs('originTimeoutMs', options.originTimeoutMs ?? 5000)
    this.#emit = safeHandler(options.onEvent)
    this.#outage = new OriginOutage(this.#emit)
  }

  /**
   * Begins to connect; does not wait for the host: see `attached()`. Throws ERR_TUNNEL_USAGE for limits out of bounds,
   * and ERR_TUNNEL_UNAVAILABLE.
   */
  static start (options: TunnelPluginOptions): TunnelPlugin {
    const plugin = new TunnelPlugin(options)
    plugin.#connect()
    return plugin
  }

  /**
   * Resolves as soon as a host is there. Rejects with ERR_TUNNEL_CLOSED after `close()`, and with the error of
   * `onFatal`.
   */
  async attached (): Promise<void> {
    if (this.#gaveUp !== null) throw this.#gaveUp
    if (this.#session?.ready === true) return
    await new Promise<void>((resolve, reject) => { this.#attachedWaiters.push({ resolve, reject }) })
  }

  stats (): TunnelStats {
    const stats = {
      ...this.#stats,
      counters: { ...this.#stats.counters },
      transport: { ...this.#stats.transport },
      engine: spinStats(this.#options.engine.counters)
    }
    if (this.#session !== null) addSessionStats(stats, this.#session)
    setLinkState(stats, this.#session)
    stats.sockets = this.#bridges.size
    return stats
  }

  /**
   * Takes no new channels, lets those at hand finish for at most `drainMs` (default 2,000), resets what is left and
   * closes the link. Rejects as `TunnelHost.close()`.
   */
  async close ({ drainMs = 2000 }: DrainOptions = {}): Promise<void> {
    const cancelCut = callAfter(checkTimeMs('drainMs', drainMs), () => {
      this.#session?.close(Reason.SHUTDOWN, SHUTTING_DOWN)
      for (const bridge of this.#bridges) bridge.cut(Reason.SHUTDOWN)
    })
    this.#closing ??= this.#drain()
    await this.#closing.finally(cancelCut)
  }

  async #drain (): Promise<void> {
    this.#giveUp(closedError())
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer)
    if (this.#session?.wasAttached === false) this.#session.abort(closedError())
    else this.#session?.goAway(Reason.SHUTDOWN, SHUTTING_DOWN)
    callSafely(() => { this.#server?.drain() })
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve
      this.#resolveIfDrained()
    })
    this.#outage.stop()
  }

  #giveUp (error: TunnelError): void {
    this.#gaveUp ??= error
    for (const { reject } of this.#attachedWaiters.splice(0)) reject(this.#gaveUp)
  }

  #resolveIfDrained (): void {
    if (this.#session === null && this.#bridges.size === 0) this.#whenDrained?.()
  }

  #connect (): void {
    const { engine, tunnel } = this.#options
    const transport = this.#transport.connect(engine, tunnel, this.#sessionOptions.helloTimeoutMs)
    const options = { ...this.#sessionOptions, serves: this.#announcesServing }
    let isAttached = false
    const session: Session = this.#session = new Session(transport, options, {
      onReady: () => {
        this.#server = this.#options.serve?.attach(session.constants) ?? null
        isAttached = true
        this.#retryMs = RETRY_MIN_MS
        this.#reportedWaits.clear()
        this.#emit({ kind: 'attached' })
        for (const { resolve } of this.#attachedWaiters.splice(0)) resolve()
      },
      onChannel: (channel) => this.#server?.onChannel(channel) ?? this.#forward(channel),
      onGoAway: () => { if (isAttached) this.#emit({ kind: 'draining' }) },
      onClose: (error) => {
        this.#session = null
        callSafely(() => { this.#server?.close() })
        this.#server = null
        addSessionStats(this.#stats, session)
        this.#handleLinkClose(isAttached, error)
        this.#resolveIfDrained()
      }
    }, (task) => { engine.atTurnEnd(task) })
    session.start()
  }

  #handleLinkClose (wasAttached: boolean, error: TunnelError | null): void {
    if (wasAttached) this.#announcesServing = this.#options.serve !== undefined
    const wasRefused = !wasAttached && this.#announcesServing && error?.code === ErrorCode.PROTOCOL
    if (wasRefused) this.#announcesServing = false
    if (wasAttached) this.#emit({ kind: 'detached', error })
    if (this.#gaveUp !== null) return
    if (!wasAttached && error !== null && !wasRefused) {
      if (FATAL.has(error.code)) {
        this.#giveUp(error)
        this.#emit({ kind: 'refused', error, count: 1 })
        callSafely(() => { this.#options.onFatal?.(error) })
        return
      }
      if (!this.#reportedWaits.has(error.code)) this.#emit({ kind: 'waiting', error })
      this.#reportedWaits.add(error.code)
    }
    this.#retryTimer = setTimeout(() => { this.#connect() }, this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS)
  }

  #forward (channel: Channel): ChannelHandler {
    const { engine, origin } = this.#options
    let connected = false
    const bridge: Bridge = new Bridge((error) => {
      this.#bridges.delete(bridge)
      if (!connected && error !== null) this.#outage.handleFailure(error)
      if (!connected) channel.reject(error === null ? Reason.NONE : rejectReasonOf(error))
      this.#resolveIfDrained()
    }, () => {
      connected = true
      this.#outage.handleSuccess()
      channel.accept()
    })
    bridge.channel = channel
    this.#bridges.add(bridge)
    bridge.socket = engine.connect(origin!, bridge, { timeoutMs: this.#originTimeoutMs })
    return bridge
  }

  /** For messages: where this plugin connects and forwards to. */
  get description (): string {
    const { tunnel, origin } = this.#options
    return origin === undefined
      ? `${formatAddress(tunnel)}, served here`
      : `${formatAddress(tunnel)} -> ${formatAddress(origin)}`
  }
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: TunnelError) => void
}

function closedError (): TunnelError {
  return new TunnelError(ErrorCode.CLOSED, `Cannot attach: ${SHUTTING_DOWN}`)
}

function rejectReasonOf (error: TunnelError): Reason {
  switch (error.code) {
    case ErrorCode.CONNECT_REFUSED: return Reason.REFUSED
    case ErrorCode.CONNECT_TIMEOUT: return Reason.TIMEOUT
    case ErrorCode.LIMIT: return Reason.LIMIT
    default: return Reason.CONNECTION_RESET
  }
}
