import { ErrorCode, TunnelError } from './errors.js'
import { LONGEST_TIMER_MS } from './time-limit.js'

/**
 * Figures for people, formatted only where they leave the program. The same text on every machine: the decimal sign is
 * a point, thousands are parted by commas, whatever the locale.
 */

/** From large to small, the order in which they are written. */
const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
const UNITS = Object.keys(UNIT_MS) as Array<keyof typeof UNIT_MS>
const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** A whole number with commas: `12,346`. Rounds. */
export function formatCount (value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Three significant digits, and never fewer than the whole part: `0.187`, `12.4`, `1,235`. */
export function formatSignificant (value: number): string {
  if (value === 0) return '0'
  return Math.abs(value) >= 999.5 ? formatCount(value) : value.toPrecision(3)
}

/**
 * Requests per second without unit: `12,346`; below 100 with three digits, so that little does not look like nothing.
 */
export function formatRps (ratePerSec: number): string {
  return ratePerSec >= 99.95 ? formatCount(ratePerSec) : formatSignificant(ratePerSec)
}

/** Nanoseconds as milliseconds without unit: `0.187`, `1.24`, `12.4`. */
export function formatMs (durationNs: number): string {
  return formatSignificant(durationNs / 1e6)
}

/** Nanoseconds as microseconds without unit, with a sign: `+84.2`, `-1.20`, `0`. */
export function formatAddedUs (durationNs: number): string {
  return `${durationNs > 0 ? '+' : ''}${formatSignificant(durationNs / 1e3)}`
}

/** `0.31×`; below 0.1 two significant digits, from 10 on three. */
export function formatRatio (ratio: number): string {
  if (ratio > 0 && ratio < 0.0995) return `${ratio < 0.0001 ? '<0.0001' : String(Number(ratio.toPrecision(2)))}×`
  return `${ratio < 9.995 ? ratio.toFixed(2) : formatSignificant(ratio)}×`
}

/** `2 B`, `256 KiB`, `1.50 GiB`. */
export function formatBytes (bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1023.5 && unit < BINARY_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number.isInteger(value) ? formatCount(value) : formatSignificant(value)} ${BINARY_UNITS[unit]}`
}

/** A length of time for people: `250ms`, `5s`, `1.5s`, `1m10s`, `2h5m`. `parseDurationMs` reads each of them. */
export function formatDuration (durationMs: number): string {
  const wholeMs = Math.round(durationMs)
  if (wholeMs < 1_000) return `${wholeMs}ms`
  if (wholeMs < 10_000 && wholeMs % 1_000 !== 0) return `${Number((wholeMs / 1_000).toFixed(1))}s`
  const seconds = Math.round(wholeMs / 1_000)
  if (seconds < 60) return `${seconds}s`
  const [minutes, restSeconds] = [Math.floor(seconds / 60), seconds % 60]
  if (minutes < 60) return restSeconds === 0 ? `${minutes}m` : `${minutes}m${restSeconds}s`
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}

/**
 * A duration as people write it, in milliseconds: numbers with `h`, `m`, `s` or `ms`, the largest unit first, such as
 * `2m`, `1m30s` or `1h 5m`; from 0 to 2,147,483,647 ms. `name` is the option, for the message. Throws
 * ERR_TUNNEL_USAGE; a number without a unit is an error, since every tool means something else by it.
 */
export function parseDurationMs (text: string, name: string): number {
  const fail = (rule: string): never => {
    throw new TunnelError(ErrorCode.USAGE, `Cannot use ${name} ${JSON.stringify(text)}: ${rule}`)
  }
  const trimmed = text.trim()
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)\s*/gi)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== trimmed) {
    fail('a duration is a number and a unit (h, m, s or ms), for example 250ms, 1s or 1m30s')
  }
  let durationMs = 0
  let before = -1
  for (const [, digits, unit] of parts) {
    if (unit === '') {
      fail(`a duration needs a unit (h, m, s or ms): write ${digits}s for seconds or ${digits}ms for milliseconds`)
    }
    const at = UNITS.findIndex((one) => one === unit)
    if (at === -1) fail(`the unit of a duration is h, m, s or ms, not ${unit}`)
    if (at <= before) fail('the units of a duration are written once each, the largest first, for example 1m30s')
    before = at
    durationMs += Number(digits) * UNIT_MS[UNITS[at]!]
  }
  const wholeMs = Math.round(durationMs)
  if (Math.abs(durationMs - wholeMs) > 1e-6) fail('a duration is a whole number of milliseconds')
  if (wholeMs > LONGEST_TIMER_MS) fail(`a duration is at most ${LONGEST_TIMER_MS} ms (about 24 days)`)
  return wholeMs
}
