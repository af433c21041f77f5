import type { Address } from '../../base/address.js'
import { diagnostics } from '../../base/diagnostics.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import type { Engine, Polled, Reader, Socket } from '../../engine/engine.js'
import { FrameType, HELLO_MAX_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import type { Segment, SegmentMemory } from '../../shm/segment-memory.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'
import {
  type Claim, type Constants, emptyTransportCounters, type Transport, type TransportHandler
} from '../transport.js'
import { NO_CONSTANTS } from './constant-memory.js'
import { ControlSocket } from './control-socket.js'
import { ShmHandshake } from './shm-handshake.js'
import { ShmLink } from './shm-link.js'
import type { ShmClaim } from './slot-claim.js'

/** How long something may lie unread before it is asked whether a bell was missed. */
const WATCH_MS = 1000

export interface ShmParts {
  readonly memory: SegmentMemory
  readonly sizes: SegmentSizes
  readonly poison: number | null
}

/**
 * Frames in shared memory. The socket carries the handshake as ordinary frames; from then on it is the doorbell and the
 * sign of life. The side that accepts makes the segment, a new one for each peer.
 */
export class ShmTransport implements Transport, Polled {
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
  #maxPayloadBytes = HELLO_MAX_BYTES
  #flushedFrames = 0
  /** The socket ended when nothing could be delivered. */
  #endHeldBack = false
  #turnDue = false
  #watch: NodeJS.Timeout | null = null
  /** The handler was told that the peer has attached. */
  #saidAttached = false
  /** The peer broke a rule: nothing more is taken from it. */
  #isBroken = false
  /** `close()` was called: nothing more is taken; the socket is shut down when all of it lies in the ring. */
  #ended = false
  /** Nothing is delivered any more. */
  #closed = false
  #gone = false
  #error: TunnelError | null = null

  private constructor (engine: Engine, side: ShmSide, parts: ShmParts, open: (reader: Reader) => Socket) {
    this.#engine = engine
    this.#side = side
    this.#parts = parts
    this.#handshake = new ShmHandshake(side, parts.memory, parts.sizes)
    this.#socket = new ControlSocket({
      isReady: () => this.#handler !== null && !this.paused,
      isAttached: () => this.isAttached,
      onFrame: (header, payload, release) => {
        this.counters.framesReceived++
        this.#handler!.onFrame(header, payload, release)
      },
      onBell: () => { this.#receive() },
      onEnd: () => { this.#receiveEnd() },
      onBroken: (error) => { this.#break(error) },
      onClose: (error) => {
        this.#gone = true
        // Where bells lay unread the death of the peer is an error, and no end came before it.
        this.#deliverRest()
        this.#error ??= error
        this.#stop()
        this.#handler?.onClose(this.#error)
      }
    }, open)
  }

  /** The accepting side, which makes the segment: call inside `onSocket`. */
  static accept (engine: Engine, socket: Socket, parts: ShmParts): ShmTransport {
    return new ShmTransport(engine, ShmSide.HOST, parts, (reader) => {
      socket.start(reader)
      return socket
    })
  }

  /** The connecting side. A failed connect is an `onClose()` with the engine's error. */
  static connect (engine: Engine, address: Address, timeoutMs: number, parts: ShmParts): ShmTransport {
    return new ShmTransport(engine, ShmSide.PLUGIN, parts, (reader) => engine.connect(address, reader, { timeoutMs }))
  }

  start (handler: TransportHandler): void {
    this.#handler = handler
    if (this.#gone) return handler.onClose(this.#error)
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
      onWork: () => { this.#engage() }
    })
    this.#link.receiver.maxPayloadBytes = this.#maxPayloadBytes
    this.#watch = setInterval(() => { this.#watchBells() }, WATCH_MS).unref()
    this.#engage()
  }

  // --- Sending

  claim (bytes: number, channelId: number): Claim | null {
    this.#engage()
    let claim: Claim | null = null
    try {
      if (!this.#isEnding && this.#link !== null) claim = this.#link.sender.tryClaim(bytes, channelId)
    } catch (error) {
      this.#break(error)
    }
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
    try {
      return !this.#isEnding && this.#link !== null && this.#link.sender.canClaim(bytes, channelId)
    } catch (error) {
      return this.#break(error)
    }
  }

  get room (): number { return this.#link === null ? 0 : this.freeSlots }

  get freeSlots (): number { return this.#link === null ? this.#parts.sizes.slots : this.#link.sender.pool.available }

  commit (claim: Claim, bytes: number, copied = false): void {
    const own = claim as ShmClaim
    own.committedBytes = bytes
    own.copied = copied
  }

  get constants (): Constants { return this.#link === null ? NO_CONSTANTS : this.#link.sender.constants }

  abandon (claim: Claim): void {
    this.#link!.release(claim as ShmClaim)
    this.#engage()
  }

  sendData (claim: Claim, channelId: number, flags: number): void {
    if (this.#ended) return this.abandon(claim)
    try {
      this.#link!.sender.sendData(claim as ShmClaim, channelId, flags)
    } catch (error) {
      this.#break(error)
    }
  }

  send (type: FrameType, channelId: number, argument: number, flags = 0, payload: Uint8Array = NO_PAYLOAD): void {
    if (this.#ended) return
    // HELLO is what the peer needs in order to attach; and before it has done so a GOAWAY can only be read on the
    // socket.
    if (this.#link === null || type === FrameType.HELLO) {
      this.counters.framesSent++
      this.#socket.send(type, channelId, argument, flags, payload)
      return
    }
    this.#engage()
    try {
      this.#link.sender.send(type, channelId, argument, flags, payload)
    } catch (error) {
      this.#break(error)
    }
  }

  get writable (): boolean {
    if (this.#isEnding || this.#link === null) return false
    this.#engage()
    try {
      return this.#link.sender.writable
    } catch (error) {
      return this.#break(error)
    }
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
    if (this.#ended) return
    this.flush()
    this.#ended = true
    this.#shutDownIfDrained()
    this.#engage()
  }

  #shutDownIfDrained (): void {
    if (this.#ended && this.#link?.sender.drained !== false) this.#socket.shutdown()
  }

  abort (error: TunnelError): void {
    if (this.#closed) return
    this.#error ??= error
    this.#stop()
    this.#socket.reset()
  }

  // --- Turns

  /**
   * This side has something to do in this turn: to its end it is awake and needs no bell, and there it looks at the
   * rings anyway.
   */
  #engage (): void {
    if (this.#turnDue || this.#closed || this.#link === null || this.#handler === null || this.paused) return
    this.#turnDue = true
    this.#link.wake()
    this.#engine.atTurnEnd(this.#turn)
  }

  readonly #turn = (): void => {
    this.#deliver()
    // After the frames that this turn still sends.
    this.#engine.atTurnEnd(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#turnDue = false
    if (this.#closed || this.#link === null || this.paused) return
    try {
      this.#link.turn(this.#handler!, !this.#isBroken)
    } catch (error) {
      this.#break(error)
    }
    this.#shutDownIfDrained()
    this.#engine.pollUntilAsleep(this)
  }

  poll (): boolean {
    if (this.#closed || this.#isBroken || this.paused) return false
    try {
      if (!this.#link!.look()) return false
    } catch (error) {
      this.#break(error)
      return true
    }
    this.#receive()
    return true
  }

  trySleep (): boolean {
    if (this.#closed || this.#isBroken || this.paused) return true
    try {
      return this.#link!.trySleep()
    } catch (error) {
      this.#break(error)
      return true
    }
  }

  #receive (): void {
    this.#engage()
    this.#deliver()
  }

  #deliver (): void {
    if (this.#closed || this.#handler === null || this.paused) return
    try {
      if (!this.#saidAttached && this.isAttached) {
        this.#saidAttached = true
        this.#handler.onAttached?.()
      }
      this.#link?.receiver.deliver(this.#handler)
      if (this.#endHeldBack) this.#receiveEnd()
    } catch (error) {
      this.#break(error)
    }
  }

  /** For tests, after `paused`. */
  resume (): void {
    this.paused = false
    this.#socket.resume()
    this.#engage()
  }

  #watchBells (): void {
    if (this.#closed || this.#isBroken || this.paused) return
    try {
      const bell = this.#link!.overdueBell()
      if (bell === null) return
      if (bell === 'missed') this.counters.doorbellsMissed++
      this.#engage()
    } catch (error) {
      this.#break(error)
    }
  }

  /** The peer sends nothing more on the socket: what it had published before is still delivered. */
  #receiveEnd (): void {
    if (this.#closed) return
    if (this.#handler === null || this.paused) {
      this.#endHeldBack = true
      return
    }
    this.#deliverRest()
    this.#link?.receiver.stop()
    this.close()
  }

  /** What the peer had published before its end: at most one ring full, whatever it goes on writing. */
  #deliverRest (): void {
    if (this.#handler === null || this.#link === null || this.paused) return
    const { receiver, ringEntries } = this.#link
    try {
      for (let left = ringEntries, delivered = -1; left > 0 && delivered !== 0; left -= delivered) {
        delivered = receiver.deliver(this.#handler, left)
      }
    } catch (error) {
      this.#break(error)
    }
  }

  // --- The end

  #stop (): void {
    if (this.#closed) return
    this.#ended = this.#closed = true
    this.#socket.stop()
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#handshake.settle()
    this.#link?.close()
  }

  /** Nothing is sent any more but why the link ends. */
  get #isEnding (): boolean { return this.#ended || this.#isBroken }

  /**
   * Whatever the peer broke ends the link. (Called from the methods themselves, since a closure for each call would
   * cost more than their work.)
   */
  #break (error: unknown): false {
    if (!(error instanceof TunnelError)) throw error
    if (this.#gone) {
      this.#error ??= error
    } else if (this.#isBroken || error.code === ErrorCode.LIMIT || this.#handler?.onBroken === undefined) {
      this.abort(error)
    } else {
      this.#isBroken = true
      this.#link?.receiver.stop()
      // The caller may be amid anything.
      this.#engine.atTurnEnd(() => { if (!this.#closed) this.#handler!.onBroken!(error) })
    }
    return false
  }
}

const NO_PAYLOAD = new Uint8Array(0)
