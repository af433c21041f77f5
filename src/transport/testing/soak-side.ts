import { Random } from '../../engine/testing/random.js'
import type { FrameHeader } from '../../frame/header.js'
import { CONTROL_CHANNEL_ID, FrameType } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'
import type { Transport, TransportCounters, TransportHandler } from '../transport.js'

export interface SoakOptions {
  readonly side: ShmSide
  readonly seed: number
  /** Frames that each side sends. */
  readonly frames: number
  readonly sizes: SegmentSizes
}

export interface SoakResult {
  /** Frames of the soak, PING and DATA, without handshake and farewell. */
  readonly sent: number
  readonly received: number
  /** Of those received, how many came in a slot, and were kept for a while. */
  readonly slots: number
  readonly kept: number
  readonly counters: TransportCounters
  /** Slots that can be claimed when all is over. */
  readonly home: number
}

/** Number, length and checksum of a payload, before its bytes. */
const PREFIX_BYTES = 12
const CHANNELS = 8
/** In place of a number: all was sent, received and released; and after that: all slots were counted. */
const FAREWELL = 0xFFFF_FFFF
const COUNTED = 0xFFFF_FFFE
/** Frames sent in one go. */
const TURN_FRAMES = 256
/** A deadline for what should take no time. */
const HOME_MS = 10_000

/**
 * One side of a soak over a transport of shared memory: sends and receives numbered frames with checksums at the same
 * time, in slots, inline and without payload; sometimes stands still, sometimes keeps payloads and releases them in any
 * order. Throws at the first frame that is wrong.
 */
export class SoakSide implements TransportHandler {
  private readonly transport: Transport
  private readonly options: SoakOptions
  private readonly random: Random
  private sent = 0
  private received = 0
  private slots = 0
  private kept = 0
  private home = 0
  /** Frames that go out together although the ring may be full: control frames always may. */
  private burst = 0
  private readonly releases: Array<() => void> = []
  private isReleasing = false
  private isAttached = false
  private isPumping = false
  private saidFarewell = false
  private homeDeadline = 0
  private peerHasCounted = false
  private resolve: (result: SoakResult) => void = () => {}
  private reject: (error: Error) => void = () => {}
  readonly over = new Promise<SoakResult>((resolve, reject) => { Object.assign(this, { resolve, reject }) })

  constructor (transport: Transport, options: SoakOptions) {
    this.transport = transport
    this.options = options
    this.random = new Random(options.seed * 2 + options.side + 1)
    transport.setMaxPayloadBytes(options.sizes.slotBytes)
    transport.start(this)
    if (options.side === ShmSide.PLUGIN) this.hello(transport.offer(null))
  }

  private hello (payload: Uint8Array): void {
    this.transport.send(FrameType.HELLO, CONTROL_CHANNEL_ID, 0, 0, payload)
    this.transport.flush()
  }

  onFrame (header: FrameHeader, payload: Uint8Array, release: () => void): void {
    if (header.type === FrameType.HELLO) {
      if (this.options.side === ShmSide.HOST) this.hello(this.transport.offer(payload))
      else this.transport.attach(payload)
      this.isAttached = true
      this.pumpSoon()
    } else if (header.type === FrameType.PING && header.argument === FAREWELL) {
      this.homeDeadline = Date.now() + HOME_MS
      this.countHome()
    } else if (header.type === FrameType.PING && header.argument === COUNTED) {
      this.peerHasCounted = true
      if (this.home > 0) this.transport.close()
    } else {
      this.check(header, payload)
      this.received++
      if (this.random.below(3000) === 0) standStill()
      // The link goes on all the same, a second at a time.
      if (this.transport.counters.doorbellsMissed > 0) {
        this.reject(new Error(`a bell was missed after ${this.received} frames received`))
      }
      this.keepOrRelease(payload, release)
      this.sayFarewell()
      return
    }
    release()
  }

  onWritable (): void {
    this.pumpSoon()
  }

  onClose (error: Error | null): void {
    const { sent, received, slots, kept, home } = this
    if (error !== null) this.reject(error)
    else if (home === 0) this.reject(new Error(`the link closed after ${sent} frames sent and ${received} received`))
    else this.resolve({ sent, received, slots, kept, home, counters: this.transport.counters })
  }

  // --- Receiving

  private check ({ type, argument }: FrameHeader, payload: Uint8Array): void {
    const number = this.received + 1
    if (type === FrameType.PING) {
      if (argument !== number) throw new Error(`frame ${argument} came where ${number} is next`)
      return
    }
    const words = new Uint32Array(payload.buffer, payload.byteOffset, PREFIX_BYTES / 4)
    if (words[0] !== number) throw new Error(`frame ${words[0]} came where ${number} is next`)
    if (words[1] !== payload.length) {
      throw new Error(`frame ${number} has ${payload.length} bytes where it was sent with ${words[1]}`)
    }
    this.checkSum(number, payload)
  }

  private checkSum (number: number, payload: Uint8Array): void {
    const { 2: expected } = new Uint32Array(payload.buffer, payload.byteOffset, PREFIX_BYTES / 4)
    const sum = checksum(payload)
    if (sum !== expected) {
      throw new Error(
        `frame ${number} of ${payload.length} bytes has checksum ${sum} where it was sent with ${expected}`
      )
    }
  }

  private keepOrRelease (payload: Uint8Array, release: () => void): void {
    const { slots, inlineBytes } = this.options.sizes
    const isSlot = payload.length > inlineBytes
    if (isSlot) this.slots++
    if (!isSlot || this.releases.length > slots / 2 || this.random.below(3) !== 0) return release()
    this.kept++
    const number = this.received
    this.releases.push(() => {
      // It must still be there.
      this.checkSum(number, payload)
      release()
    })
    if (this.isReleasing) return
    this.isReleasing = true
    setImmediate(this.releaseSome)
  }

  /** Some of what is kept, in any order. */
  private readonly releaseSome = (): void => {
    const { releases } = this
    for (let count = 1 + this.random.below(releases.length); count > 0; count--) {
      releases.splice(this.random.below(releases.length), 1)[0]!()
    }
    this.isReleasing = releases.length > 0
    if (!this.isReleasing) return this.sayFarewell()
    if (this.random.below(20) === 0) setTimeout(this.releaseSome, 1)
    else setImmediate(this.releaseSome)
  }

  // --- Sending

  private pumpSoon (): void {
    if (this.isPumping || !this.isAttached || this.sent === this.options.frames) return
    this.isPumping = true
    setImmediate(this.pump)
  }

  private readonly pump = (): void => {
    const { transport, random, options: { frames } } = this
    this.isPumping = false
    const end = Math.min(frames, this.sent + TURN_FRAMES)
    let canGoOn = true
    while (this.sent < end && canGoOn) {
      canGoOn = this.trySendOne()
      if (random.below(50) === 0) transport.flush()
      if (random.below(20_000) === 0) standStill()
    }
    transport.flush()
    if (canGoOn) this.pumpSoon()
    this.sayFarewell()
  }

  private trySendOne (): boolean {
    const { transport, random, options: { sizes: { slotBytes, inlineBytes, ringEntries } } } = this
    if (this.burst === 0 && !transport.writable) return false
    if (this.burst === 0 && random.below(2000) === 0) this.burst = random.below(2 * ringEntries)
    if (this.burst > 0) this.burst--
    const kind = this.burst > 0 ? 0 : random.below(100)
    if (kind < 10) {
      transport.send(FrameType.PING, CONTROL_CHANNEL_ID, ++this.sent)
      return true
    }
    const most = kind < 60 ? 128 : kind < 70 ? inlineBytes : kind < 98 ? 4 * inlineBytes : slotBytes
    const channelId = 1 + random.below(CHANNELS)
    const claim = transport.claim(PREFIX_BYTES + random.below(Math.min(most, slotBytes) - PREFIX_BYTES + 1), channelId)
    if (claim === null) return false
    if (random.below(200) === 0) {
      transport.abandon(claim)
      return true
    }
    const bytes = claim.view.length
    const words = new Uint32Array(claim.view.buffer, claim.view.byteOffset, bytes >> 2)
    for (let i = PREFIX_BYTES / 4; i < words.length; i++) words[i] = Math.imul(i + this.sent, 0x9E37_79B9)
    words[0] = ++this.sent
    words[1] = bytes
    words[2] = checksum(claim.view)
    transport.commit(claim, bytes)
    transport.sendData(claim, channelId, 0)
    return true
  }

  // --- The end

  private sayFarewell (): void {
    const { sent, received, options: { frames } } = this
    if (this.saidFarewell || sent < frames || received < frames || this.releases.length > 0) return
    this.saidFarewell = true
    this.transport.send(FrameType.PING, CONTROL_CHANNEL_ID, FAREWELL)
    this.transport.flush()
  }

  /**
   * As many channels as slots get one each if all of them are home. The last releases may be published a moment after
   * the farewell.
   */
  private readonly countHome = (): void => {
    const { transport, options: { sizes: { slots, slotBytes } } } = this
    const claims = Array.from({ length: slots }, (_, i) => transport.claim(slotBytes, 1 + i))
    const home = claims.filter((claim) => claim !== null && claim.view.length === slotBytes).length
    for (const claim of claims) if (claim !== null) transport.abandon(claim)
    if ((home < slots || !this.saidFarewell) && Date.now() < this.homeDeadline) {
      setTimeout(this.countHome, 1)
      return
    }
    this.home = home
    transport.send(FrameType.PING, CONTROL_CHANNEL_ID, COUNTED)
    transport.flush()
    if (this.peerHasCounted) transport.close()
  }
}

/** FNV-1a (Fowler, Noll, Vo) over whole words, then over the bytes that are left; without the prefix. */
function checksum (bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  let sum = 0x811C_9DC5
  for (let i = PREFIX_BYTES / 4; i < words.length; i++) sum = Math.imul(sum ^ words[i]!, 0x0100_0193)
  for (let i = words.length * 4; i < bytes.length; i++) sum = Math.imul(sum ^ bytes[i]!, 0x0100_0193)
  return sum >>> 0
}

const bed = new Int32Array(new SharedArrayBuffer(4))

/** The whole thread stands still for a millisecond, as when the system runs others. */
function standStill (): void {
  Atomics.wait(bed, 0, 0, 1)
}
