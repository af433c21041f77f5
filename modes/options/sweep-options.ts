import type { SweepOptions } from '../../src/result/sweep-result.js'
import { parseArms, parseSize } from '../plan/arms.js'
import { requestedOf, type Resolved } from './available-arms.js'
import type { Flag, Given } from './flags.js'
import {
  MAX_CONCURRENCY,
  MEASURE_FLAGS,
  MEASURE_STANDARD,
  measureOptionsOf,
  type RawOptions,
  resultsOptionsOf,
  ROUNDS_RANGE
} from './measure-options.js'
import { durationOf, integerOf, listOf, numberOf, textOf } from './option-values.js'
import { RUN_FLAGS } from './run-options.js'
import { HIGHEST_PER_SEC } from '../measure/sweep-runner.js'

const MAX_POINTS = 100

/** Four minutes on a quiet machine with two cores: three arms, 20 to 45 probes of each, and 8 rates in 3 rounds. */
const STANDARD = {
  ...MEASURE_STANDARD,
  size: 'small',
  connections: '64',
  'p99-bound': '10ms',
  precision: '0.03',
  points: '8',
  rounds: '3'
} as const

export const SWEEP_FLAGS: Readonly<Record<string, Flag>> = {
  arms: RUN_FLAGS.arms!,
  size: {
    describe: 'Response size: small (2 bytes), large (262144 bytes), or a number of bytes',
    standard: STANDARD.size
  },
  connections: {
    describe: `Keep-alive connections that are opened first, 1 to ${MAX_CONCURRENCY}`,
    standard: STANDARD.connections
  },
  'max-connections': {
    describe: 'The most that are opened when a request is due and all are busy; at least --connections',
    standard: 'as --connections'
  },
  'p99-bound': {
    describe:
      'A rate is carried where p99 of its response times is at most this, and 99 % of what was offered is answered ' +
      'right',
    standard: STANDARD['p99-bound']
  },
  precision: {
    describe: 'How near the search comes to the knee, 0.01 to 0.5: 0.03 is 3 %',
    standard: STANDARD.precision
  },
  rates: {
    describe: `Rates of the curve in requests per second, a list of numbers up to ${HIGHEST_PER_SEC}`,
    standard: 'chosen from the knees'
  },
  points: { describe: `How many rates are chosen, 2 to ${MAX_POINTS}`, standard: STANDARD.points },
  rounds: { describe: `How often each rate of the curve is measured, ${ROUNDS_RANGE}`, standard: STANDARD.rounds },
  ...MEASURE_FLAGS
}

/** Checks everything and fills in what was not given. Throws ERR_TUNNEL_USAGE. */
export function resolveSweepOptions (given: Given): Resolved<SweepOptions> {
  const raw: RawOptions = { ...STANDARD, ...given }
  const arms = parseArms(listOf('arms', raw.arms, { mayRepeat: true }))
  const connections = integerOf('connections', raw.connections, 1, MAX_CONCURRENCY)
  const options: SweepOptions = {
    ...measureOptionsOf(raw, arms),
    arms: arms.map((arm) => arm.label),
    size: parseSize(textOf('size', raw.size, STANDARD.size), 'size').name,
    connections,
    maxConnections:
      raw['max-connections'] === undefined
        ? connections
        : integerOf('max-connections', raw['max-connections'], connections, MAX_CONCURRENCY),
    p99BoundMs: durationOf('p99-bound', raw['p99-bound'], 1),
    precision: numberOf('precision', raw.precision, 0.01, 0.5),
    ratesPerSec:
      raw.rates === undefined
        ? null
        : listOf('rates', raw.rates)
          .map((text) => numberOf('rates', text, 1, HIGHEST_PER_SEC))
          .sort((a, b) => a - b),
    points: integerOf('points', raw.points, 2, MAX_POINTS)
  }
  return { options, ...resultsOptionsOf(raw), requested: requestedOf(given) }
}
