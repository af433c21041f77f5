import { PublishStep, ShmEndpoint, type ShmSide, SleepStep, WakeStep } from '../endpoint.js'
import { INLINE_PAYLOAD, WaitFor } from '../layout.js'
import { SlotPool } from '../slot-pool.js'
import { DONE, stepNames, type Steps } from '../steps.js'
import { type Actor, Violation } from './explorer.js'
import type { SmallSegment } from './small-segment.js'

export type EndpointSteps = typeof ShmEndpoint.steps

const PUBLISHING = stepNames(PublishStep)
const FALLING_ASLEEP = stepNames(SleepStep)
const WAKING = stepNames(WakeStep)

/** What a side does, and how it may be broken. */
export interface LinkSideOptions {
  /** Frames to send. Every `inlineEvery`-th travels inline, the others in a slot. */
  readonly sends: number
  readonly inlineEvery: number
  /** How many times it may wake although no bell rang, because it has something else to do. */
  readonly ownWakes: number
  /** Payloads that it may keep, to be released later in any order. */
  readonly keeps: number
  readonly start: number
  readonly steps?: EndpointSteps
  /** Broken: publishes a descriptor before it is written. */
  readonly publishesFirst?: boolean
  /** Broken: goes on only if the read position has moved since somebody looked last. */
  readonly trustsRefresh?: boolean
  /** Broken: gives back an entry before it is read. */
  readonly readsLate?: boolean
  /** Broken: gives back a slot before its payload is read. */
  readonly looksLate?: boolean
}

/** Where in its program a side is. */
const At = {
  IDLE: 0,
  WAKE: 1,
  POLL: 2,
  TAKE: 3,
  FREE_ENTRY: 4,
  READ: 5,
  CHOOSE: 6,
  LOOK: 7,
  RETURN: 8,
  COLLECT: 9,
  COLLECT_NEXT: 10,
  COLLECT_ONE: 11,
  SEND: 12,
  PUBLISH_EARLY: 13,
  FILL: 14,
  WRITE: 15,
  MAKE_ROOM: 16,
  PUBLISH: 17,
  RING: 18,
  SLEEP: 19,
  PUBLISH_RETURN: 20
} as const

/** Fields of an endpoint that its steps use. */
export interface EndpointFields {
  waitFor: number
  withFrames: boolean
  news: number
  bell: boolean
}

/**
 * One side of a link as a program of single steps, with the turn of `ShmLink`: take what came, take slots back, send,
 * publish, sleep. A frame's descriptor is its number and its slot, in one word; its payload is its number. What is not
 * used any more is cleared, so that states are the same where only the past differs.
 */
export class LinkSide implements Actor {
  readonly name: string
  readonly endpoint: ShmEndpoint
  readonly pool: SlotPool
  peer!: LinkSide
  readonly sends: number
  sent = 0
  received = 0
  ownWakes: number
  /** Slot and number of each payload that is kept. */
  readonly keptSlots: number[] = []
  readonly keptNumbers: number[] = []
  private readonly options: LinkSideOptions
  private readonly steps: EndpointSteps
  private readonly words: Int32Array
  /** Bells on their way to each side. */
  private readonly bells: Int32Array
  private readonly side: ShmSide
  private readonly ringWords: number
  private readonly peerRingWords: number
  private readonly slotWords: number
  private readonly peerSlotWords: number
  private at: number = At.POLL
  /** Inside one of the endpoint's lists of steps. */
  private inner = 0
  /** The slot that is returned was kept. */
  private wasIdle = false
  private slot: number = INLINE_PAYLOAD
  private number = 0
  private place = 0
  private wantsRoom = false
  private wrote = false
  /** The next frame comes with a wake of its own. */
  private postpones = false
  /** The ring was full the last time; for the mistake `trustsRefresh`. */
  private waits = false
  /** A bell was rung since this side went to sleep last. */
  private rung = true

  constructor ({ words, bells, layout }: SmallSegment, side: ShmSide, options: LinkSideOptions) {
    this.name = side === 0 ? 'host' : 'plugin'
    this.endpoint = new ShmEndpoint(words, layout, side, options.start)
    this.pool = new SlotPool(layout.sizes.slots)
    this.options = options
    this.steps = options.steps ?? ShmEndpoint.steps
    this.words = words
    this.bells = bells
    this.side = side
    this.sends = options.sends
    this.ownWakes = options.ownWakes
    this.ringWords = layout.directions[side].ring >> 2
    this.slotWords = layout.directions[side].slots >> 2
    this.peerRingWords = layout.directions[(1 - side) as ShmSide].ring >> 2
    this.peerSlotWords = layout.directions[(1 - side) as ShmSide].slots >> 2
  }

  get isFinished (): boolean {
    return this.sent === this.sends && this.received === this.peer.sends && this.keptSlots.length === 0
  }

  choices (): number {
    switch (this.at) {
      // A bell, something of its own, or the release of something kept.
      case At.IDLE:
        return (this.bells[this.side]! > 0 ? 1 : 0) + (this.ownWakes > 0 ? 1 : 0) + this.keptSlots.length
      // Goes on, or leaves the rest for the next turn.
      case At.TAKE:
        return 2
      // Releases the payload at once, or keeps it.
      case At.CHOOSE:
        return this.keptSlots.length < this.options.keeps ? 2 : 1
      // Goes on, or publishes what there is, or has no more before something else wakes it.
      case At.SEND:
        return 1 + (this.wrote ? 1 : 0) + (this.ownWakes > 0 && this.sent < this.sends ? 1 : 0)
      default:
        return 1
    }
  }

  step (choice: number): string {
    switch (this.at) {
      case At.IDLE:
        return this.leaveIdle(choice)
      case At.WAKE:
        return this.runInner(this.steps.wake, 'wakes', WAKING, At.POLL)
      case At.POLL:
        return this.go(this.endpoint.peerFrames.refresh() ? At.TAKE : At.COLLECT, 'looks for frames')
      case At.TAKE:
        return this.take(choice)
      case At.FREE_ENTRY: {
        this.endpoint.peerFrames.publish()
        return this.go(At.READ, 'gives back an entry')
      }
      case At.READ:
        return this.read()
      case At.CHOOSE:
        return this.choose(choice)
      case At.LOOK:
        return this.look()
      case At.RETURN:
        return this.returnSlot()
      case At.PUBLISH_RETURN: {
        this.endpoint.returns.publish()
        return this.go(At.LOOK, 'publishes a return')
      }
      case At.COLLECT:
        return this.go(this.endpoint.peerReturns.refresh() ? At.COLLECT_NEXT : At.SEND, 'looks for returned slots')
      case At.COLLECT_NEXT: {
        this.place = this.endpoint.peerReturns.tryNext()
        return this.go(this.place < 0 ? At.SEND : At.COLLECT_ONE, 'takes a returned slot')
      }
      case At.COLLECT_ONE:
        return this.collect()
      case At.SEND:
        return this.send(choice)
      case At.PUBLISH_EARLY: {
        this.endpoint.frames.publish()
        return this.go(this.slot < 0 ? At.WRITE : At.FILL, 'publishes early')
      }
      case At.FILL: {
        Atomics.store(this.words, this.slotWords + this.slot, this.sent)
        return this.go(At.WRITE, `fills slot ${this.slot}`)
      }
      case At.WRITE:
        return this.write()
      case At.MAKE_ROOM: {
        const { frames } = this.endpoint
        const moved = frames.refresh()
        const hasRoom = this.options.trustsRefresh === true ? moved : frames.used < frames.capacity
        this.wantsRoom = !hasRoom
        this.waits = this.options.trustsRefresh === true && !hasRoom
        return this.go(hasRoom ? At.SEND : At.PUBLISH, 'looks how far the peer has read')
      }
      case At.PUBLISH:
        return this.publish()
      case At.RING:
        return this.ringBell()
      default:
        return this.sleep()
    }
  }

  private go (at: number, label: string): string {
    this.at = at
    return label
  }

  /** One step of a list of the endpoint's. */
  private runInner (steps: Steps<ShmEndpoint>, label: string, names: readonly string[], next: number): string {
    const { inner } = this
    this.inner = steps[inner]!(this.endpoint)
    if (this.inner === DONE) {
      this.inner = 0
      this.at = next
    }
    return `${label}: ${names[inner] ?? `step ${inner}`}`
  }

  private leaveIdle (choice: number): string {
    if (Atomics.load(this.bells, this.side) > 0 && choice-- === 0) {
      this.bells[this.side]!--
      return this.go(At.WAKE, 'hears a bell')
    }
    if (this.ownWakes > 0 && choice-- === 0) {
      this.ownWakes--
      return this.go(At.WAKE, 'has something else to do')
    }
    this.slot = this.keptSlots.splice(choice, 1)[0]!
    this.number = this.keptNumbers.splice(choice, 1)[0]!
    this.wasIdle = true
    return this.go(At.LOOK, `is done with frame ${this.number}`)
  }

  // --- Receiving

  private take (choice: number): string {
    if (choice === 1) return this.go(At.COLLECT, 'leaves the rest')
    this.place = this.endpoint.peerFrames.tryNext()
    return this.go(
      this.place < 0 ? At.COLLECT : this.options.readsLate === true ? At.FREE_ENTRY : At.READ,
      'takes an entry'
    )
  }

  private read (): string {
    const descriptor = Atomics.load(this.words, this.peerRingWords + this.place)
    this.place = 0
    this.number = descriptor >> 8
    this.slot = (descriptor & 0xff) - 1
    if (this.number !== this.received + 1) {
      throw new Violation(`reads frame ${this.number} where ${this.received + 1} is next`)
    }
    if (this.slot >= 0 && this.keptSlots.includes(this.slot)) {
      throw new Violation(`reads of slot ${this.slot}, which it holds`)
    }
    this.received++
    if (this.slot >= 0) return this.go(At.CHOOSE, `reads frame ${this.number}, in slot ${this.slot}`)
    this.number = 0
    return this.go(At.TAKE, `reads frame ${this.received}`)
  }

  private choose (choice: number): string {
    if (choice === 0) {
      return this.go(this.options.looksLate === true ? At.RETURN : At.LOOK, 'does not keep the payload')
    }
    this.keptSlots.push(this.slot)
    this.keptNumbers.push(this.number)
    this.slot = INLINE_PAYLOAD
    this.number = 0
    return this.go(At.TAKE, 'keeps the payload')
  }

  private look (): string {
    const payload = Atomics.load(this.words, this.peerSlotWords + this.slot)
    if (payload !== this.number) throw new Violation(`finds ${payload} in the slot of frame ${this.number}`)
    this.number = 0
    if (this.options.looksLate === true && !this.wasIdle) return this.afterReturn('looks late')
    return this.go(At.RETURN, `finds the payload in slot ${this.slot} right`)
  }

  private returnSlot (): string {
    Atomics.store(this.words, this.endpoint.returnRingOf('own') + this.endpoint.returns.next(), this.slot)
    if (this.options.looksLate !== true || this.wasIdle) return this.afterReturn(`returns slot ${this.slot}`)
    return this.go(At.PUBLISH_RETURN, `returns slot ${this.slot}`)
  }

  private afterReturn (label: string): string {
    this.at = this.wasIdle ? At.COLLECT : At.TAKE
    this.wasIdle = false
    this.slot = INLINE_PAYLOAD
    return label
  }

  // --- Sending

  private collect (): string {
    const slot = Atomics.load(this.words, this.endpoint.returnRingOf('peer') + this.place)
    this.place = 0
    if (!this.pool.tryReturn(slot)) throw new Violation(`takes back slot ${slot}, which the peer does not have`)
    return this.go(At.COLLECT_NEXT, `takes back slot ${slot}`)
  }

  private send (choice: number): string {
    const { frames } = this.endpoint
    this.place = 0
    this.slot = INLINE_PAYLOAD
    if (choice === (this.wrote ? 2 : 1)) {
      this.postpones = true
      return this.go(At.PUBLISH, 'has nothing to send yet')
    }
    if (choice === 1 || this.sent === this.sends) return this.go(At.PUBLISH, 'has written enough')
    if (this.waits || frames.used >= frames.capacity) return this.go(At.MAKE_ROOM, 'finds the ring full')
    if ((this.sent + 1) % this.options.inlineEvery !== 0) {
      // As many channels as it takes to use the whole pool.
      let channelId = 0
      while (this.pool.heldBy(channelId) > 0) channelId++
      this.slot = this.pool.tryClaim(channelId)
      if (this.slot < 0) {
        this.wantsRoom = true
        return this.go(At.PUBLISH, 'finds no slot')
      }
      this.pool.send(this.slot)
    }
    this.sent++
    this.wrote = true
    this.place = frames.tryNext()
    return this.go(
      this.options.publishesFirst === true ? At.PUBLISH_EARLY : this.slot < 0 ? At.WRITE : At.FILL,
      `makes frame ${this.sent}`
    )
  }

  private write (): string {
    Atomics.store(this.words, this.ringWords + this.place, (this.sent << 8) | (this.slot + 1))
    return this.go(At.SEND, `writes frame ${this.sent}`)
  }

  private publish (): string {
    const fields = this.endpoint as unknown as EndpointFields
    fields.withFrames = true
    if (this.inner === 0) fields.bell = false
    const label = this.runInner(this.steps.publish, 'publishes', PUBLISHING, At.SLEEP)
    if (this.at === At.PUBLISH) return label
    this.wrote = false
    fields.news = 0
    if (!fields.bell) {
      this.at = this.afterPublish
      return label
    }
    fields.bell = false
    if (this.peer.rung) throw new Violation(`${label}: rings a second time for one sleep`)
    if (this.peer.endpoint.asleepFor === 0) throw new Violation(`${label}: rings although the peer is awake`)
    this.peer.rung = true
    return this.go(At.RING, label)
  }

  private ringBell (): string {
    Atomics.add(this.bells, 1 - this.side, 1)
    return this.go(this.afterPublish, 'rings')
  }

  /** It sleeps if there is nothing left that it could do. */
  private get afterPublish (): number {
    return this.wantsRoom || this.postpones || this.sent === this.sends ? At.SLEEP : At.SEND
  }

  private sleep (): string {
    const fields = this.endpoint as unknown as EndpointFields
    if (this.inner === 0) {
      fields.waitFor = this.wantsRoom ? WaitFor.FRAMES | WaitFor.ROOM : WaitFor.FRAMES
      this.rung = false
    }
    const label = this.runInner(this.steps.sleep, 'goes to sleep', FALLING_ASLEEP, At.IDLE)
    if (this.at === At.SLEEP) return label
    this.wantsRoom = this.postpones = false
    if (fields.waitFor === 0) this.at = At.POLL
    return this.at === At.IDLE ? label : `${label}: stays awake`
  }
}
