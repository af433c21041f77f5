import { ShmEndpoint } from '../endpoint.js'
import { WaitFor } from '../layout.js'
import type { RingConsumer, RingProducer } from '../ring.js'
import { DONE, type Step } from '../steps.js'
import type { EndpointFields, EndpointSteps } from './link-side.js'

/** An endpoint with its private fields. */
interface Inside extends EndpointFields {
  readonly words: Int32Array
  readonly ownWait: number
  readonly peerWait: number
  readonly frames: RingProducer
  readonly releases: RingProducer
  readonly peerFrames: RingConsumer
  readonly peerReleases: RingConsumer
}

type Steps = ReadonlyArray<Step<ShmEndpoint>>

const { publish, sleep, wake } = ShmEndpoint.steps

function steps (list: Array<Step<Inside>>): Steps {
  return list as unknown as Steps
}

/** `list` with one step replaced. */
function withStep (list: Steps, at: number, step: Step<Inside>): Steps {
  return list.map((own, i) => i === at ? step as unknown as Step<ShmEndpoint> : own)
}

/** The protocol with one mistake each; every one of them must be found. */
export const BROKEN_STEPS: Readonly<Record<string, EndpointSteps>> = {
  'looks at the rings before it says that it sleeps': {
    publish,
    wake,
    sleep: steps([
      (m) => (m.peerFrames.refresh() ? 4 : (m.waitFor & WaitFor.ROOM) === 0 ? 3 : 1),
      (m) => (m.peerReleases.refresh() ? 4 : 2),
      (m) => (m.frames.refresh() ? 4 : 3),
      (m) => {
        Atomics.store(m.words, m.ownWait, m.waitFor)
        return DONE
      },
      (m) => {
        m.waitFor = 0
        return DONE
      }
    ])
  },
  'looks at the word of the peer before it publishes': {
    sleep,
    wake,
    publish: steps([
      (m) => {
        m.bell = false
        m.news = Atomics.load(m.words, m.peerWait)
        return 1
      },
      (m) => {
        m.frames.publish()
        return 2
      },
      (m) => {
        m.releases.publish()
        return 3
      },
      (m) => {
        m.peerFrames.publish()
        return m.news === 0 ? DONE : 4
      },
      (m) => {
        m.bell = Atomics.exchange(m.words, m.peerWait, 0) !== 0
        return DONE
      }
    ])
  },
  'does not ring for what it has taken back if that names something else': {
    sleep,
    wake,
    publish: withStep(publish, 4, (m) => {
      m.bell = (Atomics.exchange(m.words, m.peerWait, 0) & m.news) !== 0
      return DONE
    })
  },
  'rings without taking back the word of the peer': {
    sleep,
    wake,
    publish: withStep(publish, 3, (m) => {
      m.bell = (Atomics.load(m.words, m.peerWait) & m.news) !== 0
      return DONE
    })
  },
  'takes back the word of the peer with a plain store': {
    sleep,
    wake,
    publish: [
      ...withStep(publish, 4, () => 5),
      ...steps([
        (m) => {
          Atomics.store(m.words, m.peerWait, 0)
          m.bell = true
          return DONE
        }
      ])
    ]
  },
  'does not tell of entries that it has read': {
    sleep,
    wake,
    publish: withStep(publish, 2, (m) => {
      m.peerFrames.publish()
      return m.news === 0 ? DONE : 3
    })
  },
  'does not tell of slots that it releases': {
    sleep,
    wake,
    publish: withStep(publish, 1, (m) => {
      m.releases.publish()
      return 2
    })
  },
  'does not look for released slots before it sleeps': { publish, wake, sleep: withStep(sleep, 2, () => 3) },
  'does not look how far the peer has read before it sleeps': { publish, wake, sleep: withStep(sleep, 3, () => DONE) },
  'does not look for frames before it sleeps': {
    publish,
    wake,
    sleep: withStep(sleep, 1, (m) => ((m.waitFor & WaitFor.ROOM) === 0 ? DONE : 2))
  },
  'stays awake and lets the peer believe that it sleeps': {
    publish,
    wake,
    sleep: withStep(sleep, 4, (m) => {
      m.waitFor = 0
      return DONE
    })
  },
  'wakes and lets the peer believe that it sleeps': {
    publish,
    sleep,
    wake: steps([
      (m) => {
        m.waitFor = 0
        return DONE
      }
    ])
  },
  'touches shared memory twice in one step': {
    publish,
    wake,
    sleep: withStep(sleep, 0, (m) => {
      Atomics.store(m.words, m.ownWait, m.waitFor)
      return m.peerFrames.refresh() ? 4 : 1
    })
  }
}
