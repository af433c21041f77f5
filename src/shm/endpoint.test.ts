import test from 'ava'
import { BROKEN_STEPS } from './testing/broken-steps.js'
import { explore, printSchedule } from './testing/explorer.js'
import { SMALL, testInterleavings } from './testing/interleavings.js'
import { linkModel, type LinkModelOptions } from './testing/link-model.js'

testInterleavings([
  ['doorbell and a ring of 2, one way', { sends: [4, 0], inlineEvery: 1 }],
  ['doorbell and a ring of 4, one way', { ringEntries: 4, sends: [5, 0], inlineEvery: 1 }],
  ['slots that are kept, one way', { sends: [3, 0], keeps: 1 }]
], [
  ['doorbell and a ring of 2, 5 frames one way', { sends: [5, 0], inlineEvery: 1 }],
  ['slots that are kept and released in any order', { sends: [4, 0], keeps: 2, start: -3 }],
  ['a ring of 4 with 3 slots', { ringEntries: 4, slots: 3, sends: [4, 0], inlineEvery: 9, keeps: 1 }]
])

/** Small models in which the mistakes show. */
const trials: Array<Partial<LinkModelOptions>> = [
  { sends: [2, 0], inlineEvery: 1 },
  { ringEntries: 2, sends: [4, 0], inlineEvery: 1 },
  { sends: [2, 0], slots: 1, keeps: 1, inlineEvery: 9 },
  { sends: [1, 1], ownWakes: 1 },
  { ringEntries: 1, sends: [2, 1], inlineEvery: 1, ownWakes: 1 }
]

const broken: Array<[what: string, options: Partial<LinkModelOptions>]> = [
  ...Object.entries(BROKEN_STEPS).map(([what, steps]): [string, Partial<LinkModelOptions>] => [what, { steps }]),
  ['publishes a descriptor before it is written', { publishesFirst: true }],
  ['gives an entry back before it is read', { readsLate: true }],
  ['gives a slot back before its payload is read', { looksLate: true }],
  ['takes the read position for news only where it moved last', { trustsRefresh: true }]
]

for (const [what, mistake] of broken) {
  test(`explore() finds a side that ${what}`, (t) => {
    for (const trial of trials) {
      const { states, failure } = explore(linkModel({ ...SMALL, ...trial, ...mistake }))
      if (failure === null) continue
      t.log(`${JSON.stringify(trial)}, ${states} states\n${printSchedule(failure)}`)
      return t.pass()
    }
    t.fail('no trial shows it')
  })
}
