import { formatDuration, parseDurationMs } from '../../src/base/units.js'
import type { SpinChoice } from '../../src/engine/create-engine.js'
import { usageError } from '../plan/usage-error.js'

/**
 * Reads the values of options, from the command line (text) or a config file (any JSON). All throw ERR_TUNNEL_USAGE
 * with the option, the value and the rule.
 */

const DURATION_MAX_MS = 24 * 3_600_000

/** A number, or text of decimal digits. */
export function integerOf (flag: string, value: unknown, minimum: number, maximum: number): number {
  const number = typeof value === 'string' && /^(0|[1-9]\d*)$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < minimum || number > maximum) {
    throw usageError(flag, value, `must be an integer from ${minimum} to ${maximum}`)
  }
  return number
}

/** A number from `minimum` to `maximum`, or text of one in decimal digits. */
export function numberOf (flag: string, value: unknown, minimum: number, maximum: number): number {
  const number = decimalOf(value)
  if (!(number >= minimum && number <= maximum)) {
    throw usageError(flag, value, `must be a number from ${minimum} to ${maximum}`)
  }
  return number
}

/** The same above 0. */
export function positiveOf (flag: string, value: unknown, maximum: number): number {
  const number = decimalOf(value)
  if (!(number > 0 && number <= maximum)) throw usageError(flag, value, `must be a number above 0, up to ${maximum}`)
  return number
}

/** NaN where it is none. */
function decimalOf (value: unknown): number {
  if (typeof value === 'string') return /^(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN
  return typeof value === 'number' ? value : NaN
}

export function portOf (flag: string, value: unknown): number {
  try {
    return integerOf(flag, value, 0, 65_535)
  } catch {
    throw usageError(flag, value, 'must be an integer from 0 (any free port) to 65535')
  }
}

export function oneOf<T extends string> (flag: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) {
    throw usageError(flag, value, `must be ${allowed.length === 1 ? '' : 'one of '}${allowed.join(', ')}`)
  }
  return found
}

/** Text that is not empty. `example` is for the message. */
export function textOf (flag: string, value: unknown, example: string): string {
  if (typeof value !== 'string' || value === '') {
    throw usageError(flag, value, `must be text that is not empty, for example ${example}`)
  }
  return value
}

/** `250ms`, `2s`, `1m30s`, in ms. */
export function durationOf (flag: string, value: unknown, minimumMs: number): number {
  if (typeof value !== 'string') {
    throw usageError(flag, value, 'must be a duration with its unit, for example "250ms" or "2s"')
  }
  const durationMs = parseDurationMs(value, `--${flag}`)
  if (durationMs < minimumMs || durationMs > DURATION_MAX_MS) {
    throw usageError(flag, value, `must be from ${formatDuration(minimumMs)} to ${formatDuration(DURATION_MAX_MS)}`)
  }
  return durationMs
}

export const SPIN_DESCRIPTION =
  'How long a thread of the tunnel looks for work before it sleeps: so many µs, 0 for never, or auto, which is up to ' +
  '200 while that pays and nobody else wants the processor; epoll engine only'

export const SERVER_DESCRIPTION = 'Origin server: lab (this package\'s own, on --engine), node (node:http), ' +
  'uws (uWebSockets.js: fast, but answers HTTP/1.0 with 505), or auto, which is uws where it loads and else node'

const MAX_SPIN_US = 100_000

/** `auto`, or µs. `engine` is the one asked for: that of Node cannot spin. */
export function spinOf (value: unknown, engine: string): SpinChoice {
  if (value === undefined) return 'auto'
  if (engine === 'node') {
    throw usageError('spin-us', value, 'is for the epoll engine: leave it out, or leave out --engine=node')
  }
  if (value === 'auto') return value
  try {
    return integerOf('spin-us', value, 0, MAX_SPIN_US)
  } catch {
    throw usageError('spin-us', value, `must be auto, or an integer from 0 (never) to ${MAX_SPIN_US}`)
  }
}

/** `a,b,c`; in a config file also an array. No value may be there twice unless `mayRepeat`. */
export function listOf (flag: string, value: unknown, { mayRepeat = false } = {}): string[] {
  const items = Array.isArray(value) ? value.map(String) : String(value).split(',').map((item) => item.trim())
  if (items.length === 0 || items.includes('')) {
    throw usageError(flag, value, 'must be a list of values with commas between them, for example a,b')
  }
  if (!mayRepeat && new Set(items).size !== items.length) throw usageError(flag, value, 'must not name a value twice')
  return items
}
