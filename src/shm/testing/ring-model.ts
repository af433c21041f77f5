import { RingConsumer, RingProducer } from '../ring.js'
import { type Actor, type Model, Violation } from './explorer.js'

export interface RingModelOptions {
  readonly capacity: number
  /** Entries that go through the ring: the numbers from 1. */
  readonly count: number
  readonly start: number
  /** As a return ring: no read position; it is never full because there are no more slots than entries. */
  readonly isReturn?: boolean
  /** Broken: publishes an entry before it is written. */
  readonly publishesFirst?: boolean
  /** Broken: gives back an entry before it is read. */
  readonly readsLate?: boolean
  /** Broken: sees room for so many entries more than there are. */
  readonly excess?: number
}

const Word = { WRITE: 0, READ: 1, ENTRIES: 2 } as const
const At = { CHOOSE: 0, LOOK: 1, ENTRY: 2, PUBLISH: 3, PUBLISH_EARLY: 4 } as const

class Producer implements Actor {
  readonly name = 'producer'
  readonly ring: RingProducer
  consumer!: Consumer
  written = 0
  private readonly words: Int32Array
  private readonly options: RingModelOptions
  private at: number = At.CHOOSE
  private place = 0
  private unpublished = 0

  constructor (words: Int32Array, options: RingModelOptions) {
    this.words = words
    this.options = options
    this.ring = new RingProducer(
      words,
      Word.WRITE,
      options.isReturn === true ? -1 : Word.READ,
      options.capacity + (options.excess ?? 0),
      options.start
    )
    // The places are those of the ring as it is.
    if (options.excess !== undefined) {
      Object.assign(this.ring, {
        tryNext: () => (this.ring.used >= this.ring.capacity ? -1 : this.ring.next() & (options.capacity - 1))
      })
    }
  }

  get isFinished (): boolean { return this.written === this.options.count && this.unpublished === 0 }

  choices (): number {
    if (this.at !== At.CHOOSE) return 1
    if (this.written === this.options.count) return this.unpublished > 0 ? 1 : 0
    if (this.options.isReturn === true && this.written - this.consumer.taken >= this.options.capacity) {
      return this.unpublished > 0 ? 1 : 0
    }
    // Writes one more, or publishes first.
    return this.unpublished > 0 ? 2 : 1
  }

  step (choice: number): string {
    const { ring } = this
    switch (this.at) {
      case At.CHOOSE: {
        const { isReturn = false, count, capacity, publishesFirst = false } = this.options
        // How many slots are free is the consumer's to know: a step by itself.
        if (isReturn) Atomics.load(this.words, Word.WRITE)
        if (choice === 1 || this.written === count || (isReturn && this.written - this.consumer.taken >= capacity)) {
          return this.go(At.PUBLISH, 'has written enough')
        }
        this.place = isReturn ? ring.next() : ring.tryNext()
        if (this.place < 0) {
          this.place = 0
          return this.go(this.unpublished > 0 ? At.PUBLISH : At.LOOK, 'finds the ring full')
        }
        this.written++
        this.unpublished++
        return this.go(publishesFirst ? At.PUBLISH_EARLY : At.ENTRY, `takes an entry for ${this.written}`)
      }
      case At.LOOK: {
        ring.refresh()
        return this.go(At.CHOOSE, 'looks how far the consumer is')
      }
      case At.ENTRY: {
        Atomics.store(this.words, Word.ENTRIES + this.place, this.written)
        this.place = 0
        return this.go(At.CHOOSE, `writes ${this.written}`)
      }
      case At.PUBLISH_EARLY: {
        ring.publish()
        return this.go(At.ENTRY, 'publishes early')
      }
      default: {
        ring.publish()
        this.unpublished = 0
        return this.go(At.CHOOSE, 'publishes')
      }
    }
  }

  private go (at: number, label: string): string {
    this.at = at
    return label
  }
}

class Consumer implements Actor {
  readonly name = 'consumer'
  readonly ring: RingConsumer
  taken = 0
  private readonly words: Int32Array
  private readonly options: RingModelOptions
  private at: number = At.LOOK
  private place = 0
  private unpublished = false

  constructor (words: Int32Array, options: RingModelOptions) {
    this.words = words
    this.options = options
    this.ring = new RingConsumer(
      words,
      Word.WRITE,
      options.isReturn === true ? -1 : Word.READ,
      options.capacity,
      options.start
    )
  }

  get isFinished (): boolean { return this.taken === this.options.count && !this.unpublished }

  choices (): number {
    if (this.isFinished) return 0
    // Takes one more, or gives back what it has taken.
    return this.at === At.CHOOSE && this.unpublished ? 2 : 1
  }

  step (choice: number): string {
    const { ring } = this
    switch (this.at) {
      case At.LOOK: return this.go(ring.refresh() ? At.CHOOSE : At.LOOK, 'looks how far the producer is')
      case At.CHOOSE: {
        if (choice === 1) return this.go(At.PUBLISH, 'has taken enough')
        this.place = ring.tryNext()
        if (this.place < 0) {
          this.place = 0
          return this.go(this.unpublished ? At.PUBLISH : At.LOOK, 'finds the ring empty')
        }
        this.unpublished = this.options.isReturn !== true
        return this.go(this.options.readsLate === true ? At.PUBLISH_EARLY : At.ENTRY, 'takes an entry')
      }
      case At.ENTRY: {
        const number = Atomics.load(this.words, Word.ENTRIES + this.place)
        if (number !== this.taken + 1) throw new Violation(`reads ${number} where ${this.taken + 1} is next`)
        this.taken++
        this.place = 0
        return this.go(At.CHOOSE, `reads ${number}`)
      }
      case At.PUBLISH_EARLY: {
        ring.publish()
        return this.go(At.ENTRY, 'gives the entry back early')
      }
      default: {
        ring.publish()
        this.unpublished = false
        return this.go(At.CHOOSE, 'gives entries back')
      }
    }
  }

  private go (at: number, label: string): string {
    this.at = at
    return label
  }
}

/** A producer and a consumer that look, and look again, until all has gone through. */
export function ringModel (options: RingModelOptions): Model {
  const words = new Int32Array(new SharedArrayBuffer((Word.ENTRIES + options.capacity) * 4))
  words[Word.WRITE] = words[Word.READ] = options.start
  const producer = new Producer(words, options)
  const consumer = new Consumer(words, options)
  producer.consumer = consumer
  return {
    actors: [producer, consumer],
    parts: [words, producer, consumer],
    check () {
      const position = (options.start + producer.written) | 0
      const used = (position - words[Word.READ]!) | 0
      if (options.isReturn !== true && used > options.capacity) {
        throw new Violation(`${used} of ${options.capacity} entries are used`)
      }
      if (options.isReturn !== true && producer.ring.used < used) {
        throw new Violation(`the producer believes that ${producer.ring.used} entries are used: there are ${used}`)
      }
    },
    isDone: () => producer.isFinished && consumer.isFinished,
    checkRest () {
      if (!producer.isFinished || !consumer.isFinished) {
        throw new Violation(`nothing goes on after ${consumer.taken} of ${options.count}`)
      }
    }
  }
}
