import { ErrorCode, TunnelError } from '../base/errors.js'
import {
  CONSTANT_UNIT_BYTES,
  DescriptorOffset,
  DIRECTION_BYTES,
  LINE_BYTES,
  RINGS_OFFSET,
  WordOffset
} from './layout.js'

/** What the maker of a segment chooses; per direction. */
export interface SegmentSizes {
  /** Payload bytes of one slot: a power of two from 1,024 to 131,072. Default 65,536. */
  readonly slotBytes: number
  /** Slots of one direction: 16 to 65,536. Default 512. */
  readonly slots: number
  /** Descriptors of one direction's ring: a power of two from 64 to 65,536. Default 1,024. */
  readonly ringEntries: number
  /**
   * Payloads up to this length travel in the descriptor: a multiple of 32 from 512, less than `slotBytes`. Default:
   * 4,096, or half of `slotBytes` if that is less.
   */
  readonly inlineBytes: number
  /**
   * Bytes of one direction for what its sender writes once and sends again and again: a multiple of 4,096 from 0 (none)
   * to 67,108,864. Default 1,048,576.
   */
  readonly constantBytes: number
}

export const DEFAULT_SEGMENT_SIZES: SegmentSizes = {
  slotBytes: 65_536,
  slots: 512,
  ringEntries: 1024,
  inlineBytes: 4096,
  constantBytes: 1_048_576
}

/** What was chosen, and defaults for the rest; inline payloads are half a slot where slots are small. Unchecked. */
export function segmentSizes (chosen: Partial<SegmentSizes> = {}): SegmentSizes {
  const { slotBytes = DEFAULT_SEGMENT_SIZES.slotBytes } = chosen
  return {
    ...DEFAULT_SEGMENT_SIZES,
    inlineBytes: Math.min(DEFAULT_SEGMENT_SIZES.inlineBytes, slotBytes / 2),
    ...chosen
  }
}

export const SizeLimit = {
  slotBytes: [1024, 131_072],
  slots: [16, 65_536],
  ringEntries: [64, 65_536],
  inlineBytes: [512, 65_536],
  constantBytes: [0, 67_108_864]
} as const

/** No segment is larger, whoever asks for it. */
export const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024

const PAGE_BYTES = 4096

/** Where the parts of one direction lie, as byte offsets into the segment, and how large they are. */
export interface DirectionLayout {
  readonly writePosition: number
  readonly readPosition: number
  readonly returnPosition: number
  readonly ring: number
  readonly returnRing: number
  readonly slots: number
  readonly constants: number
  readonly constantReturns: number
}

export interface SegmentLayout {
  readonly sizes: SegmentSizes
  readonly descriptorBytes: number
  /** Entries of a return ring: a power of two, at least `slots`. */
  readonly returnEntries: number
  readonly totalBytes: number
  /** Host to plugin, plugin to host. */
  readonly directions: readonly [DirectionLayout, DirectionLayout]
}

/** Throws what `failure` makes of the first rule that `sizes` break. */
export function checkSegmentSizes (
  sizes: SegmentSizes,
  failure: (rule: string) => TunnelError = usageError
): SegmentSizes {
  for (const name of Object.keys(SizeLimit) as Array<keyof SegmentSizes>) {
    const [minimum, maximum] = SizeLimit[name]
    const value = sizes[name]
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw failure(`${name} must be an integer from ${minimum} to ${maximum}: it is ${value}`)
    }
  }
  const { slotBytes, ringEntries, inlineBytes, constantBytes } = sizes
  for (const [name, value] of [
    ['slotBytes', slotBytes],
    ['ringEntries', ringEntries]
  ] as const) {
    if (!isPowerOfTwo(value)) {
      throw failure(
        `${name} must be a power of two: it is ${value}; the next ones are ${2 ** Math.floor(Math.log2(value))} and ` +
        `${2 ** Math.ceil(Math.log2(value))}`
      )
    }
  }
  if (inlineBytes % 32 !== 0) throw failure(`inlineBytes must be a multiple of 32: it is ${inlineBytes}`)
  if (inlineBytes >= slotBytes) {
    throw failure(
      `inlineBytes must be less than slotBytes, or no slot would be used: they are ${inlineBytes} and ${slotBytes}`
    )
  }
  if (constantBytes % PAGE_BYTES !== 0) {
    throw failure(`constantBytes must be a multiple of ${PAGE_BYTES}: it is ${constantBytes}`)
  }
  const { totalBytes } = layOut(sizes)
  if (totalBytes > MAX_SEGMENT_BYTES) {
    throw failure(
      `a segment must have at most ${MAX_SEGMENT_BYTES} bytes: ${sizes.slots} slots of ${slotBytes} bytes, ` +
      `${ringEntries} ring entries and ${constantBytes} bytes of constants, in both directions, make ${totalBytes}: ` +
      'choose fewer or smaller ones'
    )
  }
  return sizes
}

/** Pure arithmetic; `sizes` have been checked. */
export function layOut (sizes: SegmentSizes): SegmentLayout {
  const descriptorBytes = DescriptorOffset.INLINE + sizes.inlineBytes
  const returnEntries = 2 ** Math.ceil(Math.log2(sizes.slots))
  const ringBytes = roundUp(sizes.ringEntries * descriptorBytes, LINE_BYTES)
  const returnRingBytes = roundUp(returnEntries * 4, LINE_BYTES)
  const returnsBytes = roundUp(sizes.constantBytes / CONSTANT_UNIT_BYTES * 4, LINE_BYTES)
  const directionBytes = ringBytes + returnRingBytes + returnsBytes
  const slotsOffset = roundUp(RINGS_OFFSET + 2 * directionBytes, PAGE_BYTES)
  const poolBytes = sizes.slots * sizes.slotBytes
  const constantsOffset = roundUp(slotsOffset + 2 * poolBytes, PAGE_BYTES)
  const direction = (d: 0 | 1): DirectionLayout => {
    const words = WordOffset.DIRECTIONS + d * DIRECTION_BYTES
    const rings = RINGS_OFFSET + d * directionBytes
    return {
      writePosition: words + WordOffset.WRITE_POSITION,
      readPosition: words + WordOffset.READ_POSITION,
      returnPosition: words + WordOffset.RETURN_POSITION,
      ring: rings,
      returnRing: rings + ringBytes,
      slots: slotsOffset + d * poolBytes,
      constants: constantsOffset + d * sizes.constantBytes,
      constantReturns: rings + ringBytes + returnRingBytes
    }
  }
  return {
    sizes,
    descriptorBytes,
    returnEntries,
    totalBytes: constantsOffset + 2 * sizes.constantBytes,
    directions: [direction(0), direction(1)]
  }
}

function isPowerOfTwo (value: number): boolean {
  return (value & (value - 1)) === 0
}

function roundUp (value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

function usageError (rule: string): TunnelError {
  return new TunnelError(ErrorCode.USAGE, `Cannot use these sizes of the shared memory: ${rule}`)
}
