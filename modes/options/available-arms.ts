import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { RunOptions } from '../../src/result/run-result.js'
import { transportKindOf, type TransportName } from '../../src/transport/transport-kinds.js'
import { type Arm, armsOf } from '../plan/arms.js'
import { givenSegmentFlag } from './segment-options.js'
import { isTransport, transportChoiceOf } from '../plan/transport-choice.js'

/** What of a run was asked for, and is not there by default. */
export interface Requested {
  readonly arms: boolean
  /** Sizes of the shared memory. */
  readonly segment: boolean
}

/** What came of options: what to do, and where the results go. */
export interface Resolved<Options> {
  readonly options: Options
  readonly out: string
  readonly allowInvalid: boolean
  readonly requested: Requested
}

export function requestedOf (given: Readonly<Record<string, unknown>>): Requested {
  return { arms: given.arms !== undefined, segment: givenSegmentFlag(given) !== null }
}

type Measured = Pick<RunOptions, 'arms' | 'mode' | 'segment' | 'externalArms' | 'countSystemCalls'>

/**
 * `options` without the arms that this machine cannot have, where nobody asked for them; `tell` gets a sentence that
 * says why. Throws ERR_TUNNEL_UNAVAILABLE where somebody did.
 */
export function withAvailableArms<T extends Measured> (
  options: T,
  requested: Requested,
  tell: (sentence: string) => void
): T {
  const arms = armsOf(options)
  const refusals = new Map<Arm['transport'], TunnelError>()
  for (const transport of new Set(arms.map((arm) => arm.transport).filter(isTransport))) {
    const refusal = refusalOf(transport, options)
    if (refusal !== null) refusals.set(transport, refusal)
  }
  const [refusal] = refusals.values()
  if (refusal === undefined) return options
  const missing = arms.filter((arm) => refusals.has(arm.transport)).map((arm) => arm.label)
  const left = options.arms.filter((label) => !missing.includes(label))
  const ways = [
    ...(options.countSystemCalls === true ? [] : ['--mode=threads']),
    ...(requested.segment || left.length === 0 || !requested.arms ? [] : [`--arms=${names(left)}`])
  ]
  const sentence = `${refusal.message}${ways.length === 0 ? '' : ` (${ways.join(' or ')})`}`
  if (requested.arms || requested.segment) {
    throw new TunnelError(refusal.code, `Cannot measure ${missing.join(', ')}: ${sentence}`, { cause: refusal })
  }
  tell(`without ${missing.join(', ')}: ${sentence}`)
  return { ...options, arms: left, segment: null }
}

/** As they are typed: without the numbers of repeated ones. */
function names (labels: readonly string[]): string {
  return labels.map((label) => label.replace(/#\d+$/, '')).join(',')
}

function refusalOf (transport: TransportName, options: Measured): TunnelError | null {
  try {
    transportKindOf(transportChoiceOf(transport, options)).check()
    return null
  } catch (error) {
    if (error instanceof TunnelError && error.code === ErrorCode.UNAVAILABLE) return error
    throw error
  }
}
