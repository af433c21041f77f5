import { ENGINES } from '../../src/engine/create-engine.js'
import { SERVERS } from '../../src/origin/origin.js'
import type { RunOptions, SegmentOptions } from '../../src/result/run-result.js'
import type { Arm } from '../plan/arms.js'
import { usageError } from '../plan/usage-error.js'
import type { Cures } from './cures.js'
import type { Flag } from './flags.js'
import {
  durationOf, integerOf, oneOf, SERVER_DESCRIPTION, SPIN_DESCRIPTION, spinOf, textOf
} from './option-values.js'
import { givenSegmentFlag, SEGMENT_FLAGS, segmentSizesOf } from './segment-options.js'

/** The options that a run and a sweep have in common: how each measurement is made, and where its roles live. */

export const MAX_CONCURRENCY = 4000
const MAX_ROUNDS = 1000
export const ROUNDS_RANGE = `1 to ${MAX_ROUNDS}`
export const MAX_LOAD_THREADS = 64
export const MAX_SEED = 0xffff_ffff
export const ARRIVALS = ['constant', 'poisson'] as const

export const MEASURE_STANDARD = {
  arms: 'baseline,stream,shm',
  duration: '1s',
  warmup: '250ms',
  mode: 'processes',
  server: 'auto',
  engine: 'auto',
  'load-threads': '1',
  'request-timeout': '10s',
  arrivals: 'poisson',
  out: 'bench_results'
} as const

export const MEASURE_FLAGS = {
  duration: {
    describe: 'Length of each measurement, for example 500ms, 2s or 1m; at least 50ms',
    standard: MEASURE_STANDARD.duration
  },
  warmup: {
    describe: 'Load before each measurement that does not count; 0s for none',
    standard: MEASURE_STANDARD.warmup
  },
  arrivals: {
    describe: 'How open loops send: constant (one request every 1/rate) or poisson (as many independent clients do)',
    standard: MEASURE_STANDARD.arrivals
  },
  mode: {
    describe: 'Where the roles live: threads (worker threads of one process) or processes',
    standard: MEASURE_STANDARD.mode
  },
  server: { describe: SERVER_DESCRIPTION, standard: MEASURE_STANDARD.server },
  engine: {
    describe:
      'What moves bytes between sockets and the program, in host, plugin and load generator: epoll (system calls; ' +
      'Linux with koffi), node (node:net), or auto, which is epoll where it loads',
    standard: MEASURE_STANDARD.engine
  },
  'spin-us': { describe: SPIN_DESCRIPTION, standard: 'auto' },
  'load-threads': {
    describe: `Threads that generate the load, 1 to ${MAX_LOAD_THREADS}; never more than connections`,
    standard: MEASURE_STANDARD['load-threads']
  },
  'request-timeout': {
    describe: 'A response that takes longer is an error, a timeout; at least 100ms',
    standard: MEASURE_STANDARD['request-timeout']
  },
  seed: {
    describe: `Seed of the random order, 0 to ${MAX_SEED}: the same seed gives the same order`,
    standard: 'random, printed'
  },
  ...SEGMENT_FLAGS,
  out: {
    describe: 'Folder in which the results folder is made, with the UTC time as its name',
    standard: MEASURE_STANDARD.out
  },
  'allow-invalid': {
    describe:
      'End with exit code 0 although the measurement is invalid (code 3 otherwise); the findings are written all the ' +
      'same',
    isSwitch: true
  }
} as const satisfies Readonly<Record<string, Flag>>

/** What helps where a role cannot have what it needs. */
export const MEASURE_CURES = {
  engine: '--engine=node',
  server: '--server=node',
  transport: '--mode=threads or --arms=baseline,stream',
  segment: '--slots or --slot-bytes'
} as const satisfies Cures

/** Options by flag name: text from the command line, any JSON from a config file. */
export type RawOptions = Readonly<Record<string, unknown>>

type MeasureOptions = Required<
  Pick<
    RunOptions,
    | 'mode'
    | 'durationMs'
    | 'warmupMs'
    | 'rounds'
    | 'server'
    | 'engine'
    | 'spinUs'
    | 'loadThreads'
    | 'requestTimeoutMs'
    | 'seed'
    | 'arrivals'
    | 'segment'
  >
>

/** `raw` with its defaults filled in. Throws ERR_TUNNEL_USAGE. */
export function measureOptionsOf (raw: RawOptions, arms: readonly Arm[]): MeasureOptions {
  return {
    mode: oneOf('mode', raw.mode, ['threads', 'processes']),
    durationMs: durationOf('duration', raw.duration, 50),
    warmupMs: durationOf('warmup', raw.warmup, 0),
    rounds: integerOf('rounds', raw.rounds, 1, MAX_ROUNDS),
    server: oneOf('server', raw.server, SERVERS),
    engine: oneOf('engine', raw.engine, ENGINES),
    spinUs: spinOf(raw['spin-us'], String(raw.engine)),
    loadThreads: integerOf('load-threads', raw['load-threads'], 1, MAX_LOAD_THREADS),
    requestTimeoutMs: durationOf('request-timeout', raw['request-timeout'], 100),
    seed:
      raw.seed === undefined ? Math.floor(Math.random() * (MAX_SEED + 1)) : integerOf('seed', raw.seed, 0, MAX_SEED),
    arrivals: oneOf('arrivals', raw.arrivals, ARRIVALS),
    segment: segmentOf(arms, raw)
  }
}

/** Where results go, and what becomes of invalid ones. Throws ERR_TUNNEL_USAGE. */
export function resultsOptionsOf (raw: RawOptions): { out: string, allowInvalid: boolean } {
  return { out: textOf('out', raw.out, MEASURE_STANDARD.out), allowInvalid: switchOf('allow-invalid', raw) }
}

export function switchOf (flag: string, given: RawOptions): boolean {
  const value = given[flag] ?? false
  if (typeof value !== 'boolean') throw usageError(flag, value, 'must be true or false')
  return value
}

/** null without an arm that has shared memory; then an option for it would do nothing, and is refused. */
function segmentOf (arms: readonly Arm[], raw: RawOptions): SegmentOptions | null {
  if (arms.some((arm) => arm.transport === 'shm')) return segmentSizesOf(raw)
  const flag = givenSegmentFlag(raw)
  if (flag !== null) {
    throw usageError(flag, raw[flag], 'is for arms with shared memory: leave it out, or add shm to --arms')
  }
  return null
}
