import { LARGE_BODY_BYTES, SMALL_BODY } from '../../src/base/content.js'
import { type Rung, RUNGS } from '../../src/analysis/ladder.js'
import type { LoadJob } from '../../src/load/job.js'
import type { ExternalArm } from '../../src/result/run-result.js'
import { usageError } from './usage-error.js'

/** What carries an arm's bytes: what does on a rung of the ladder, or a program from outside. */
export type ArmTransport = Rung['transport'] | 'external'

/**
 * What is compared: a way from the load generator to the origin. One thing differs between two arms and nothing else.
 */
export interface Arm {
  /** Unique in a run: a repeated arm is `baseline#2`, which makes an A/A comparison. */
  readonly label: string
  /**
   * What has to be set up for it, and is shared by all arms with the same path: its name without `-stalled` and number.
   */
  readonly path: string
  /** `baseline` for direct HTTP. */
  readonly transport: ArmTransport
  readonly secondHop: Rung['secondHop']
  /** Further clients that ask for /large and never read, for as long as the arm is measured. */
  readonly stalledReaders: number
}

/** The arms of `--ladder`. */
export const LADDER: readonly string[] = RUNGS.map(({ path }) => path)

const ARMS: readonly Arm[] = RUNGS.flatMap(({ path, transport, secondHop }) => [
  { label: path, path, transport, secondHop, stalledReaders: 0 },
  { label: `${path}-stalled`, path, transport, secondHop, stalledReaders: 1 }
])

export const ARM_NAMES = ARMS.map((arm) => arm.label)

/** What the reference is called elsewhere. */
const ALIASES: Readonly<Record<string, string>> = { direct: 'baseline' }

/** Arms by name, as they are typed; a repeated one gets a number. Throws ERR_TUNNEL_USAGE. */
export function parseArms (names: readonly string[], externals: readonly ExternalArm[] = []): Arm[] {
  const known = [
    ...ARMS,
    ...externals.map(({ name }): Arm => ({
      label: name,
      path: name,
      transport: 'external',
      secondHop: null,
      stalledReaders: 0
    }))
  ]
  const seen = new Map<string, number>()
  return names.map((typed) => {
    const name = Object.hasOwn(ALIASES, typed) ? ALIASES[typed]! : typed
    const arm = known.find((one) => one.label === name)
    if (arm === undefined) throw usageError('arms', typed, `must be one of ${known.map((one) => one.label).join(', ')}`)
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? arm : { ...arm, label: `${name}#${count}` }
  })
}

/** The arms of a run, from their labels. */
export function armsOf (options: {
  readonly arms: readonly string[]
  readonly externalArms?: readonly ExternalArm[]
}): Arm[] {
  return parseArms(
    options.arms.map((label) => label.replace(/#\d+$/, '')),
    options.externalArms
  )
}

/** A response size: what is asked for and what must come back. */
export interface Size {
  readonly name: string
  readonly path: string
  readonly bodyBytes: number
  readonly expect: LoadJob['expect']
}

export const LARGE_PATH = '/large'

export const MAX_SIZE_BYTES = 64 * 1024 * 1024

/** `small`, `large`, or a number of bytes. Throws ERR_TUNNEL_USAGE, which names `flag`. */
export function parseSize (name: string, flag = 'sizes'): Size {
  if (name === 'small') return { name, path: '/small', bodyBytes: SMALL_BODY.length, expect: { kind: 'small' } }
  if (name === 'large') {
    return { name, path: LARGE_PATH, bodyBytes: LARGE_BODY_BYTES, expect: { kind: 'content', bytes: LARGE_BODY_BYTES } }
  }
  const bytes = /^[1-9]\d*$/.test(name) ? Number(name) : NaN
  if (!(bytes >= 1 && bytes <= MAX_SIZE_BYTES)) {
    throw usageError(flag, name, `must be small, large, or a number of bytes from 1 to ${MAX_SIZE_BYTES}`)
  }
  return { name, path: `/bytes/${bytes}`, bodyBytes: bytes, expect: { kind: 'content', bytes } }
}
