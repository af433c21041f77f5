import { NO_BYTES } from '../../base/copy-bytes.js'
import { diagnostics } from '../../base/diagnostics.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { type Engine, type Reader, type Socket, TurnPhase } from '../../engine/engine.js'
import { FrameType, HELLO_MAX_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import type { Segment } from '../../shm/segment-memory.js'
import {
  type Claim, type Constants, emptyTransportCounters, type Transport, type TransportHandler
} from '../transport.js'
import { NO_CONSTANTS } from './constant-memory.js'
import { ControlSocket } from './control-socket.js'
import { ShmHandshake, type ShmParts } from './shm-handshake.js'
import { ShmLink } from './shm-link.js'
import type { ShmClaim } from './slot-claim.js'

/** In this order, some of them left out. */
const Life = {
  /** DATA may be sent, as soon as there is a segment. */
  OPEN: 0,
  /** The peer broke a rule: nothing is sent but why the link ends. */
  BROKEN: 1,
  /** Nothing is sent any more. The socket is shut down when all that was sent lies in the ring. */
  ENDED: 2,
  /** Nothing is delivered any more either. */
  CLOSED: 3,
  /** The socket is gone. What the peer had published is delivered, then `onClose()` follows. */
  GONE: 4
} as const
type Life = typeof Life[keyof typeof Life]

/**
 * Frames in shared memory. The socket carries the handshake as ordinary frames; from then on it is the doorbell and the
 * sign of life. The side that accepts makes the segment, a new one for each peer.
 */
export class ShmTransport implements Transport {
  readonly kind = 'shm'
  readonly counters = emptyTransportCounters()
  /** For tests: while true nothing is taken from the peer, as in a program that hangs. */
  paused = false
  readonly #engine: Engine
  readonly #parts: ShmParts
  readonly #side: ShmSide
  readonly #socket: ControlSocket
  readonly #handshake: ShmHandshake
  #handler: TransportHandler | null = null
  #link: ShmLink | null = null
  #life: Life = Life.OPEN
  /** Why the link ends, where that is an error. */
  #error: TunnelError | null = null
  #maxPayloadBytes = HELLO_MAX_BYTES
  #flushedFrames = 0
  #isTurnDue = false

  /** `open` starts the socket with the reader it is given. */
  constructor (engine: Engine, side: ShmSide, parts: ShmParts, open: (reader: Reader) => Socket) {
    this.#engine = engine
    this.#side = side
    this.#parts = parts
    this.#handshake = new ShmHandshake(parts)
    this.#socket = new ControlSocket({
      isReady: () => this.#handler !== null && !this.paused,
      isAttached: () => this.isAttached,
      onFrame: (header, payload, release) => {
        this.counters.framesReceived++
        this.#handler!.onFrame(header, payload, release)
      },
      onBell: () => { this.#receive() },
      onEnd: () => { this.#deliver() },
      onBroken: (error) => { this.#break(error) },
      onClose: (error) => {
        this.#life = Life.GONE
        // Where bells lay unread the death of the peer is an error, and no end came before it.
        if (this.#handler !== null && !this.paused) this.#link?.deliverRest(this.#handler)
        this.#error ??= error
        this.#stop()
        this.#handler?.onClose(this.#error)
      }
    }, open)
  }

  start (handler: TransportHandler): void {
    this.#handler = handler
    if (this.#life === Life.GONE) return handler.onClose(this.#error)
    this.#socket.resume()
    this.#engage()
  }

  setMaxPayloadBytes (bytes: number): void {
    this.#maxPayloadBytes = bytes
    if (this.#link !== null) this.#link.receiver.maxPayloadBytes = bytes
  }

  // --- The handshake

  offer (request: Uint8Array | null): Uint8Array {
    if (request === null) return this.#handshake.request()
    const { segment, ticket } = this.#handshake.offer(request)
    this.#use(segment)
    return ticket
  }

  attach (ticket: Uint8Array): void {
    this.#use(this.#handshake.attach(ticket))
    this.#socket.ring()
    this.#engage()
  }

  get isAttached (): boolean { return this.#handshake.isDone }

  #use (segment: Segment): void {
    this.#link = new ShmLink({
      segment,
      side: this.#side,
      counters: this.counters,
      poison: this.#parts.poison,
      ring: () => this.#socket.ring(),
      isPaused: () => this.paused,
      onNews: () => { this.#receive() },
      onWork: () => { this.#engage() },
      onBroken: (error) => { this.#break(error) }
    })
    this.#link.receiver.maxPayloadBytes = this.#maxPayloadBytes
    this.#engage()
  }

  // --- Sending

  /** Where DATA goes; null: nowhere yet, or any more. */
  get #openLink (): ShmLink | null { return this.#life === Life.OPEN ? this.#link : null }

  claim (bytes: number, channelId: number): Claim | null {
    this.#engage()
    const claim = this.#openLink?.sender.memory.tryClaim(bytes, channelId) ?? null
    if (claim === null) {
      this.counters.exhausted++
      if (diagnostics.shmExhausted.hasSubscribers) {
        const role = this.#side === ShmSide.HOST ? 'host' : 'plugin'
        diagnostics.shmExhausted.publish({ role, channel: channelId, bytes, freeSlots: this.freeSlots })
      }
    }
    return claim
  }

  canClaim (bytes: number, channelId: number): boolean {
    this.#engage()
    return this.#openLink?.sender.memory.canClaim(bytes, channelId) ?? false
  }

  get room (): number { return this.#link === null ? 0 : this.freeSlots }

  get freeSlots (): number { return this.#link?.sender.memory.pool.available ?? this.#parts.sizes.slots }

  commit (claim: Claim, bytes: number, copied = false): void {
    const own = claim as ShmClaim
    own.committedBytes = bytes
    own.copied = copied
  }

  get constants (): Constants { return this.#link?.sender.memory.constants ?? NO_CONSTANTS }

  abandon (claim: Claim): void {
    this.#link!.abandon(claim as ShmClaim)
    this.#engage()
  }

  sendData (claim: Claim, channelId: number, flags: number): void {
    if (this.#life >= Life.ENDED) return this.abandon(claim)
    this.#link!.sender.sendData(claim as ShmClaim, channelId, flags)
  }

  send (type: FrameType, channelId: number, argument: number, flags = 0, payload: Uint8Array = NO_BYTES): void {
    if (this.#life >= Life.ENDED) return
    // The peer needs HELLO to attach, and before that it can read a GOAWAY only on the socket.
    if (this.#link === null || type === FrameType.HELLO) {
      this.counters.framesSent++
      this.#socket.send(type, channelId, argument, flags, payload)
      return
    }
    this.#engage()
    this.#link.sender.send(type, channelId, argument, flags, payload)
  }

  get writable (): boolean {
    const link = this.#openLink
    if (link === null) return false
    this.#engage()
    return link.sender.writable
  }

  flush (): void {
    const { framesSent } = this.counters
    if (framesSent === this.#flushedFrames) return
    this.#flushedFrames = framesSent
    this.counters.flushes++
    this.#socket.flush()
    this.#link?.publish(true)
  }

  close (): void {
    if (this.#life >= Life.ENDED) return
    this.flush()
    this.#life = Life.ENDED
    this.#shutDownIfDrained()
    this.#engage()
  }

  #shutDownIfDrained (): void {
    if (this.#life >= Life.ENDED && this.#link?.sender.drained !== false) this.#socket.shutdown()
  }

  abort (error: TunnelError): void {
    if (this.#life === Life.CLOSED) return
    this.#error ??= error
    this.#stop()
    this.#socket.reset()
  }

  // --- Turns

  /** Told of what comes; null: nothing is taken now. */
  get #listener (): TransportHandler | null {
    return this.paused || this.#life >= Life.CLOSED ? null : this.#handler
  }

  /**
   * This side has something to do in this turn. It stays awake to the end of the turn, where it looks at the rings
   * anyway, so it needs no bell.
   */
  #engage (): void {
    if (this.#isTurnDue || this.#listener === null) return
    this.#isTurnDue = true
    this.#link?.wake()
    this.#engine.atTurnEnd(this.#deliver, TurnPhase.DELIVER)
    this.#engine.atTurnEnd(this.#publish, TurnPhase.PUBLISH)
  }

  readonly #deliver = (): void => {
    const handler = this.#listener
    if (handler === null) return
    if (this.#handshake.tryTell()) handler.onAttached?.()
    if (!this.#socket.hasPeerEnded) {
      this.#link?.deliver(handler)
    } else {
      this.#link?.deliverRest(handler)
      this.close()
    }
  }

  readonly #publish = (): void => {
    this.#isTurnDue = false
    const handler = this.#listener
    if (handler === null || this.#link === null) return
    this.#link.turn(handler)
    this.#shutDownIfDrained()
    this.#engine.pollUntilAsleep(this.#link)
  }

  #receive (): void {
    this.#engage()
    this.#deliver()
  }

  /** For tests, after `paused`. */
  resume (): void {
    this.paused = false
    this.#socket.resume()
    this.#engage()
  }

  // --- The end

  #stop (): void {
    if (this.#life < Life.CLOSED) this.#life = Life.CLOSED
    this.#socket.stop()
    this.#handshake.settle()
    this.#link?.close()
  }

  /** The peer broke a rule: the link ends, and the peer is told why where that is possible. */
  #break (error: unknown): void {
    if (!(error instanceof TunnelError)) throw error
    const isFirst = this.#life !== Life.BROKEN && this.#link?.isTrusted !== false
    if (this.#life === Life.GONE) {
      this.#error ??= error
    } else if (!isFirst || error.code === ErrorCode.LIMIT || this.#handler?.onBroken === undefined) {
      this.abort(error)
    } else {
      if (this.#life === Life.OPEN) this.#life = Life.BROKEN
      this.#link?.distrust()
      // Not from inside a method of the transport.
      this.#engine.atTurnEnd(() => { if (this.#life < Life.CLOSED) this.#handler!.onBroken!(error) })
    }
  }
}
