import type { SweepOptions } from '../src/report/sweep-result.js'
import { parseArms, parseSize } from './arms.js'
import type { Flag, Given } from './cli.js'
import { durationOf, integerOf, listOf, numberOf, oneOf, spinOf, textOf } from './option-values.js'
import { ARRIVALS, MAX_CONCURRENCY, MAX_LOAD_THREADS, MAX_ROUNDS, MAX_SEED, RUN_FLAGS, segmentOf } from './run-options.js'
import { SEGMENT_FLAGS } from './segment-options.js'
import { HIGHEST_PER_SEC } from './sweep-runner.js'
import { ENGINES } from '../src/engine/create-engine.js'

const MAX_POINTS = 100

/** About three minutes: three arms, about 18 probes of each, and 8 rates in 3 rounds. */
const STANDARD = {
  arms: 'baseline,stream,shm',
  size: 'small',
  connections: '64',
  'p99-bound': '10ms',
  precision: '0.03',
  points: '8',
  arrivals: 'poisson',
  duration: '1s',
  warmup: '250ms',
  rounds: '3',
  mode: 'processes',
  server: 'auto',
  engine: 'auto',
  'load-threads': '1',
  'request-timeout': '10s',
  out: 'bench_results'
} as const

const shared = (...names: readonly string[]): Record<string, Flag> => Object.fromEntries(names.map((name) => [name, RUN_FLAGS[name]!]))

export const SWEEP_FLAGS: Readonly<Record<string, Flag>> = {
  ...shared('arms'),
  size: { describe: 'Response size: small (2 bytes), large (262144 bytes), or a number of bytes', standard: STANDARD.size },
  connections: { describe: `Keep-alive connections that are opened first, 1 to ${MAX_CONCURRENCY}`, standard: STANDARD.connections },
  'max-connections': { describe: 'The most that are opened when a request is due and all are busy; at least --connections', standard: 'as --connections' },
  'p99-bound': { describe: 'A rate is carried where p99 of its response times is at most this, and 99 % of what was offered is answered right', standard: STANDARD['p99-bound'] },
  precision: { describe: 'How near the search comes to the knee, 0.01 to 0.5: 0.03 is 3 %', standard: STANDARD.precision },
  rates: { describe: `Rates of the curve in requests per second, a list of numbers up to ${HIGHEST_PER_SEC}`, standard: 'chosen from the knees' },
  points: { describe: `How many rates are chosen, 2 to ${MAX_POINTS}`, standard: STANDARD.points },
  duration: { describe: 'Length of each measurement; at least 50ms', standard: STANDARD.duration },
  warmup: { describe: 'Load before each measurement that does not count; 0s for none', standard: STANDARD.warmup },
  rounds: { describe: `How often each rate of the curve is measured, 1 to ${MAX_ROUNDS}`, standard: STANDARD.rounds },
  ...shared('arrivals', 'mode', 'server', 'engine', 'spin-us', 'load-threads', 'request-timeout', 'seed'),
  ...SEGMENT_FLAGS,
  ...shared('out')
}

/** Checks everything and fills in what was not given. Throws ERR_TUNNEL_USAGE. */
export function resolveSweepOptions (given: Given): { options: SweepOptions, out: string } {
  const raw: Record<string, unknown> = { ...STANDARD, ...given }
  const arms = parseArms(listOf('arms', raw.arms, { mayRepeat: true }))
  const connections = integerOf('connections', raw.connections, 1, MAX_CONCURRENCY)
  const options: SweepOptions = {
    mode: oneOf('mode', raw.mode, ['threads', 'processes']),
    arms: arms.map((arm) => arm.label),
    size: parseSize(textOf('size', raw.size, STANDARD.size)).name,
    connections,
    maxConnections: raw['max-connections'] === undefined ? connections : integerOf('max-connections', raw['max-connections'], connections, MAX_CONCURRENCY),
    p99BoundMs: durationOf('p99-bound', raw['p99-bound'], 1),
    precision: numberOf('precision', raw.precision, 0.01, 0.5),
    ratesPerSec: raw.rates === undefined ? null : listOf('rates', raw.rates).map((text) => numberOf('rates', text, 1, HIGHEST_PER_SEC)).sort((a, b) => a - b),
    points: integerOf('points', raw.points, 2, MAX_POINTS),
    arrivals: oneOf('arrivals', raw.arrivals, ARRIVALS),
    durationMs: durationOf('duration', raw.duration, 50),
    warmupMs: durationOf('warmup', raw.warmup, 0),
    rounds: integerOf('rounds', raw.rounds, 1, MAX_ROUNDS),
    server: oneOf('server', raw.server, ['auto', 'uws', 'node']),
    engine: oneOf('engine', raw.engine, ENGINES),
    spinUs: spinOf(raw['spin-us'], String(raw.engine)),
    loadThreads: integerOf('load-threads', raw['load-threads'], 1, MAX_LOAD_THREADS),
    requestTimeoutMs: durationOf('request-timeout', raw['request-timeout'], 100),
    seed: raw.seed === undefined ? Math.floor(Math.random() * (MAX_SEED + 1)) : integerOf('seed', raw.seed, 0, MAX_SEED),
    segment: segmentOf(arms, raw)
  }
  return { options, out: textOf('out', raw.out, STANDARD.out) }
}
