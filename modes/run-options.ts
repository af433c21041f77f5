import { readFileSync } from 'node:fs'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { parseDurationMs } from '../src/base/units.js'
import type { RunOptions } from '../src/report/result.js'
import { parseArms, parseSize, usage } from './arms.js'

/** What the `run` command was given: every value as typed, undefined where it was not. A config file has the same names. */
export interface RawRunOptions {
  arms?: string
  sizes?: string
  concurrency?: string
  duration?: string
  warmup?: string
  rounds?: number
  mode?: string
  server?: string
  'load-threads'?: number
  'request-timeout'?: string
  seed?: number
  out?: string
  quick?: boolean
}

type Defaults = Required<Omit<RawRunOptions, 'seed' | 'quick'>>

/** About two minutes: 2 arms × 2 sizes × 4 concurrencies × 5 rounds of 1.25 s. */
export const DEFAULTS: Defaults = {
  arms: 'baseline,stream',
  sizes: 'small,large',
  concurrency: '1,8,64,256',
  duration: '1s',
  warmup: '250ms',
  rounds: 5,
  mode: 'processes',
  server: 'auto',
  'load-threads': 1,
  'request-timeout': '10s',
  out: 'bench_results'
}

/** `--quick`: the whole matrix once over, to see that it works; the figures are rough. */
const QUICK: Partial<Defaults> = { duration: '200ms', warmup: '100ms', rounds: 2 }

const NAMES = [...Object.keys(DEFAULTS), 'seed', 'quick']

const MAX_CONCURRENCY = 4000

/** Checks everything and fills in what was not given: flags first, then the config file, then `--quick`, then the defaults. */
export function resolveRunOptions (flags: RawRunOptions, configFile?: string): { options: RunOptions, out: string } {
  const given = { ...(configFile === undefined ? {} : readConfig(configFile)), ...definedOf(flags) }
  const raw = { ...DEFAULTS, ...(given.quick === true ? QUICK : {}), ...given }
  const arms = parseArms(listOf('arms', raw.arms))
  const options: RunOptions = {
    mode: oneOf('mode', raw.mode, ['threads', 'processes']),
    arms: arms.map((arm) => arm.label),
    sizes: listOf('sizes', raw.sizes).map((name) => parseSize(name).name),
    concurrency: listOf('concurrency', raw.concurrency).map((text) => integerOf('concurrency', Number(text === '' ? NaN : text), 1, MAX_CONCURRENCY)),
    durationMs: durationOf('duration', raw.duration, 50),
    warmupMs: durationOf('warmup', raw.warmup, 0),
    rounds: integerOf('rounds', raw.rounds, 1, 1000),
    server: oneOf('server', raw.server, ['auto', 'uws', 'node']),
    loadThreads: integerOf('load-threads', raw['load-threads'], 1, 64),
    requestTimeoutMs: durationOf('request-timeout', raw['request-timeout'], 100),
    seed: integerOf('seed', raw.seed ?? Math.floor(Math.random() * 0x1_0000_0000), 0, 0xffff_ffff),
    quick: raw.quick === true
  }
  for (const flag of ['sizes', 'concurrency'] as const) {
    const values: ReadonlyArray<string | number> = options[flag]
    if (new Set(values).size !== values.length) throw usage(flag, values.join(','), 'must not name a value twice')
  }
  return { options, out: raw.out }
}

function readConfig (file: string): RawRunOptions {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new TunnelError(ErrorCode.USAGE, `Cannot read --config=${file}: ${(error as Error).message}`)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new TunnelError(ErrorCode.USAGE, `Cannot use --config=${file}: it must hold one JSON object of options, for example {"rounds": 3}`)
  }
  for (const name of Object.keys(config)) {
    if (!NAMES.includes(name)) throw new TunnelError(ErrorCode.USAGE, `Cannot use --config=${file}: unknown option ${JSON.stringify(name)}: known are ${NAMES.join(', ')}`)
  }
  return config
}

function definedOf (flags: RawRunOptions): RawRunOptions {
  return Object.fromEntries(Object.entries(flags).filter(([name, value]) => value !== undefined && NAMES.includes(name)))
}

/** `a,b,c`; in a config file also an array. */
function listOf (flag: string, value: unknown): string[] {
  const items = Array.isArray(value) ? value.map(String) : String(value).split(',').map((item) => item.trim())
  if (items.length === 0 || items.includes('')) throw usage(flag, value, 'must be a list of values with commas between them')
  return items
}

function oneOf<T extends string> (flag: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw usage(flag, value, `must be one of ${allowed.join(', ')}`)
  return found
}

export function integerOf (flag: string, value: unknown, minimum: number, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw usage(flag, typeof value === 'number' ? String(value) : value, `must be an integer from ${minimum} to ${maximum}`)
  }
  return value
}

function durationOf (flag: string, value: unknown, minimumMs: number): number {
  if (typeof value !== 'string') throw usage(flag, value, 'must be a duration with its unit, for example 250ms or 2s')
  const ms = parseDurationMs(value, `--${flag}`)
  if (ms < minimumMs || ms > 3_600_000) throw usage(flag, value, `must be from ${minimumMs}ms to 60m`)
  return ms
}
