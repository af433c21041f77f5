import { PublishStep, ShmEndpoint, SleepStep, WakeStep } from '../endpoint.js'
import { WaitFor } from '../layout.js'
import type { RingConsumer, RingProducer } from '../ring.js'
import { DONE, type Steps } from '../steps.js'
import type { EndpointFields, EndpointSteps } from './link-side.js'

/** An endpoint with its private fields. */
interface Inside extends EndpointFields {
  readonly words: Int32Array
  readonly ownWait: number
  readonly peerWait: number
  readonly frames: RingProducer
  readonly returns: RingProducer
  readonly peerFrames: RingConsumer
  readonly peerReturns: RingConsumer
}

const { publish, sleep, wake } = ShmEndpoint.steps
/** A step that the protocol does not have. */
const EXTRA = 5

/** `list` with some steps replaced. */
function withSteps (list: Steps<ShmEndpoint>, steps: Steps<Inside>): Steps<ShmEndpoint> {
  return { ...list, ...steps as unknown as Steps<ShmEndpoint> }
}

/** The protocol with one mistake each; every one of them must be found. */
export const BROKEN_STEPS: Readonly<Record<string, EndpointSteps>> = {
  'looks at the rings before it says that it sleeps': {
    publish,
    wake,
    sleep: withSteps(sleep, {
      [SleepStep.SET_WORD]: (m) =>
        m.peerFrames.refresh()
          ? SleepStep.STAY_AWAKE
          : (m.waitFor & WaitFor.ROOM) === 0 ? EXTRA : SleepStep.LOOK_FOR_SLOTS,
      [SleepStep.LOOK_FOR_ENTRIES]: (m) => m.frames.refresh() ? SleepStep.STAY_AWAKE : EXTRA,
      [SleepStep.STAY_AWAKE] (m) {
        m.waitFor = 0
        return DONE
      },
      [EXTRA] (m) {
        Atomics.store(m.words, m.ownWait, m.waitFor)
        return DONE
      }
    })
  },
  'looks at the word of the peer before it publishes': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.SHOW_FRAMES] (m) {
        m.bell = false
        m.news = Atomics.load(m.words, m.peerWait)
        return EXTRA
      },
      [EXTRA] (m) {
        m.frames.publish()
        return PublishStep.SHOW_RETURNS
      },
      [PublishStep.SHOW_RETURNS] (m) {
        m.returns.publish()
        return PublishStep.SHOW_READS
      },
      [PublishStep.SHOW_READS] (m) {
        m.peerFrames.publish()
        return m.news === 0 ? DONE : PublishStep.TAKE_BACK_WORD
      }
    })
  },
  'does not ring for what it has taken back if that names something else': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.TAKE_BACK_WORD] (m) {
        m.bell = (Atomics.exchange(m.words, m.peerWait, 0) & m.news) !== 0
        return DONE
      }
    })
  },
  'rings without taking back the word of the peer': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.LOOK_AT_PEER] (m) {
        m.bell = (Atomics.load(m.words, m.peerWait) & m.news) !== 0
        return DONE
      }
    })
  },
  'takes back the word of the peer with a plain store': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.TAKE_BACK_WORD]: () => EXTRA,
      [EXTRA] (m) {
        Atomics.store(m.words, m.peerWait, 0)
        m.bell = true
        return DONE
      }
    })
  },
  'does not tell of entries that it has read': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.SHOW_READS] (m) {
        m.peerFrames.publish()
        return m.news === 0 ? DONE : PublishStep.LOOK_AT_PEER
      }
    })
  },
  'does not tell of slots that it returns': {
    sleep,
    wake,
    publish: withSteps(publish, {
      [PublishStep.SHOW_RETURNS] (m) {
        m.returns.publish()
        return PublishStep.SHOW_READS
      }
    })
  },
  'does not look for returned slots before it sleeps': {
    publish,
    wake,
    sleep: withSteps(sleep, { [SleepStep.LOOK_FOR_SLOTS]: () => SleepStep.LOOK_FOR_ENTRIES })
  },
  'does not look how far the peer has read before it sleeps': {
    publish,
    wake,
    sleep: withSteps(sleep, { [SleepStep.LOOK_FOR_ENTRIES]: () => DONE })
  },
  'does not look for frames before it sleeps': {
    publish,
    wake,
    sleep: withSteps(sleep, {
      [SleepStep.LOOK_FOR_FRAMES]: (m) => (m.waitFor & WaitFor.ROOM) === 0 ? DONE : SleepStep.LOOK_FOR_SLOTS
    })
  },
  'stays awake and lets the peer believe that it sleeps': {
    publish,
    wake,
    sleep: withSteps(sleep, {
      [SleepStep.STAY_AWAKE] (m) {
        m.waitFor = 0
        return DONE
      }
    })
  },
  'wakes and lets the peer believe that it sleeps': {
    publish,
    sleep,
    wake: withSteps(wake, {
      [WakeStep.CLEAR_WORD] (m) {
        m.waitFor = 0
        return DONE
      }
    })
  },
  'touches shared memory twice in one step': {
    publish,
    wake,
    sleep: withSteps(sleep, {
      [SleepStep.SET_WORD] (m) {
        Atomics.store(m.words, m.ownWait, m.waitFor)
        return m.peerFrames.refresh() ? SleepStep.STAY_AWAKE : SleepStep.LOOK_FOR_FRAMES
      }
    })
  }
}
