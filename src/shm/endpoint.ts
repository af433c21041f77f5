import { WaitFor, WordOffset } from './layout.js'
import { RingConsumer, RingProducer } from './ring.js'
import type { SegmentLayout } from './segment-sizes.js'
import { DONE, runSteps, type Steps } from './steps.js'

export const ShmSide = { HOST: 0, PLUGIN: 1 } as const
export type ShmSide = typeof ShmSide[keyof typeof ShmSide]

/** Makes what was done visible, then looks whether the peer has to be rung for it. */
export const PublishStep = {
  SHOW_FRAMES: 0, SHOW_RETURNS: 1, SHOW_READS: 2, LOOK_AT_PEER: 3, TAKE_BACK_WORD: 4
} as const
/** Says what it sleeps for, then looks for just that. */
export const SleepStep = {
  SET_WORD: 0, LOOK_FOR_FRAMES: 1, LOOK_FOR_SLOTS: 2, LOOK_FOR_ENTRIES: 3, STAY_AWAKE: 4
} as const
export const WakeStep = { CLEAR_WORD: 0 } as const

/**
 * One side of a segment: the rings it writes and reads, and the doorbell. Belongs to one thread.
 *
 * The doorbell is a word per side that says what the side waits for while it sleeps (`WaitFor`). The publisher stores
 * its position, *then* loads the peer's word; a side that goes to sleep stores its word, *then* checks the rings again.
 * All of it is sequentially consistent, so at least one of the two sees the other (Dekker's argument; plain accesses
 * fail here, see doorbell-litmus.test.ts). A publisher that finds the peer asleep takes the word back to 0 in one
 * exchange and rings once: there is at most one bell per sleep, and none while the peer is awake.
 */
export class ShmEndpoint {
  /** Descriptors to and from the peer. */
  readonly frames: RingProducer
  readonly peerFrames: RingConsumer
  /** Slots of the peer's that this side is done with, and own slots that the peer is done with. */
  readonly returns: RingProducer
  readonly peerReturns: RingConsumer
  private readonly words: Int32Array
  private readonly ownReturnRing: number
  private readonly peerReturnRing: number
  private readonly ownWait: number
  private readonly peerWait: number
  private waitFor = 0
  private withFrames = false
  private news = 0
  private bell = false

  /** `start` is what all positions hold, for tests of the wrap. */
  constructor (words: Int32Array, layout: SegmentLayout, side: ShmSide, start = 0) {
    this.words = words
    const { directions, sizes: { ringEntries }, returnEntries } = layout
    const out = directions[side]
    const back = directions[1 - side as ShmSide]
    this.frames = new RingProducer(words, out.writePosition >> 2, out.readPosition >> 2, ringEntries, start)
    this.peerFrames = new RingConsumer(words, back.writePosition >> 2, back.readPosition >> 2, ringEntries, start)
    this.returns = new RingProducer(words, back.returnPosition >> 2, -1, returnEntries, start)
    this.peerReturns = new RingConsumer(words, out.returnPosition >> 2, -1, returnEntries, start)
    this.ownReturnRing = back.returnRing >> 2
    this.peerReturnRing = out.returnRing >> 2
    const waits = [WordOffset.HOST_WAIT >> 2, WordOffset.PLUGIN_WAIT >> 2] as const
    this.ownWait = waits[side]
    this.peerWait = waits[1 - side as ShmSide]
  }

  /** What this side waits for (`WaitFor`); 0: it is awake. */
  get asleepFor (): number { return this.waitFor }

  /** This side sleeps, and the peer has found that: its bell is on its way, however long that takes. */
  get isBellDue (): boolean { return this.waitFor !== 0 && Atomics.load(this.words, this.ownWait) === 0 }

  /** Where in the words the entries begin of the ring for what this side ('own') or the peer ('peer') gives back. */
  returnRingOf (who: 'own' | 'peer'): number {
    return who === 'own' ? this.ownReturnRing : this.peerReturnRing
  }

  /**
   * Makes what was taken and given back visible, and with `frames` also what was written. Returns 'nothing' when there
   * was nothing, 'ring': the peer sleeps and must be sent a bell.
   */
  publish (frames: boolean): 'nothing' | 'saved' | 'ring' {
    this.withFrames = frames
    runSteps(PUBLISH_STEPS, this)
    return this.news === 0 ? 'nothing' : this.bell ? 'ring' : 'saved'
  }

  /** Whether there is what `waitFor` names, while this side is awake. */
  hasNews (waitFor: number): boolean {
    if (this.peerFrames.refresh()) return true
    return (waitFor & WaitFor.ROOM) !== 0 && (this.peerReturns.refresh() || this.frames.refresh())
  }

  /** Goes to sleep until there is what `waitFor` names. False: there is some already, so this side stays awake. */
  trySleep (waitFor: number): boolean {
    this.waitFor = waitFor
    runSteps(SLEEP_STEPS, this)
    return this.waitFor !== 0
  }

  /** A bell rang, or this side has something to do anyway. */
  wake (): void {
    if (this.waitFor === 0) return
    runSteps(WAKE_STEPS, this)
  }

  /** The class's own steps, where tests can run them one at a time. */
  static readonly steps = {
    publish: {
      [PublishStep.SHOW_FRAMES] (m) {
        m.bell = false
        m.news = m.withFrames && m.frames.publish() ? WaitFor.FRAMES : 0
        return PublishStep.SHOW_RETURNS
      },
      [PublishStep.SHOW_RETURNS] (m) {
        if (m.returns.publish()) m.news |= WaitFor.ROOM
        return PublishStep.SHOW_READS
      },
      [PublishStep.SHOW_READS] (m) {
        if (m.peerFrames.publish()) m.news |= WaitFor.ROOM
        return m.news === 0 ? DONE : PublishStep.LOOK_AT_PEER
      },
      [PublishStep.LOOK_AT_PEER]: (m) =>
        (Atomics.load(m.words, m.peerWait) & m.news) === 0 ? DONE : PublishStep.TAKE_BACK_WORD,
      // The peer may have woken and gone to sleep again since, for something else: what is taken back must be rung for
      // all the same.
      [PublishStep.TAKE_BACK_WORD] (m) {
        m.bell = Atomics.exchange(m.words, m.peerWait, 0) !== 0
        return DONE
      }
    } as Steps<ShmEndpoint>,
    sleep: {
      [SleepStep.SET_WORD] (m) {
        Atomics.store(m.words, m.ownWait, m.waitFor)
        return SleepStep.LOOK_FOR_FRAMES
      },
      [SleepStep.LOOK_FOR_FRAMES]: (m) =>
        m.peerFrames.refresh()
          ? SleepStep.STAY_AWAKE
          : (m.waitFor & WaitFor.ROOM) === 0 ? DONE : SleepStep.LOOK_FOR_SLOTS,
      [SleepStep.LOOK_FOR_SLOTS]: (m) => m.peerReturns.refresh() ? SleepStep.STAY_AWAKE : SleepStep.LOOK_FOR_ENTRIES,
      [SleepStep.LOOK_FOR_ENTRIES]: (m) => m.frames.refresh() ? SleepStep.STAY_AWAKE : DONE,
      [SleepStep.STAY_AWAKE] (m) {
        m.waitFor = 0
        Atomics.store(m.words, m.ownWait, 0)
        return DONE
      }
    } as Steps<ShmEndpoint>,
    wake: {
      [WakeStep.CLEAR_WORD] (m) {
        m.waitFor = 0
        Atomics.store(m.words, m.ownWait, 0)
        return DONE
      }
    } as Steps<ShmEndpoint>
  }
}

const { publish: PUBLISH_STEPS, sleep: SLEEP_STEPS, wake: WAKE_STEPS } = ShmEndpoint.steps
