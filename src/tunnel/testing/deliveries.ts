import type { Reception, Step } from './party.js'
import type { Script } from './scripted-origin.js'

export interface Delivery {
  readonly title: string
  readonly script: Script
  /** How the client and the origin see the connection end, directly and through anything between them. */
  readonly ends: readonly [client: Reception['end'], origin: Reception['end']]
}

/** How a reader reads; `waits`: not before the sender is done. */
interface Pace {
  readonly pace: string
  readonly waits?: boolean
  readonly steps: readonly Step[]
}

const PACES: readonly Pace[] = [
  { pace: 'a fast reader', steps: [['readEnd', 65_536]] },
  { pace: 'a slow reader', steps: [['readEnd', 65_536, 1]] },
  { pace: 'a reader that stalls', waits: true, steps: [['hear', 'done'], ['readEnd', 65_536]] }
]

interface Ending {
  readonly ending: string
  readonly steps: readonly Step[]
  readonly end: Reception['end']
}

const ENDINGS: readonly Ending[] = [
  { ending: 'a close', steps: [['close']], end: 'fin' },
  { ending: 'a half-close', steps: [['shutdown'], ['say', 'done'], ['readEnd', 65_536]], end: 'fin' },
  { ending: 'a reset when all is taken', steps: [['taken'], ['reset']], end: 'rst' },
  { ending: 'a reset at once', steps: [['reset']], end: 'rst' }
]

/** One direction: bytes, then an end or a reset. */
function transfers (largeBytes: number): Delivery[] {
  const transfers: Delivery[] = []
  for (const sender of ['origin', 'client'] as const) {
    for (const bytes of [10, 100_000, largeBytes]) {
      for (const { ending, steps, end } of ENDINGS) {
        for (const { pace, waits, steps: reading } of PACES) {
          // More than the windows hold is never taken as a whole while nobody reads.
          const isOffer = waits === true && bytes === largeBytes
          const last = isOffer ? steps.filter(([verb]) => verb !== 'taken') : steps
          const sending: Step[] = [[isOffer ? 'offer' : 'send', bytes], ...last, ['say', 'done']]
          const answersEnd = ending === 'a half-close' ? 'fin' : 'open'
          transfers.push({
            title: `${bytes} bytes from the ${sender}, then ${ending}, to ${pace}`,
            script: sender === 'origin'
              ? { client: [...reading, ['close']], origin: sending }
              : { client: sending, origin: [...reading, ['close']] },
            ends: sender === 'origin' ? [end, answersEnd] : [answersEnd, end]
          })
        }
      }
    }
  }
  return transfers
}

/** Both directions. */
const conversations = (largeBytes: number): Delivery[] => [
  {
    title: 'an early answer while an upload is under way',
    script: {
      client: [['send', 8_000_000], ['readEnd', 65_536]],
      origin: [['read', 200], ['send', 120], ['taken'], ['unread'], ['close']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'a large early answer, read while the upload is under way',
    script: {
      client: [['sendReading', 60_000_000], ['readEnd', 65_536]],
      origin: [['read', 200], ['send', largeBytes], ['taken'], ['unread'], ['close']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'an early answer to a client that has stalled amid its upload',
    script: {
      client: [['offer', 8_000_000], ['hear', 'closed'], ['pause', 20], ['readEnd', 65_536]],
      origin: [['read', 200], ['send', 50_000], ['taken'], ['unread'], ['close'], ['say', 'closed']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'an early answer and a half-close, with the rest of the upload read',
    script: {
      client: [['send', 3_000_000], ['shutdown'], ['readEnd', 65_536], ['close']],
      origin: [['read', 200], ['send', 120], ['shutdown'], ['readEnd', 65_536], ['close']]
    },
    ends: ['fin', 'fin']
  },
  {
    title: 'an answer, with the request unread',
    script: {
      client: [['send', 1000], ['readEnd', 65_536]],
      origin: [['unread'], ['send', 300_000], ['taken'], ['close']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'a client that resets amid a large answer',
    script: {
      client: [['send', 100], ['read', 10_000], ['send', 5000], ['taken'], ['reset']],
      origin: [['send', 60_000_000], ['readEnd', 65_536]]
    },
    ends: ['open', 'rst']
  },
  {
    title: 'an origin that resets amid a large upload',
    script: {
      client: [['send', 60_000_000], ['readEnd', 65_536]],
      origin: [['read', 10_000], ['send', 5000], ['taken'], ['reset']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'requests and answers in turn, then an answer and a reset',
    script: {
      client: [['send', 300], ['read', 3000], ['send', 70_000], ['read', 200_000], ['readEnd', 65_536]],
      origin: [['read', 300], ['send', 3000], ['read', 70_000], ['send', 200_002], ['taken'], ['reset']]
    },
    ends: ['rst', 'open']
  },
  {
    title: 'pipelined requests whose answers are cut off by a close with a request unread',
    script: {
      client: [['send', 900], ['readEnd', 65_536]],
      origin: [['read', 300], ['send', 3000], ['read', 300], ['send', 70_000], ['unread'], ['taken'], ['close']]
    },
    ends: ['rst', 'open']
  },
  ...(['client', 'origin'] as const).flatMap((first): Delivery[] => {
    const other = first === 'client' ? 'origin' : 'client'
    type Ends = [first: Reception['end'], other: Reception['end']]
    const between = (title: string, ofFirst: Step[], ofOther: Step[], ends: Ends): Delivery => ({
      title,
      script: { [first]: ofFirst, [other]: ofOther } as unknown as Script,
      ends: first === 'client' ? ends : [ends[1], ends[0]]
    })
    return [10, 400_000].flatMap((bytes) => [
      between(
        `the ${first} half-closes behind ${bytes} bytes, and resets when the ${other} has seen it`,
        [['send', bytes], ['shutdown'], ['hear', 'end'], ['reset']],
        [['readEnd', 65_536], ['say', 'end'], ['broken']],
        ['open', 'fin, rst']
      ),
      between(
        `the ${first} half-closes behind ${bytes} bytes, and resets when they are taken`,
        [['send', bytes], ['taken'], ['shutdown'], ['reset']],
        [['readEnd', 65_536], ['broken']],
        ['open', 'fin, rst']
      ),
      between(
        `the ${first} half-closes, and the ${other} answers with ${bytes} bytes and a reset`,
        [['send', 10], ['shutdown'], ['readEnd', 65_536]],
        [['readEnd', 65_536], ['send', bytes], ['taken'], ['reset']],
        ['rst', 'fin']
      )
    ])
  })
]

export function deliveries (largeBytes: number): Delivery[] {
  return [...transfers(largeBytes), ...conversations(largeBytes)]
}
