import type { Polled } from '../../engine/engine.js'
import { ShmEndpoint, type ShmSide } from '../../shm/endpoint.js'
import { WaitFor } from '../../shm/layout.js'
import type { Segment } from '../../shm/segment-memory.js'
import type { TransportCounters, TransportHandler } from '../transport.js'
import { ShmReceiver } from './shm-receiver.js'
import { ShmSender } from './shm-sender.js'
import type { ShmClaim } from './slot-claim.js'

/** How long something may lie unread before it is asked whether a bell was missed. */
const WATCH_MS = 1000

export interface ShmLinkParts {
  readonly segment: Segment
  readonly side: ShmSide
  readonly counters: TransportCounters
  readonly poison: number | null
  /** Sends one bell. False: the peer has enough unread bells. */
  readonly ring: () => boolean
  /** For tests: see `ShmTransport.paused`. */
  readonly isPaused: () => boolean
  /** `poll()` has found something to take: call `deliver()`. */
  readonly onNews: () => void
  /** There is something to do at the end of this turn: call `turn()`. */
  readonly onWork: () => void
  /** The peer broke a rule, or does not read. Rethrows what is no TunnelError. */
  readonly onBroken: (error: unknown) => void
}

/** In this order, some of them left out. */
const Life = {
  TRUSTED: 0,
  /** The peer broke a rule: nothing more is taken from it. */
  DISTRUSTED: 1,
  /** Nothing is sent either. Users may still hold memory. */
  CLOSED: 2,
  /** The memory has gone back. */
  FREED: 3
} as const
type Life = typeof Life[keyof typeof Life]

/**
 * One side of a segment at work: both halves, and when to publish, sleep and wake.
 */
export class ShmLink implements Polled {
  readonly sender: ShmSender
  readonly receiver: ShmReceiver
  readonly #endpoint: ShmEndpoint
  readonly #segment: Segment
  readonly #counters: TransportCounters
  readonly #ring: () => boolean
  readonly #isPaused: () => boolean
  readonly #onNews: () => void
  readonly #onWork: () => void
  readonly #onBroken: (error: unknown) => void
  readonly #watch: NodeJS.Timeout
  #life: Life = Life.TRUSTED
  /** Found and not taken yet: the rings report each movement once. */
  #hasNews = false
  /** What lay unread at the last check although this side slept, or null. */
  #suspicion: string | null = null

  constructor ({ segment, side, counters, poison, ring, isPaused, onNews, onWork, onBroken }: ShmLinkParts) {
    const words = new Int32Array(segment.buffer)
    this.#endpoint = new ShmEndpoint(words, segment.layout, side)
    this.#segment = segment
    this.#counters = counters
    this.#ring = ring
    this.#isPaused = isPaused
    this.#onNews = onNews
    this.#onWork = onWork
    this.#onBroken = onBroken
    this.#watch = setInterval(() => { this.#watchBells() }, WATCH_MS).unref()
    this.sender = new ShmSender({
      endpoint: this.#endpoint, segment, side, words, counters, poison, onStarving: onWork, onBroken
    })
    this.receiver = new ShmReceiver(this.#endpoint, segment, side, words, counters, () => {
      if (this.#life >= Life.CLOSED) this.#freeIfUnused()
      else onWork()
    })
  }

  /** From now to the end of the turn no bell is needed. */
  wake (): void {
    this.#endpoint.wake()
  }

  /** Lets everything taken and given back so far be seen, and with `frames` everything written. */
  publish (frames: boolean): void {
    if (this.#life >= Life.CLOSED) return
    const outcome = this.#endpoint.publish(frames)
    if (outcome === 'nothing') return
    if (outcome === 'ring' && this.#ring()) this.#counters.doorbellsSent++
    else this.#counters.doorbellsSaved++
  }

  /** The end of a turn. */
  turn (handler: TransportHandler): void {
    const { sender } = this
    this.#hasNews = false
    if (this.isTrusted) sender.memory.takeReturns()
    this.publish(sender.takeWaiting())
    if (this.isTrusted && sender.tryRecover()) handler.onWritable()
  }

  /** Hands on what the peer has sent, at most `limit` frames. Returns how many there were. */
  deliver (handler: TransportHandler, limit?: number): number {
    try {
      return this.receiver.deliver(handler, limit)
    } catch (error) {
      this.#onBroken(error)
      return 0
    }
  }

  /**
   * Hands on what the peer had published before its end, and nothing after. A hostile peer may go on writing: so at
   * most as many frames as the segment's ring has entries.
   */
  deliverRest (handler: TransportHandler): void {
    let left = this.#segment.layout.sizes.ringEntries
    for (let delivered = -1; left > 0 && delivered !== 0; left -= delivered) delivered = this.deliver(handler, left)
    this.receiver.stop()
  }

  /** While this side is awake. What was found counts as there until the next `turn()`. */
  poll (): boolean {
    if (!this.isTrusted || this.#isPaused()) return false
    try {
      this.#hasNews ||= this.#endpoint.hasNews(this.#waitFor)
    } catch (error) {
      this.#onBroken(error)
      return false
    }
    if (this.#hasNews) this.#onNews()
    return this.#hasNews
  }

  trySleep (): boolean {
    if (!this.isTrusted || this.#isPaused()) return true
    try {
      this.#hasNews ||= !this.#endpoint.trySleep(this.#waitFor)
      return !this.#hasNews
    } catch (error) {
      this.#onBroken(error)
      return true
    }
  }

  get #waitFor (): number {
    return this.sender.wantsRoom ? WaitFor.FRAMES | WaitFor.ROOM : WaitFor.FRAMES
  }

  /**
   * Whether something has lain unread since the last call while this side slept and no bell came. The bell is `late` if
   * the peer has seen that this side sleeps: it may be waiting for a processor. Otherwise it is `missed`.
   */
  overdueBell (): 'missed' | 'late' | null {
    const { asleepFor, peerFrames, isBellDue } = this.#endpoint
    const before = this.#suspicion
    this.#suspicion = asleepFor !== 0 && peerFrames.refresh() ? String(peerFrames.taken) : null
    if (before === null || before !== this.#suspicion) return null
    return isBellDue ? 'late' : 'missed'
  }

  /** Once a second: goes on without a bell that is overdue. */
  #watchBells (): void {
    if (!this.isTrusted || this.#isPaused()) return
    try {
      const bell = this.overdueBell()
      if (bell === 'missed') this.#counters.doorbellsMissed++
      if (bell !== null) this.#onWork()
    } catch (error) {
      this.#onBroken(error)
    }
  }

  get isTrusted (): boolean { return this.#life === Life.TRUSTED }

  /** The peer broke a rule: nothing more is taken from it. */
  distrust (): void {
    if (this.isTrusted) this.#life = Life.DISTRUSTED
    this.receiver.stop()
  }

  /** Nothing is sent or delivered any more. The memory goes back once nobody uses it. */
  close (): void {
    if (this.#life >= Life.CLOSED) return
    this.#life = Life.CLOSED
    clearInterval(this.#watch)
    this.receiver.stop()
    this.sender.memory.stop()
    this.#freeIfUnused()
  }

  /** A claim that will not be sent. */
  abandon (claim: ShmClaim): void {
    this.sender.memory.free(claim)
    if (this.#life === Life.CLOSED) this.#freeIfUnused()
  }

  #freeIfUnused (): void {
    if (this.#life === Life.FREED || this.sender.memory.claimed > 0 || this.receiver.held > 0) return
    this.#life = Life.FREED
    this.#segment.free()
  }
}
