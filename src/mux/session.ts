import type { ConnectionAddresses } from '../base/address.js'
import { describeLink, diagnostics, type LinkMessage } from '../base/diagnostics.js'
import { callSafely, ErrorCode, messageOf, throwLater, TunnelError } from '../base/errors.js'
import { type FrameHeader, frameTypeName } from '../frame/header.js'
import { FrameFlag, FrameType, Reason } from '../frame/layout.js'
import type { Constants, Transport } from '../transport/transport.js'
import { ChannelTable } from './channel-table.js'
import type { Channel, ChannelHandler } from './channel.js'
import { encodeConnection } from './connection-text.js'
import { protocolError } from './go-away.js'
import { Handshake } from './handshake.js'
import { Role } from './hello.js'
import { Incoming, type Violation } from './incoming.js'
import { LinkClosing } from './link-closing.js'
import { Outgoing } from './outgoing.js'
import { PeerLiveness } from './peer-liveness.js'
import { emptySessionCounters, type SessionCounters, type SessionHandler } from './session-handler.js'
import type { SessionOptions } from './session-options.js'

export type { SessionCounters, SessionHandler } from './session-handler.js'
export { DEFAULT_SESSION_OPTIONS, type SessionOptions } from './session-options.js'

/**
 * The life of one link between a host and a plugin: handshake, channels, credit, fair order of frames, PING, drain.
 * The peer is not trusted: whatever breaks the protocol ends the link with ERR_TUNNEL_PROTOCOL and a GOAWAY that says
 * why.
 */
export class Session {
  readonly counters: SessionCounters = emptySessionCounters()
  readonly #transport: Transport
  readonly #options: SessionOptions
  readonly #handler: SessionHandler
  readonly #link: LinkMessage
  readonly #channels: ChannelTable
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  readonly #handshake: Handshake
  readonly #liveness: PeerLiveness
  readonly #closing: LinkClosing
  #wasAttached = false
  #closed = false

  constructor (
    transport: Transport,
    options: SessionOptions,
    handler: SessionHandler,
    atTurnEnd: (task: () => void) => void
  ) {
    this.#transport = transport
    this.#options = options
    this.#handler = handler
    this.#outgoing = new Outgoing(transport, this.counters, atTurnEnd, this.#handleChannelClosed)
    this.#link = describeLink(options.role === Role.HOST ? 'host' : 'plugin', transport.kind)
    this.#channels = new ChannelTable(this.#outgoing, options.windowBytes, this.counters, this.#link)
    this.#incoming = new Incoming(options, this.#channels, this.#outgoing, this.counters, handler)
    this.#handshake = new Handshake(transport, options, this.#outgoing)
    this.#liveness = new PeerLiveness(
      options,
      (number) => { this.#outgoing.send(FrameType.PING, 0, number) },
      (error) => { transport.abort(error) }
    )
    this.#closing = new LinkClosing(transport, this.#outgoing)
  }

  /** Begins. */
  start (): void {
    this.#liveness.awaitHello()
    this.#transport.start({
      onFrame: this.#handleFrame,
      onWritable: () => { this.#outgoing.scheduleWake() },
      onBroken: (error) => { this.#failWith(error) },
      onAttached: () => { if (this.ready) this.#callOrFail(this.#handleAttached) },
      onClose: (error) => {
        this.#closing.stop()
        this.#handleClose(error)
      }
    })
    try {
      this.#handshake.start()
    } catch (error) {
      this.#failWith(error as TunnelError)
    }
  }

  /** Channels can be opened. */
  get ready (): boolean { return this.#handshake.peer !== null && !this.draining && !this.#closed }
  get draining (): boolean { return this.#closing.isDraining }
  /** Host side: the plugin serves its channels itself, and wants to know where clients connected from. */
  get wantsAddresses (): boolean { return this.#handshake.peer?.serves ?? false }
  /** The handshake was done, at any time. */
  get wasAttached (): boolean { return this.#wasAttached }
  get channelCount (): number { return this.#channels.size }
  /** Channels that both sides allow at one time. */
  get maxChannels (): number {
    return Math.min(this.#options.maxChannels, this.#handshake.peer?.maxChannels ?? Infinity)
  }

  /** Round-trip time of the last PING in ns, or null before the first answer. */
  get roundTripNs (): number | null { return this.#liveness.roundTripNs }
  /** Of the transport; null where it has no slots. */
  get freeSlots (): number | null { return this.#transport.freeSlots ?? null }
  /** For `Channel.sendConstant()`. */
  get constants (): Constants { return this.#transport.constants }
  get transportCounters (): Readonly<Transport['counters']> { return this.#transport.counters }

  /**
   * Host side: opens a channel; data may be sent at once. null: not ready, draining, or as many channels as either side
   * allows. `addresses`: see `wantsAddresses`.
   */
  tryOpen (handler: ChannelHandler, addresses: ConnectionAddresses | null = null): Channel | null {
    if (!this.ready || this.#channels.size >= this.maxChannels) return null
    const channel = this.#channels.open(this.#channels.takeId())
    channel.handler = handler
    const payload = addresses === null ? undefined : encodeConnection(addresses)
    this.#outgoing.send(FrameType.OPEN, channel.id, 0, payload)
    return channel
  }

  /** Drains: no new channels from now on, and the link closes behind the last one. Calling it again has no effect. */
  goAway (reason: Reason = Reason.SHUTDOWN, text = ''): void {
    if (!this.#closed && this.#closing.trySend(reason, text)) this.#closeIfDrained()
  }

  /** Tells the peer, resets every channel and closes. */
  close (reason: Reason = Reason.SHUTDOWN, text = ''): void {
    if (this.#closed) return
    this.goAway(reason, text)
    for (const channel of this.#channels.list()) {
      this.#outgoing.send(FrameType.RESET, channel.id, reason)
      callSafely(() => { channel.receiveReset(reason) })
    }
    this.#closeIfDrained()
  }

  /** Cuts the link without a word. */
  abort (error: TunnelError): void {
    this.#transport.abort(error)
  }

  // --- Frames received

  readonly #handleFrame = (header: FrameHeader, payload: Uint8Array, release: () => void): void => {
    if (this.#closed) return release()
    const { type, channelId, flags } = header
    try {
      if (this.#handshake.peer !== null && type === FrameType.DATA) {
        this.#failIf(this.#incoming.handleData(channelId, (flags & FrameFlag.EOS) !== 0, payload, release))
        return
      }
      // HELLO, OPEN and GOAWAY are read here and now; no other frame has a payload.
      try {
        this.#failIf(this.#handleControl(header, payload))
      } finally {
        release()
      }
    } catch (error) {
      throwLater(error)
      this.#channels.get(channelId)?.reset(Reason.CONNECTION_RESET)
    }
  }

  #handleControl ({ type, channelId, argument }: FrameHeader, payload: Uint8Array): Violation {
    if (type === FrameType.GOAWAY) return this.#handleGoAway(argument as Reason, payload)
    if (this.#handshake.peer === null) return this.#handleHello(type, payload)
    switch (type) {
      case FrameType.PING:
        this.#outgoing.send(FrameType.PONG, 0, argument)
        return null
      case FrameType.PONG:
        this.#liveness.handlePong(argument)
        return null
      case FrameType.HELLO:
        return 'HELLO came twice'
      case FrameType.OPEN:
        return this.#incoming.handleOpen(channelId, payload, this.draining)
      default:
        return this.#incoming.handleControl(type, channelId, argument)
    }
  }

  #handleHello (type: FrameType, payload: Uint8Array): Violation {
    if (type !== FrameType.HELLO) return `the first frame must be HELLO: it is ${frameTypeName(type)}`
    // Turned away or closed while it shook hands: the link is ending, whatever the peer still says.
    if (this.#closing.isSent) return null
    let refusal
    try {
      refusal = this.#handshake.receive(payload, this.#handler)
    } catch (error) {
      return error as TunnelError
    }
    if (refusal !== null) {
      this.goAway(refusal.reason, refusal.text)
      return null
    }
    this.#callOrFail(() => {
      this.#handler.onReady()
      if (this.#transport.isAttached === false) this.#liveness.awaitAttach()
      else this.#handleAttached()
    })
    return null
  }

  /** A transport may say so, too, of a peer that had attached when HELLO came. */
  readonly #handleAttached = (): void => {
    if (this.#wasAttached) return
    this.#wasAttached = true
    this.#liveness.handshakeDone()
    if (diagnostics.linkAttach.hasSubscribers) diagnostics.linkAttach.publish(this.#link)
    this.#handler.onAttached?.()
  }

  /** The link is of no use where one of these callbacks of its user throws. */
  #callOrFail (callback: () => void): void {
    try {
      callback()
    } catch (error) {
      throwLater(error)
      const message = `Cannot serve the link: ${messageOf(error)}`
      this.#failWith(new TunnelError(ErrorCode.INTERNAL, message, { cause: error }))
    }
  }

  #handleGoAway (reason: Reason, payload: Uint8Array): Violation {
    if (!this.#closing.receive(reason, Buffer.from(payload).toString())) return 'GOAWAY came twice'
    callSafely(() => { this.#handler.onGoAway?.() })
    if (reason !== Reason.SHUTDOWN) this.#closeTransport()
    else this.#closeIfDrained()
    return null
  }

  // --- The end

  #failIf (violation: Violation): void {
    if (violation !== null) this.#failWith(typeof violation === 'string' ? protocolError(violation) : violation)
  }

  /** Tells the peer why, as far as it still listens, and ends the link. */
  #failWith (error: TunnelError): void {
    if (this.#closed) return
    this.#closing.sendCause(error)
    this.#closeTransport()
    this.#handleClose(error)
  }

  readonly #handleChannelClosed = (channel: Channel, reason: Reason | null): void => {
    this.#channels.delete(channel, reason)
    this.#closeIfDrained()
  }

  #closeIfDrained (): void {
    if (this.#closing.isSent && this.#channels.size === 0) this.#closeTransport()
  }

  #closeTransport (): void {
    if (!this.#closed) this.#closing.closeTransport()
  }

  #handleClose (error: TunnelError | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#liveness.stop()
    this.#outgoing.stop()
    for (const channel of this.#channels.list()) {
      callSafely(() => { channel.receiveReset(Reason.CONNECTION_RESET) })
    }
    const cause = this.#closing.causeOf(error, this.#wasAttached)
    const ended = diagnostics[this.#wasAttached ? 'linkDetach' : 'linkRefuse']
    if (ended.hasSubscribers) ended.publish({ ...this.#link, error: cause })
    callSafely(() => { this.#handler.onClose(cause) })
  }
}
