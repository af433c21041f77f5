import type { ConnectionAddresses } from '../base/address.js'
import { callSafely, ErrorCode, throwLater, TunnelError } from '../base/errors.js'
import type { FrameHeader } from '../frame/header.js'
import { frameTypeName } from '../frame/header.js'
import { FrameFlag, FrameType, GOAWAY_MAX_BYTES, Reason } from '../frame/layout.js'
import type { Constants, Transport, TransportHandler } from '../transport/transport.js'
import { Channel, type ChannelHandler, type ChannelLink } from './channel.js'
import { decodeConnection, encodeConnection } from './connection-text.js'
import { LinkClosing } from './link-closing.js'
import { goAwayReasonOf } from './go-away.js'
import { decodeHello, encodeHello, type Hello, Role } from './hello.js'
import { Outgoing } from './outgoing.js'
import { emptySessionCounters, type SessionCounters, type SessionHandler } from './session-handler.js'
import type { SessionOptions } from './session-options.js'
import { PeerLiveness } from './peer-liveness.js'

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
  readonly #atTurnEnd: (task: () => void) => void
  readonly #channels = new Map<number, Channel>()
  readonly #outgoing: Outgoing
  readonly #closing: LinkClosing
  readonly #link: ChannelLink
  readonly #liveness: PeerLiveness
  /** The newest channel id used: ids are handed out in order and never come back while a late frame could name them. */
  #lastChannelId = 0
  #peer: Hello | null = null
  /** The peer has attached the medium. */
  #isAttached = false
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
    this.#atTurnEnd = atTurnEnd
    this.#outgoing = new Outgoing(transport, this.counters, atTurnEnd)
    this.#closing = new LinkClosing(transport)
    this.#link = this.#createLink()
    this.#liveness = new PeerLiveness(
      options,
      (number) => {
        this.#send(FrameType.PING, 0, number)
      },
      (error) => {
        transport.abort(error)
      }
    )
  }

  /** Begins. The plugin speaks first; the host answers a good HELLO with its own. */
  start (): void {
    this.#liveness.awaitHello()
    this.#transport.start(this.#transportHandler())
    if (this.#options.role === Role.HOST) return
    try {
      this.#sendHello(null)
    } catch (error) {
      this.#failWith(handshakeError(error))
    }
  }

  /** Channels can be opened. */
  get ready (): boolean {
    return this.#peer !== null && !this.draining && !this.#closed
  }

  /** Host side: the plugin serves its channels itself, and wants to know where clients connected from. */
  get wantsAddresses (): boolean {
    return this.#peer?.serves ?? false
  }

  /** The handshake was done, at any time. */
  get peerSeen (): boolean {
    return this.#isAttached
  }

  get draining (): boolean {
    return this.#closing.isSaid
  }

  get channelCount (): number {
    return this.#channels.size
  }

  /** Channels that both sides allow at one time. */
  get maxChannels (): number {
    return Math.min(this.#options.maxChannels, this.#peer?.maxChannels ?? Infinity)
  }

  /** Round-trip time of the last PING in ns, or null before the first answer. */
  get roundTripNs (): number | null {
    return this.#liveness.roundTripNs
  }

  /** Of the transport; null where it has no slots. */
  get freeSlots (): number | null {
    return this.#transport.freeSlots ?? null
  }

  /** For `Channel.sendConstant()`. */
  get constants (): Constants {
    return this.#transport.constants
  }

  get transportCounters (): Readonly<Transport['counters']> {
    return this.#transport.counters
  }

  /**
   * Host side: opens a channel; data may be sent at once. null: not ready, draining, or as many channels as either side
   * allows. `addresses`: see `wantsAddresses`.
   */
  tryOpen (handler: ChannelHandler, addresses: ConnectionAddresses | null = null): Channel | null {
    if (!this.ready || this.#channels.size >= this.maxChannels) return null
    do this.#lastChannelId = (this.#lastChannelId + 1) >>> 0
    while (this.#lastChannelId === 0 || this.#channels.has(this.#lastChannelId))
    const channel = this.#addChannel(this.#lastChannelId)
    channel.handler = handler
    this.#send(FrameType.OPEN, channel.id, 0, addresses === null ? undefined : encodeConnection(addresses))
    return channel
  }

  /**
   * Drains: no new channels from now on; the link closes when the last one has ended. Say it again to change nothing.
   */
  goAway (reason: Reason = Reason.SHUTDOWN, text = ''): void {
    if (this.#closing.isSent || this.#closed) return
    this.#closing.isSent = true
    this.#send(FrameType.GOAWAY, 0, reason, Buffer.from(text).subarray(0, GOAWAY_MAX_BYTES))
    this.#closeIfDrained()
  }

  /** Tells the peer, resets every channel and closes. */
  close (reason: Reason = Reason.SHUTDOWN, text = ''): void {
    if (this.#closed) return
    this.goAway(reason, text)
    for (const channel of [...this.#channels.values()]) {
      this.#link.sendReset(channel, reason)
      callSafely(() => {
        channel.receiveReset(reason)
      })
    }
    this.#closeIfDrained()
  }

  /** Cuts the link without a word. */
  abort (error: TunnelError): void {
    this.#transport.abort(error)
  }

  // --- Sending

  #createLink (): ChannelLink {
    const session = this
    return {
      get maxPayloadBytes () {
        return session.#peer!.maxPayloadBytes
      },
      get maxConstantBytes () {
        return Math.max(session.#peer!.maxPayloadBytes, session.#transport.constants.maxClaimBytes)
      },
      get confirmsLastBytes () {
        return session.#peer!.serves
      },
      tryClaim: (channel, bytes) => this.#outgoing.tryClaim(channel, bytes),
      commit: (claim, bytes, copied) => {
        this.#transport.commit(claim, bytes, copied)
      },
      claimConstant: (constant, offset, bytes) => this.#transport.constants.claim(constant, offset, bytes),
      abandon: (claim) => {
        this.#transport.abandon(claim)
      },
      onFrames: (channel) => {
        this.#outgoing.activate(channel)
      },
      sendCredit: (channel, bytes) => {
        this.counters.creditFramesSent++
        this.#send(FrameType.CREDIT, channel.id, bytes)
      },
      sendAccept: (channel) => {
        this.#send(FrameType.ACCEPT, channel.id, 0)
      },
      sendReject: (channel, reason) => {
        this.#sendReject(channel.id, reason)
      },
      sendReset: (channel, reason) => {
        this.#send(FrameType.RESET, channel.id, reason)
      },
      onGathered: (channel) => {
        this.#atTurnEnd(() => {
          channel.deliverGathered()
        })
      },
      onCreditStall: () => {
        this.counters.creditStalls++
      },
      onClosed: (channel) => {
        this.counters.channelsClosed++
        this.#channels.delete(channel.id)
        this.#outgoing.forget(channel)
        this.#closeIfDrained()
      }
    }
  }

  #send (type: FrameType, channelId: number, argument: number, payload?: Uint8Array): void {
    if (this.#closed) return
    this.#transport.send(type, channelId, argument, 0, payload)
    this.#outgoing.schedulePump()
  }

  /** `request` is the end of the peer's HELLO; null: this side speaks first. */
  #sendHello (request: Uint8Array | null): void {
    const { role, serves = false, maxPayloadBytes, windowBytes, maxChannels } = this.#options
    const attachment = this.#transport.offer(request)
    const { kind: transport } = this.#transport
    const hello = { role, serves, transport, maxPayloadBytes, windowBytes, maxChannels, attachment }
    this.#send(FrameType.HELLO, 0, 0, encodeHello(hello))
  }

  #sendReject (channelId: number, reason: Reason): void {
    this.counters.channelsRejected++
    this.#send(FrameType.REJECT, channelId, reason)
  }

  // --- Receiving

  #transportHandler (): TransportHandler {
    return {
      onFrame: (header, payload, release) => {
        try {
          this.#handleFrame(header, payload, release)
        } catch (error) {
          throwLater(error)
          this.#channels.get(header.channelId)?.reset(Reason.CONNECTION_RESET)
        }
      },
      onWritable: () => {
        this.#outgoing.scheduleWake()
      },
      onBroken: (error) => {
        this.#failWith(error)
      },
      onAttached: () => {
        if (this.ready) this.#callOrFail(this.#handleAttached)
      },
      onClose: (error) => {
        this.#closing.stop()
        this.#handleClose(error)
      }
    }
  }

  #handleFrame (header: FrameHeader, payload: Uint8Array, release: () => void): void {
    if (this.#closed) {
      release()
      return
    }
    const { type, channelId, argument } = header
    if (type === FrameType.DATA) {
      this.#handleData(channelId, (header.flags & FrameFlag.EOS) !== 0, payload, release)
      return
    }
    // HELLO, OPEN and GOAWAY are read here and now; no other frame has a payload.
    try {
      if (type === FrameType.GOAWAY) this.#handleGoAway(argument as Reason, Buffer.from(payload).toString())
      else if (this.#peer === null) this.#handleHello(type, payload)
      else if (type === FrameType.OPEN) this.#handleOpen(channelId, payload)
      else this.#handleControl(type, channelId, argument)
    } finally {
      release()
    }
  }

  #handleHello (type: FrameType, payload: Uint8Array): void {
    if (type !== FrameType.HELLO) return this.#fail(`the first frame must be HELLO: it is ${frameTypeName(type)}`)
    // Turned away or closed while it shook hands: the link is ending, whatever the peer still says.
    if (this.#closing.isSent) return
    const isHost = this.#options.role === Role.HOST
    try {
      const hello = decodeHello(payload, { role: isHost ? Role.PLUGIN : Role.HOST, transport: this.#transport.kind })
      const refusal = this.#handler.refuse?.() ?? null
      if (refusal !== null) return this.goAway(refusal.reason, refusal.text)
      if (isHost) this.#sendHello(hello.attachment)
      else this.#transport.attach(hello.attachment)
      this.#peer = hello
    } catch (error) {
      return this.#failWith(handshakeError(error))
    }
    this.#outgoing.setMaxPayloadBytes(this.#peer.maxPayloadBytes)
    this.#transport.setMaxPayloadBytes(this.#options.maxPayloadBytes)
    this.#callOrFail(() => {
      this.#handler.onReady()
      if (this.#transport.isAttached === false) this.#liveness.awaitAttach()
      else this.#handleAttached()
    })
  }

  readonly #handleAttached = (): void => {
    this.#isAttached = true
    this.#liveness.handshakeDone()
    this.#handler.onAttached?.()
  }

  /** Without what this calls of its user's the link is of no use. */
  #callOrFail (callback: () => void): void {
    try {
      callback()
    } catch (error) {
      throwLater(error)
      const message = `Cannot serve the link: ${messageOf(error)}`
      this.#failWith(new TunnelError(ErrorCode.INTERNAL, message, { cause: error }))
    }
  }

  #handleControl (type: FrameType, channelId: number, argument: number): void {
    switch (type) {
      case FrameType.PING:
        return this.#send(FrameType.PONG, 0, argument)
      case FrameType.PONG:
        return this.#liveness.handlePong(argument)
      case FrameType.HELLO:
        return this.#fail('HELLO came twice')
      case FrameType.ACCEPT:
      case FrameType.REJECT:
        if (this.#options.role !== Role.HOST) return this.#fail(`a host must not send ${frameTypeName(type)}`)
    }
    const channel = this.#channels.get(channelId)
    if (channel === undefined) return this.#handleLate(type, channelId)
    switch (type) {
      case FrameType.CREDIT:
        return this.#failIf(channel.receiveCredit(argument))
      case FrameType.RESET:
        return channel.receiveReset(argument as Reason)
      case FrameType.ACCEPT:
        return this.#failIf(channel.receiveAccept())
      case FrameType.REJECT:
        this.counters.channelsRejected++
        return channel.receiveReset(argument as Reason)
    }
  }

  #handleOpen (channelId: number, payload: Uint8Array): void {
    if (this.#options.role === Role.HOST) return this.#fail('a plugin must not send OPEN')
    if (payload.length > 0 && this.#options.serves !== true) {
      return this.#fail('OPEN must be empty for a plugin that does not serve')
    }
    if (((channelId - this.#lastChannelId) | 0) <= 0) {
      return this.#fail(`channel ids must rise: OPEN of ${channelId} came after ${this.#lastChannelId}`)
    }
    // Ids rise round the circle of 32 bits, so one that is still open can come up again.
    if (this.#channels.has(channelId)) return this.#fail(`OPEN names channel ${channelId}, which is open`)
    let addresses
    try {
      addresses = decodeConnection(payload)
    } catch (error) {
      return this.#failWith(error as TunnelError)
    }
    this.#lastChannelId = channelId
    if (this.draining) return this.#sendReject(channelId, Reason.SHUTDOWN)
    if (this.#channels.size >= this.#options.maxChannels) return this.#sendReject(channelId, Reason.LIMIT)
    const channel = this.#addChannel(channelId)
    channel.addresses = addresses
    try {
      channel.handler = this.#handler.onChannel!(channel)
    } catch (error) {
      throwLater(error)
      channel.reject(Reason.NONE)
    }
  }

  #handleData (channelId: number, end: boolean, payload: Uint8Array, release: () => void): void {
    const channel = this.#channels.get(channelId)
    if (channel === undefined) {
      release()
      this.#handleLate(FrameType.DATA, channelId)
      return
    }
    const broken = channel.receiveData(payload, end, release)
    if (broken === null) return
    release()
    this.#fail(broken)
  }

  /** Frames for a channel that has ended were on their way when it did; for one that never was they are a mistake. */
  #handleLate (type: FrameType, channelId: number): void {
    if (this.#peer === null) return this.#fail(`the first frame must be HELLO: it is ${frameTypeName(type)}`)
    if (((channelId - this.#lastChannelId) | 0) > 0) {
      return this.#fail(`${frameTypeName(type)} names channel ${channelId}, which was never opened`)
    }
    this.counters.lateFrames++
  }

  #handleGoAway (reason: Reason, text: string): void {
    if (!this.#closing.receive(reason, text)) return this.#fail('GOAWAY came twice')
    callSafely(() => {
      this.#handler.onGoAway?.()
    })
    if (reason !== Reason.SHUTDOWN) this.#closeTransport()
    else this.#closeIfDrained()
  }

  #failIf (brokenRule: string | null): void {
    if (brokenRule !== null) this.#fail(brokenRule)
  }

  #fail (rule: string): void {
    this.#failWith(
      new TunnelError(ErrorCode.PROTOCOL, `Cannot go on with the link: the peer broke the protocol: ${rule}`)
    )
  }

  /** Tells the peer why, as far as it still listens, and ends the link. */
  #failWith (error: TunnelError): void {
    if (this.#closed) return
    const text = Buffer.from(error.message).subarray(0, GOAWAY_MAX_BYTES)
    this.#transport.send(FrameType.GOAWAY, 0, goAwayReasonOf(error), 0, text)
    this.#closeTransport()
    this.#handleClose(error)
  }

  // --- The end

  #addChannel (id: number): Channel {
    const channel = new Channel(id, this.#link, this.#peer!.windowBytes, this.#options.windowBytes)
    this.#channels.set(id, channel)
    this.counters.channelsOpened++
    return channel
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
    for (const channel of [...this.#channels.values()]) {
      callSafely(() => {
        channel.receiveReset(Reason.CONNECTION_RESET)
      })
    }
    callSafely(() => {
      this.#handler.onClose(this.#closing.errorOf(error, this))
    })
  }
}

/** What else goes wrong while a medium is offered or attached must not reach the loop either. */
function handshakeError (error: unknown): TunnelError {
  if (error instanceof TunnelError) return error
  return new TunnelError(ErrorCode.INTERNAL, `Cannot shake hands: ${messageOf(error)}`, { cause: error })
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
