import type { Address } from '../../base/address.js'
import { TunnelError } from '../../base/errors.js'
import type { Engine, Polled, Reader, Socket } from '../../engine/engine.js'
import { FrameType, HELLO_MAX_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import { WordOffset } from '../../shm/layout.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import type { Segment, SegmentMemory, SegmentRequest } from '../../shm/segment-memory.js'
import { checkSegmentSizes, type SegmentSizes, segmentSizes } from '../../shm/segment-sizes.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { type Claim, type Constants, emptyTransportCounters, type Transport, type TransportHandler, type TransportKind } from '../transport.js'
import { NO_CONSTANTS } from './constant-memory.js'
import { ControlSocket } from './control-socket.js'
import { ShmLink } from './shm-link.js'
import type { ShmClaim } from './slot-claim.js'

export interface ShmOptions {
  /** `shared-array-buffer`: host and plugin are threads of one process. `memfd`: processes of one user on one Linux machine; needs koffi. */
  readonly memory: 'shared-array-buffer' | 'memfd'
  /** The host's say; the plugin is told. Defaults: see `SegmentSizes`. */
  readonly sizes?: Partial<SegmentSizes>
  /** For tests: slots that are given back are filled with this byte. */
  readonly poison?: number
}

/** How long something may lie unread before it is asked whether a bell was missed. */
const WATCH_MS = 1000

/** Throws ERR_TUNNEL_USAGE for sizes that break a rule. */
export function createShmTransport ({ memory: kind, sizes, poison }: ShmOptions): TransportKind {
  const memory = kind === 'memfd' ? memfdMemory() : sharedArrayMemory()
  const checked = checkSegmentSizes(segmentSizes(sizes))
  return {
    kind: 'shm',
    check () { memory.check() },
    accept: (engine, socket) => ShmTransport.accept(engine, socket, { memory, sizes: checked, poison: poison ?? null }),
    connect: (engine, address, timeoutMs) => ShmTransport.connect(engine, address, timeoutMs, { memory, sizes: checked, poison: poison ?? null })
  }
}

export interface ShmParts {
  readonly memory: SegmentMemory
  readonly sizes: SegmentSizes
  readonly poison: number | null
}

/**
 * Frames in shared memory. The socket carries the handshake as ordinary frames; from then on it is the doorbell and the sign of life. The side that
 * accepts makes the segment, a new one for each peer.
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
  #handler: TransportHandler | null = null
  #request: SegmentRequest | null = null
  #settleOffer: (() => void) | null = null
  #link: ShmLink | null = null
  #words: Int32Array | null = null
  #maxPayloadBytes = HELLO_MAX_BYTES
  #flushedFrames = 0
  /** The socket ended when nothing could be delivered. */
  #endHeldBack = false
  #turnDue = false
  #watch: NodeJS.Timeout | null = null
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
    this.#socket = new ControlSocket({
      isReady: () => this.#handler !== null && !this.paused,
      isAttached: () => this.#isAttached,
      onFrame: (header, payload, release) => {
        this.counters.framesReceived++
        this.#handler!.onFrame(header, payload, release)
      },
      onBell: () => { this.#receive() },
      onEnd: () => { this.#receiveEnd() },
      onBroken: (error) => { this.abort(error) },
      onClose: (error) => {
        this.#gone = true
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
    if (request === null) {
      this.#request = this.#parts.memory.request()
      return this.#request.bytes
    }
    const { segment, ticket, settle } = this.#parts.memory.offer(request, this.#parts.sizes)
    this.#settleOffer = settle
    this.#use(segment)
    return ticket
  }

  attach (ticket: Uint8Array): void {
    const segment = this.#request!.attach(ticket)
    this.#use(segment)
    Atomics.store(this.#words!, WordOffset.ATTACHED >> 2, 1)
    this.#socket.ring()
    this.#engage()
  }

  #use (segment: Segment): void {
    this.#words = new Int32Array(segment.buffer)
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

  /** The peer has mapped the segment: what it sends on the socket from here on is bells. */
  get #isAttached (): boolean {
    if (this.#link === null) return false
    if (this.#side === ShmSide.PLUGIN) return true
    if (Atomics.load(this.#words!, WordOffset.ATTACHED >> 2) !== 1) return false
    this.#settle()
    return true
  }

  #settle (): void {
    this.#settleOffer?.()
    this.#settleOffer = null
    this.#request?.cancel()
    this.#request = null
  }

  // --- Sending

  claim (bytes: number, channelId: number): Claim | null {
    this.#engage()
    let claim: Claim | null = null
    try {
      if (!this.#ended && this.#link !== null) claim = this.#link.sender.tryClaim(bytes, channelId)
    } catch (error) {
      this.#break(error)
    }
    if (claim === null) this.counters.exhausted++
    return claim
  }

  canClaim (bytes: number, channelId: number): boolean {
    this.#engage()
    try {
      return !this.#ended && this.#link !== null && this.#link.sender.canClaim(bytes, channelId)
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
    // HELLO is what the peer needs in order to attach; and before it has done so a GOAWAY can only be read on the socket.
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
    if (this.#ended || this.#link === null) return false
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

  /** This side has something to do in this turn: to its end it is awake and needs no bell, and there it looks at the rings anyway. */
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
      this.#link.turn(this.#handler!)
    } catch (error) {
      this.#break(error)
    }
    this.#shutDownIfDrained()
    this.#engine.pollUntilAsleep(this)
  }

  poll (): boolean {
    if (this.#closed || this.paused) return false
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
    if (this.#closed || this.paused) return true
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
    if (this.#closed || this.paused) return
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
    const handler = this.#handler
    const receiver = this.#link?.receiver
    // At most one ring full, whatever the peer goes on writing.
    for (let left = this.#parts.sizes.ringEntries; left > 0 && receiver?.deliver(handler) === true; left--) {
      if (this.#closed) return
    }
    this.close()
  }

  // --- The end

  #stop (): void {
    if (this.#closed) return
    this.#ended = this.#closed = true
    this.#socket.stop()
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#settle()
    this.#link?.close()
  }

  /** Whatever the peer broke ends the link. (Called from the methods themselves, since a closure for each call would cost more than their work.) */
  #break (error: unknown): false {
    if (!(error instanceof TunnelError)) throw error
    this.abort(error)
    return false
  }
}

const NO_PAYLOAD = new Uint8Array(0)
