import { ShmEndpoint, type ShmSide } from '../../shm/endpoint.js'
import { WaitFor } from '../../shm/layout.js'
import type { Segment } from '../../shm/segment-memory.js'
import type { TransportCounters, TransportHandler } from '../transport.js'
import { ShmReceiver } from './shm-receiver.js'
import { ShmSender } from './shm-sender.js'
import type { ShmClaim } from './slot-claim.js'

export interface ShmLinkParts {
  readonly segment: Segment
  readonly side: ShmSide
  readonly counters: TransportCounters
  readonly poison: number | null
  /** Sends one bell. False: the peer has left so many unread that it needs no more. */
  readonly ring: () => boolean
  /** There is something to do at the end of this turn: call `turn()`. */
  readonly onWork: () => void
}

/**
 * One side of a segment at work: both halves, and when to publish, sleep and wake. Throws ERR_TUNNEL_PROTOCOL from
 * every method where the peer broke the rules.
 */
export class ShmLink {
  readonly sender: ShmSender
  readonly receiver: ShmReceiver
  readonly ringEntries: number
  readonly #endpoint: ShmEndpoint
  readonly #segment: Segment
  readonly #counters: TransportCounters
  readonly #ring: () => boolean
  #closed = false
  #freed = false
  /** Found and not taken yet. The rings tell of each movement once. */
  #hasNews = false
  /** What lay unread at the last check although this side slept, or null. */
  #suspicion: string | null = null

  constructor ({ segment, side, counters, poison, ring, onWork }: ShmLinkParts) {
    const words = new Int32Array(segment.buffer)
    this.#endpoint = new ShmEndpoint(words, segment.layout, side)
    this.#segment = segment
    this.ringEntries = segment.layout.sizes.ringEntries
    this.#counters = counters
    this.#ring = ring
    this.sender = new ShmSender(this.#endpoint, segment, side, words, counters, poison, onWork)
    this.receiver = new ShmReceiver(this.#endpoint, segment, side, words, counters, () => {
      if (this.#closed) this.#freeIfUnused()
      else onWork()
    })
  }

  /** From now to the end of the turn no bell is needed. */
  wake (): void {
    this.#endpoint.wake()
  }

  /** Lets everything taken and released so far be seen, and with `frames` everything written. */
  publish (frames: boolean): void {
    if (this.#closed) return
    const outcome = this.#endpoint.publish(frames)
    if (outcome === 'nothing') return
    if (outcome === 'ring' && this.#ring()) this.#counters.doorbellsSent++
    else this.#counters.doorbellsSaved++
  }

  /** The end of a turn: takes back what the peer is done with, where it is still `trusted`. */
  turn (handler: TransportHandler, trusted: boolean): void {
    const { sender } = this
    this.#hasNews = false
    if (trusted) sender.takeReleases()
    this.publish(sender.takeWaiting())
    if (!this.#closed && trusted && sender.tryRecover()) handler.onWritable()
  }

  /** Whether there is something to take, while this side is awake. Stays true until the next `turn()`. */
  look (): boolean {
    this.#hasNews ||= this.#endpoint.hasNews(this.#waitFor)
    return this.#hasNews
  }

  /** False: there is something to take, and this side stays awake. */
  trySleep (): boolean {
    this.#hasNews ||= !this.#endpoint.trySleep(this.#waitFor)
    return !this.#hasNews
  }

  get #waitFor (): number {
    return this.sender.wantsRoom ? WaitFor.FRAMES | WaitFor.ROOM : WaitFor.FRAMES
  }

  /**
   * Once a second: whether something has lain unread since the last time while this side slept and no bell came. It is
   * `late` where the peer has found this side asleep: it may get no processor to ring with. Else it is `missed` for
   * ever.
   */
  overdueBell (): 'missed' | 'late' | null {
    const { asleepFor, peerFrames, isBellDue } = this.#endpoint
    const before = this.#suspicion
    this.#suspicion = asleepFor !== 0 && peerFrames.refresh() ? String(peerFrames.taken) : null
    if (before === null || before !== this.#suspicion) return null
    return isBellDue ? 'late' : 'missed'
  }

  /** Nothing is sent or delivered any more. The memory goes back as soon as nobody writes or reads it. */
  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.receiver.stop()
    this.sender.stop()
    this.#freeIfUnused()
  }

  release (claim: ShmClaim): void {
    this.sender.release(claim)
    if (this.#closed) this.#freeIfUnused()
  }

  #freeIfUnused (): void {
    if (this.#freed || this.sender.claims > 0 || this.receiver.held > 0) return
    this.#freed = true
    this.#segment.free()
  }
}
