import { WaitFor, WordOffset } from './layout.js'
import { RingConsumer, RingProducer } from './ring.js'
import type { SegmentLayout } from './segment-sizes.js'
import { DONE, runSteps, type Step } from './steps.js'

export const ShmSide = { HOST: 0, PLUGIN: 1 } as const
export type ShmSide = typeof ShmSide[keyof typeof ShmSide]

/**
 * One side of a segment: the rings it writes and reads, and the doorbell. Belongs to one thread.
 *
 * The doorbell is a word per side that says what the side waits for while it sleeps (`WaitFor`). Who publishes looks at
 * the peer's word *after* that; who goes to sleep looks at the rings again *after* it has set its word. All of it is
 * sequentially consistent, so at least one of the two sees the other (Dekker's argument; plain accesses fail here, see
 * doorbell-litmus.test.ts). Who finds the peer asleep takes its word back to 0 in one exchange and rings once: there is
 * at most one bell per sleep, and none while the peer is awake.
 */
export class ShmEndpoint {
  /** Descriptors to and from the peer. */
  readonly frames: RingProducer
  readonly peerFrames: RingConsumer
  /** Slots of the peer's that this side is done with, and own slots that the peer is done with. */
  readonly releases: RingProducer
  readonly peerReleases: RingConsumer
  private readonly words: Int32Array
  private readonly ownReleaseRing: number
  private readonly peerReleaseRing: number
  private readonly ownWait: number
  private readonly peerWait: number
  private waitFor = 0
  private withFrames = false
  private news = 0
  private bell = false

  /** `start` is what all positions hold, for tests of the wrap. */
  constructor (words: Int32Array, layout: SegmentLayout, side: ShmSide, start = 0) {
    this.words = words
    const { directions, sizes: { ringEntries }, releaseEntries } = layout
    const out = directions[side]
    const back = directions[1 - side as ShmSide]
    this.frames = new RingProducer(words, out.writePosition >> 2, out.readPosition >> 2, ringEntries, start)
    this.peerFrames = new RingConsumer(words, back.writePosition >> 2, back.readPosition >> 2, ringEntries, start)
    this.releases = new RingProducer(words, back.releasePosition >> 2, -1, releaseEntries, start)
    this.peerReleases = new RingConsumer(words, out.releasePosition >> 2, -1, releaseEntries, start)
    this.ownReleaseRing = back.releaseRing >> 2
    this.peerReleaseRing = out.releaseRing >> 2
    const waits = [WordOffset.HOST_WAIT >> 2, WordOffset.PLUGIN_WAIT >> 2] as const
    this.ownWait = waits[side]
    this.peerWait = waits[1 - side as ShmSide]
  }

  /** What this side waits for (`WaitFor`); 0: it is awake. */
  get asleepFor (): number { return this.waitFor }

  /** This side sleeps, and the peer has found that: its bell is on its way, however long that takes. */
  get isBellDue (): boolean { return this.waitFor !== 0 && Atomics.load(this.words, this.ownWait) === 0 }

  /** Where in the words the entries begin of the ring for what this side ('own') or the peer ('peer') gives back. */
  releaseRingOf (who: 'own' | 'peer'): number {
    return who === 'own' ? this.ownReleaseRing : this.peerReleaseRing
  }

  /**
   * Makes what was taken and released visible, and with `frames` also what was written. Returns 'nothing' when there
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
    return (waitFor & WaitFor.ROOM) !== 0 && (this.peerReleases.refresh() || this.frames.refresh())
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

  /** The steps below are the class's own; they stand outside so that tests can run them one at a time. */
  static readonly steps = {
    publish: [
      (m) => {
        m.bell = false
        m.news = m.withFrames && m.frames.publish() ? WaitFor.FRAMES : 0
        return 1
      },
      (m) => {
        if (m.releases.publish()) m.news |= WaitFor.ROOM
        return 2
      },
      (m) => {
        if (m.peerFrames.publish()) m.news |= WaitFor.ROOM
        return m.news === 0 ? DONE : 3
      },
      (m) => (Atomics.load(m.words, m.peerWait) & m.news) === 0 ? DONE : 4,
      // The peer may have woken and gone to sleep again since, for something else: what is taken back must be rung for
      // all the same.
      (m) => {
        m.bell = Atomics.exchange(m.words, m.peerWait, 0) !== 0
        return DONE
      }
    ] as ReadonlyArray<Step<ShmEndpoint>>,
    sleep: [
      (m) => {
        Atomics.store(m.words, m.ownWait, m.waitFor)
        return 1
      },
      (m) => m.peerFrames.refresh() ? 4 : (m.waitFor & WaitFor.ROOM) === 0 ? DONE : 2,
      (m) => m.peerReleases.refresh() ? 4 : 3,
      (m) => m.frames.refresh() ? 4 : DONE,
      (m) => {
        m.waitFor = 0
        Atomics.store(m.words, m.ownWait, 0)
        return DONE
      }
    ] as ReadonlyArray<Step<ShmEndpoint>>,
    wake: [
      (m) => {
        m.waitFor = 0
        Atomics.store(m.words, m.ownWait, 0)
        return DONE
      }
    ] as ReadonlyArray<Step<ShmEndpoint>>
  }
}

const { publish: PUBLISH_STEPS, sleep: SLEEP_STEPS, wake: WAKE_STEPS } = ShmEndpoint.steps
