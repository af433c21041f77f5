import { LARGE_BODY_BYTES, SMALL_BODY } from '../src/base/content.js'
import type { LoadJob } from '../src/load/job.js'
import { type TransportName, TRANSPORTS } from '../src/transport/transport-kinds.js'
import { usage } from './option-values.js'

/** `baseline`: none. `-embedded`: the origin is inside the plugin, so that there is one TCP connection per client and not two. */
export type ArmTransport = 'baseline' | TransportName | `${TransportName}-embedded`

/** What is compared: a way from the load generator to the origin. One thing differs between two arms and nothing else. */
export interface Arm {
  /** Unique in a run: a repeated arm is `baseline#2`, which makes an A/A comparison. */
  readonly label: string
  readonly transport: ArmTransport
  /** Further clients that ask for /large and never read, for as long as the arm is measured. */
  readonly stalledReaders: number
}

const ARMS: readonly Arm[] = [
  ...(['baseline', ...TRANSPORTS] as const).flatMap((transport) => [
    { label: transport, transport, stalledReaders: 0 },
    { label: `${transport}-stalled`, transport, stalledReaders: 1 }
  ]),
  ...TRANSPORTS.map((name) => `${name}-embedded` as const).map((transport) => ({ label: transport, transport, stalledReaders: 0 }))
]

/** The medium of an arm's tunnel, and whether its plugin is the origin; null without a tunnel. */
export function tunnelOf (transport: ArmTransport): { readonly kind: TransportName, readonly isEmbedded: boolean } | null {
  if (transport === 'baseline') return null
  const kind = TRANSPORTS.find((name) => transport.startsWith(name))!
  return { kind, isEmbedded: transport !== kind }
}

export const ARM_NAMES = ARMS.map((arm) => arm.label)

/** Arms by name, as they are typed; a repeated one gets a number. Throws ERR_TUNNEL_USAGE. */
export function parseArms (names: readonly string[]): Arm[] {
  const seen = new Map<string, number>()
  return names.map((name) => {
    const arm = ARMS.find((one) => one.label === name)
    if (arm === undefined) throw usage('arms', name, `must be one of ${ARM_NAMES.join(', ')}`)
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? arm : { ...arm, label: `${name}#${count}` }
  })
}

/** The arms of a run, from their labels. */
export function armsOf (options: { readonly arms: readonly string[] }): Arm[] {
  return parseArms(options.arms.map((label) => label.replace(/#\d+$/, '')))
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

/** `small`, `large`, or a number of bytes. Throws ERR_TUNNEL_USAGE. */
export function parseSize (name: string): Size {
  if (name === 'small') return { name, path: '/small', bodyBytes: SMALL_BODY.length, expect: { kind: 'small' } }
  if (name === 'large') return { name, path: LARGE_PATH, bodyBytes: LARGE_BODY_BYTES, expect: { kind: 'content', bytes: LARGE_BODY_BYTES } }
  const bytes = /^[1-9]\d*$/.test(name) ? Number(name) : NaN
  if (!(bytes >= 1 && bytes <= MAX_SIZE_BYTES)) throw usage('sizes', name, `must be small, large, or a number of bytes from 1 to ${MAX_SIZE_BYTES}`)
  return { name, path: `/bytes/${bytes}`, bodyBytes: bytes, expect: { kind: 'content', bytes } }
}
