import type { Random } from '../../base/random.js'
import type { Step } from './party.js'
import type { Script } from './scripted-origin.js'

const MAX_BYTES = 4_000_000
/** More than all windows on the way hold. */
const UPLOAD_BYTES = 30_000_000
const MAX_PAUSE_MS = 60

/**
 * A connection of an origin and a client that reset, answer early, stall and close at any time. However the two run
 * beside each other, what must arrive and how each sees the other end is the same: that is why there are waits in it.
 */
export function randomScript (random: Random): Script {
  const upTo = (max: number): number => Math.floor(random() * (max + 1))
  const oneOf = <T>(...items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const maybe = (chance: number, ...steps: Step[]): Step[] => random() < chance ? steps : []
  /** Any magnitude is as likely as any other. */
  const bytes = (max = MAX_BYTES): number => Math.ceil(max ** random())
  const pause = (): Step[] => maybe(0.3, ['pause', upTo(MAX_PAUSE_MS)])
  const toEnd = (): Step[] => [...pause(), random() < 0.7 ? ['readEnd', 65_536] : ['readEnd', 65_536, 1]]

  const client: Step[] = []
  const origin: Step[] = []
  let expected = 0
  for (let rounds = upTo(3); rounds > 0; rounds--) {
    const requests = Array.from({ length: oneOf(1, 1, 4) }, () => bytes(200_000))
    const answers = requests.map(() => bytes(500_000))
    // More than one: pipelined. The client sends and reads at one time, so neither waits for the other.
    client.push(...pause(), ['sendReading', sum(requests)], ['readUpTo', expected += sum(answers)])
    for (const [i, request] of requests.entries()) origin.push(['read', request], ...pause(), ['send', answers[i]!])
  }

  const [x, y] = oneOf([client, origin], [origin, client])
  const size = bytes()
  const endings: Array<() => void> = [
    // A close-delimited answer, or a client that hangs up.
    () => { x.push(['send', size], ...pause(), ['close']); y.push(...toEnd(), ['close']) },
    () => {
      x.push(['send', size], ['shutdown'], ...toEnd(), ['close'])
      y.push(...toEnd(), ['send', bytes()], ...pause(), ['close'])
    },
    () => {
      x.push(['send', size], ['shutdown'], ...toEnd(), ['close'])
      y.push(['sendReading', bytes()], ['shutdown'], ...toEnd())
    },
    () => { x.push(['send', size], ...pause(), ...maybe(0.7, ['taken']), ['reset']); y.push(...toEnd()) },
    // To one that reads nothing before all is over.
    () => {
      x.push(['offer', size], oneOf<Step>(['close'], ['reset']), ['say', 'done'])
      y.push(['hear', 'done'], ...toEnd())
    },
    // An early answer; the rest of the upload is not read.
    () => {
      const upload = oneOf('send', 'sendReading', 'offer')
      // One that is not read meanwhile must fit into the buffers.
      const answer = bytes(upload === 'sendReading' ? MAX_BYTES : 50_000)
      client.push([upload, UPLOAD_BYTES], ...toEnd())
      origin.push(['read', upTo(20_000)], ['send', answer], ['taken'], ['unread'], oneOf<Step>(['close'], ['reset']))
    },
    // An early answer; the rest is.
    () => {
      client.push(['sendReading', size], ['shutdown'], ...toEnd())
      origin.push(['read', upTo(200)], ['send', bytes()], ['shutdown'], ...toEnd())
    },
    // A request that is never read.
    () => {
      client.push(['send', bytes(50_000)], ...toEnd())
      origin.push(['unread'], ['send', bytes()], ['taken'], ['close'])
    },
    // A reset amid a transfer the other way.
    () => {
      x.push(['send', size], ['read', upTo(200_000)], ['taken'], ['reset'])
      y.push(['sendReading', UPLOAD_BYTES], ...toEnd())
    },
    // A half-close, then a reset of either side.
    () => {
      x.push(['send', size], ['shutdown'], ['hear', 'end'], ...pause(), ['reset'])
      y.push(...toEnd(), ['say', 'end'], ['broken'])
    },
    () => {
      x.push(['send', size], ['shutdown'], ...toEnd())
      y.push(...toEnd(), ['send', bytes()], ['taken'], ['reset'])
    }
  ]
  oneOf(...endings)()
  return { client, origin }
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
