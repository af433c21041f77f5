import { ErrorCode, TunnelError } from '../base/errors.js'

/**
 * The two ends of a single-producer single-consumer ring in shared memory: bounded, lock-free, wait-free. Positions are
 * free-running Int32 that wrap; an entry's place is `position & (capacity - 1)`. What lies in the entries is the
 * caller's: it writes them plainly after `tryNext()`, and one sequentially consistent store, `publish()`, makes all of
 * them visible (Lamport's queue, with the cached peer position of FastForward and its successors).
 *
 * Each end belongs to one thread. The other end is not trusted: a position that cannot be throws ERR_TUNNEL_PROTOCOL.
 * Every method that touches shared memory does so once, so that all interleavings can be explored (ring.test.ts).
 */
export class RingProducer {
  readonly capacity: number
  private readonly words: Int32Array
  private readonly writeIndex: number
  private readonly readIndex: number
  private position: number
  private published: number
  private seenRead: number

  /**
   * `writeIndex` and `readIndex` are places in `words`; `readIndex` -1: the ring has room for all there can ever be.
   * `start` is what both positions hold.
   */
  constructor (words: Int32Array, writeIndex: number, readIndex: number, capacity: number, start = 0) {
    this.words = words
    this.writeIndex = writeIndex
    this.readIndex = readIndex
    this.capacity = capacity
    this.position = this.published = this.seenRead = start
  }

  /** Entries written that the consumer had not taken when `refresh()` last looked; never less than there really are. */
  get used (): number { return (this.position - this.seenRead) | 0 }
  /** Entries ever taken by the consumer, as `refresh()` last saw it. */
  get taken (): number { return this.seenRead }

  /** The next entry to write, as its place in the ring, or -1: full as far as is known; try again after `refresh()`. */
  tryNext (): number {
    if (this.used >= this.capacity) return -1
    return this.next()
  }

  /** The next entry of a ring that is never full. */
  next (): number {
    const place = this.position & (this.capacity - 1)
    this.position = (this.position + 1) | 0
    return place
  }

  /** Looks how far the consumer is. Returns whether it has moved. */
  refresh (): boolean {
    const read = Atomics.load(this.words, this.readIndex)
    const taken = (read - this.seenRead) | 0
    if (taken === 0) return false
    if (taken < 0 || taken > ((this.published - this.seenRead) | 0)) {
      throw invalid(`the peer's read position must be from ${this.seenRead} to ${this.published}: it is ${read}`)
    }
    this.seenRead = read
    return true
  }

  /** Makes what was written visible. Returns whether there was anything. */
  publish (): boolean {
    if (this.position === this.published) return false
    this.published = this.position
    Atomics.store(this.words, this.writeIndex, this.position)
    return true
  }
}

export class RingConsumer {
  readonly capacity: number
  private readonly words: Int32Array
  private readonly writeIndex: number
  private readonly readIndex: number
  private position: number
  private published: number
  private seenWrite: number

  /** As for `RingProducer`. */
  constructor (words: Int32Array, writeIndex: number, readIndex: number, capacity: number, start = 0) {
    this.words = words
    this.writeIndex = writeIndex
    this.readIndex = readIndex
    this.capacity = capacity
    this.position = this.published = this.seenWrite = start
  }

  /** Entries taken so far, free-running. */
  get taken (): number { return this.position }

  /** Looks how far the producer is. Returns whether there are entries to take. */
  refresh (): boolean {
    const written = Atomics.load(this.words, this.writeIndex)
    const available = (written - this.position) | 0
    if (available < ((this.seenWrite - this.position) | 0) || available > this.capacity) {
      throw invalid(
        `the peer's write position must be from ${this.seenWrite} to ${(this.position + this.capacity) | 0}: it is ` +
        `${written}`
      )
    }
    this.seenWrite = written
    return available > 0
  }

  /**
   * The next entry to take, as its place in the ring, or -1: empty as far as is known. What lies there is valid until
   * `publish()`.
   */
  tryNext (): number {
    if (this.position === this.seenWrite) return -1
    const place = this.position & (this.capacity - 1)
    this.position = (this.position + 1) | 0
    return place
  }

  /**
   * Lets the producer write over what was taken. Returns whether there was anything. Does nothing on
   * a ring without a read position.
   */
  publish (): boolean {
    if (this.position === this.published || this.readIndex < 0) return false
    this.published = this.position
    Atomics.store(this.words, this.readIndex, this.position)
    return true
  }
}

export function invalid (rule: string): TunnelError {
  return new TunnelError(
    ErrorCode.PROTOCOL,
    `Cannot go on with the shared memory: the peer broke the protocol: ${rule}`
  )
}
