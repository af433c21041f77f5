import { ShmSide } from '../endpoint.js'
import { WordOffset } from '../layout.js'
import { type Model, Violation } from './explorer.js'
import { LinkSide, type LinkSideOptions } from './link-side.js'
import { makeSmallSegment } from './small-segment.js'

export interface LinkModelOptions extends Omit<LinkSideOptions, 'sends'> {
  readonly ringEntries: number
  readonly slots: number
  /** Of the host and of the plugin. */
  readonly sends: readonly [number, number]
}

/** Two sides of a segment: rings, return rings, slots and doorbells together. */
export function linkModel ({ ringEntries, slots, sends, ...options }: LinkModelOptions): Model {
  const segment = makeSmallSegment(ringEntries, slots, options.start)
  const { words, bells, layout } = segment
  const host = new LinkSide(segment, ShmSide.HOST, { ...options, sends: sends[0] })
  const plugin = new LinkSide(segment, ShmSide.PLUGIN, { ...options, sends: sends[1] })
  host.peer = plugin
  plugin.peer = host
  const sides = [host, plugin]
  return {
    actors: sides,
    // The words of the header, which does not change, are left out.
    parts: [words.subarray(WordOffset.HOST_WAIT >> 2), bells, host, plugin],
    check () {
      for (const { writePosition, readPosition } of layout.directions) {
        const used = (words[writePosition >> 2]! - words[readPosition >> 2]!) | 0
        if (used < 0 || used > ringEntries) throw new Violation(`${used} of ${ringEntries} entries are used`)
      }
    },
    isDone: () => host.isFinished && plugin.isFinished,
    checkRest () {
      sides.forEach((side, i) => {
        const { name, pool, endpoint } = side
        if (endpoint.asleepFor === 0) throw new Violation(`${name} stands still awake`)
        if (endpoint.peerFrames.refresh()) {
          throw new Violation(`${name} sleeps, a frame lies unread, and no bell is on its way`)
        }
        if (!side.isFinished) {
          throw new Violation(`${name} sleeps, has sent ${side.sent} of ${side.sends}, and no bell is on its way`)
        }
        const unread = (words[layout.directions[i]!.returnPosition >> 2]! - endpoint.peerReturns.taken) | 0
        if (pool.available + unread !== slots) {
          throw new Violation(`${name} has ${pool.available} of ${slots} slots, and ${unread} lie in the return ring`)
        }
      })
    }
  }
}
