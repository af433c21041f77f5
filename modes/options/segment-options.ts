import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import {
  checkSegmentSizes,
  DEFAULT_SEGMENT_SIZES,
  type SegmentSizes,
  segmentSizes,
  SizeLimit
} from '../../src/shm/segment-sizes.js'
import type { Flag } from './flags.js'
import { integerOf } from './option-values.js'

/** Options for the shared memory that a host makes, per direction. */

const FLAG_OF = {
  slotBytes: 'slot-bytes',
  slots: 'slots',
  ringEntries: 'ring-entries',
  inlineBytes: 'inline-bytes',
  constantBytes: 'constant-bytes'
} as const satisfies Record<keyof SegmentSizes, string>

const NAMES = Object.keys(FLAG_OF) as Array<keyof SegmentSizes>

const MEANINGS: Readonly<Record<keyof SegmentSizes, string>> = {
  slotBytes: `Shared memory: bytes of a slot, a power of two from ${rangeOf('slotBytes')}`,
  slots: `Shared memory: slots of each direction, ${rangeOf('slots')}; too few only make it slower`,
  ringEntries: `Shared memory: descriptors of each direction's ring, a power of two from ${rangeOf('ringEntries')}`,
  inlineBytes: 'Shared memory: payloads up to this many bytes travel in the descriptor and not in a slot, a multiple ' +
    `of 32 from ${SizeLimit.inlineBytes[0]}, less than --slot-bytes; half of that by default where slots are smaller ` +
    'than 8192',
  constantBytes: 'Shared memory: bytes of each direction for responses that are sent again and again, a multiple of ' +
    `4096 from ${rangeOf('constantBytes')}; used by an origin in the plugin`
}

export const SEGMENT_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(NAMES.map((name) =>
  [FLAG_OF[name], { describe: MEANINGS[name], standard: String(DEFAULT_SEGMENT_SIZES[name]) }]))

/** The first of these options that was given, or null: to refuse it where there is no shared memory. */
export function givenSegmentFlag (given: Readonly<Record<string, unknown>>): string | null {
  return Object.values(FLAG_OF).find((flag) => given[flag] !== undefined) ?? null
}

/** The sizes that were given, and the defaults of the others, checked against each other. Throws ERR_TUNNEL_USAGE. */
export function segmentSizesOf (given: Readonly<Record<string, unknown>>): SegmentSizes {
  const chosen = NAMES.filter((name) => given[FLAG_OF[name]] !== undefined)
  const valueOf = (name: keyof SegmentSizes): number => {
    const [minimum, maximum] = SizeLimit[name]
    return integerOf(FLAG_OF[name], given[FLAG_OF[name]], minimum, maximum)
  }
  const sizes = segmentSizes(Object.fromEntries(chosen.map((name) => [name, valueOf(name)])))
  return checkSegmentSizes(sizes, (rule) => {
    const typed = chosen.map((name) => `--${FLAG_OF[name]}=${sizes[name]}`).join(' ')
    return new TunnelError(ErrorCode.USAGE, `Cannot use ${typed}: ${withFlags(rule)}`)
  })
}

/** The rule in the words of the command line. */
function withFlags (rule: string): string {
  return NAMES.filter((name) => name !== FLAG_OF[name]).reduce(
    (text, name) => text.replaceAll(name, `--${FLAG_OF[name]}`),
    rule
  )
}

function rangeOf (name: keyof SegmentSizes): string {
  return SizeLimit[name].join(' to ')
}
