import { WordOffset } from '../layout.js'
import type { DirectionLayout, SegmentLayout } from '../segment-sizes.js'

/** A segment smaller than any real one: a descriptor is one word, and so is a slot. */
export interface SmallSegment {
  readonly words: Int32Array
  /** Bells on their way to the host and to the plugin. */
  readonly bells: Int32Array
  readonly layout: SegmentLayout
}

/** `start` is what every position holds. */
export function makeSmallSegment (ringEntries: number, slots: number, start = 0): SmallSegment {
  const reserved = [WordOffset.HOST_WAIT >> 2, WordOffset.PLUGIN_WAIT >> 2] as const
  const returnEntries = 2 ** Math.ceil(Math.log2(slots))
  let next = reserved[0] + 1
  const take = (count: number): number => {
    if (next <= reserved[1] && next + count > reserved[1]) next = reserved[1] + 1
    next += count
    return (next - count) * 4
  }
  const direction = (): DirectionLayout => ({
    writePosition: take(1),
    readPosition: take(1),
    returnPosition: take(1),
    ring: take(ringEntries),
    returnRing: take(returnEntries),
    slots: take(slots),
    constants: 0,
    constantReturns: 0
  })
  const directions = [direction(), direction()] as const
  const totalBytes = Math.max(next, reserved[1] + 1) * 4
  const layout: SegmentLayout = {
    sizes: { slotBytes: 4, slots, ringEntries, inlineBytes: 0, constantBytes: 0 },
    descriptorBytes: 4,
    returnEntries,
    totalBytes,
    directions
  }
  const words = new Int32Array(new SharedArrayBuffer(totalBytes))
  for (const { writePosition, readPosition, returnPosition } of directions) {
    for (const position of [writePosition, readPosition, returnPosition]) words[position >> 2] = start
  }
  return { words, bells: new Int32Array(2), layout }
}
