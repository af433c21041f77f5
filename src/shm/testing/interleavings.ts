import test from 'ava'
import { explore, printSchedule } from './explorer.js'
import { linkModel, type LinkModelOptions } from './link-model.js'
import { byEffort } from '../../base/testing/effort.js'

export const SMALL: LinkModelOptions = {
  ringEntries: 2,
  slots: 2,
  sends: [1, 1],
  inlineEvery: 2,
  ownWakes: 0,
  keeps: 0,
  start: 0
}

export type Models = ReadonlyArray<readonly [what: string, options: Partial<LinkModelOptions>]>

/** A test for each model: the first of the ordinary ones, all of them, or the `slow` ones as well. */
export function testInterleavings (ordinary: Models, slow: Models): void {
  const models = byEffort({ quick: ordinary.slice(0, 1), full: ordinary, slow: [...ordinary, ...slow] })
  for (const [what, options] of models) {
    // One after the other, with a turn of the loop before each: AVA hears of one that is over before the next is done.
    test.serial(`every interleaving of ShmEndpoint.steps is right: ${what}`, async (t) => {
      await new Promise((resolve) => { setImmediate(resolve) })
      const { states, transitions, failure } = explore(linkModel({ ...SMALL, ...options }))
      t.log(`${states} states, ${transitions} transitions`)
      t.is(failure, null, failure === null ? '' : printSchedule(failure))
      t.true(states > 10_000)
    })
  }
}
