import { LARGE_BODY_BYTES, SMALL_BODY } from '../../src/base/content.js'
import type { LoadJob } from '../../src/load/job.js'
import type { ExternalArm } from '../../src/result/run-result.js'
import { type TransportName, TRANSPORTS } from '../../src/transport/transport-kinds.js'
import { usageError } from './usage-error.js'

/** What carries an arm's bytes: nothing (`baseline`, `uds`), relays, a program from outside, or a tunnel. */
export type ArmTransport = 'baseline' | 'uds' | 'relay' | 'relay2' | 'external' | TransportName

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
  /** How the plugin reaches the origin, which may be inside it (`embedded`); null without a plugin. */
  readonly secondHop: 'tcp' | 'unix' | 'embedded' | null
  /** Further clients that ask for /large and never read, for as long as the arm is measured. */
  readonly stalledReaders: number
}

/** From direct HTTP upwards: each adds something to one before it. */
const RUNGS: ReadonlyArray<Omit<Arm, 'label' | 'stalledReaders'>> = [
  { path: 'baseline', transport: 'baseline', secondHop: null },
  { path: 'uds', transport: 'uds', secondHop: null },
  { path: 'relay', transport: 'relay', secondHop: null },
  { path: 'relay2', transport: 'relay2', secondHop: null },
  ...TRANSPORTS.flatMap((transport) => [
    { path: transport, transport, secondHop: 'tcp' } as const,
    { path: `${transport}-uds`, transport, secondHop: 'unix' } as const,
    { path: `${transport}-embedded`, transport, secondHop: 'embedded' } as const
  ])
]

/** The arms of `--ladder`. */
export const LADDER: readonly string[] = RUNGS.map(({ path }) => path)

const ARMS: readonly Arm[] = RUNGS.flatMap((rung) => [
  { ...rung, label: rung.path, stalledReaders: 0 },
  { ...rung, label: `${rung.path}-stalled`, stalledReaders: 1 }
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
