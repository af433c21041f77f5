import { readFileSync } from 'node:fs'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { EXTERNAL_GENERATORS } from '../../src/load/external/program.js'
import type { ExternalArm, RunOptions } from '../../src/result/run-result.js'
import { type Arm, ARM_NAMES, LADDER, MAX_SIZE_BYTES, parseArms, parseSize } from '../plan/arms.js'
import { requestedOf, type Resolved } from './available-arms.js'
import type { Cures } from './cures.js'
import type { Flag } from './flags.js'
import { parseExternalArm } from '../plan/external-arm.js'
import {
  MAX_CONCURRENCY, MEASURE_CURES, MEASURE_FLAGS, MEASURE_STANDARD, measureOptionsOf, type RawOptions, resultsOptionsOf,
  ROUNDS_RANGE, switchOf
} from './measure-options.js'
import { integerOf, listOf, numberOf, oneOf, portOf } from './option-values.js'
import { usageError } from '../plan/usage-error.js'

/** Beyond that the slowest arm hardly keeps up, and its latency says how long the measurement was. */
const MAX_EQUAL_LOAD = 0.95

/**
 * About four minutes: 3 arms × 2 sizes × 4 concurrencies × (5 rounds of 1.25 s in a closed loop, and 3 of 1.1 s at
 * equal load).
 */
const STANDARD = {
  ...MEASURE_STANDARD,
  sizes: 'small,large',
  concurrency: '1,8,64,256',
  rounds: '5',
  'equal-load': '0.5',
  generator: 'own'
} as const

/** The whole matrix once over, to see that it works; the figures are rough. */
const QUICK = { duration: '200ms', warmup: '100ms', rounds: '2' } as const

export const RUN_FLAGS: Readonly<Record<string, Flag>> = {
  arms: {
    describe: `What is compared, a list of ${ARM_NAMES.join(', ')}. "-stalled": one further client asks for /large ` +
      'and never reads. "-embedded": the origin is inside the plugin. One named twice makes an A/A run',
    standard: STANDARD.arms
  },
  ladder: {
    describe: `Every rung between direct HTTP and the tunnel, which splits the bill: ${LADDER.join(', ')}`,
    isSwitch: true
  },
  arm: {
    describe:
      'A program from outside as a further arm, NAME=URL[,start=COMMAND]; may be given several times. The command ' +
      'runs in the foreground until the run is over; {origin} in it is host:port of the origin, and {port} in it and ' +
      'in the URL a free port',
    standard: 'none',
    isList: true
  },
  'origin-port': {
    describe: 'TCP port of the origin, for programs from outside that are not started by the run; 0 takes any free one',
    standard: '0'
  },
  'count-syscalls': {
    describe:
      'Count system calls per response, by role and name: one more short measurement of each cell with strace ' +
      'attached, after the rounds; for --mode=processes',
    isSwitch: true
  },
  sizes: {
    describe: `Response sizes, a list of small (2 bytes), large (262144 bytes), or bytes from 1 to ${MAX_SIZE_BYTES}`,
    standard: STANDARD.sizes
  },
  concurrency: {
    describe: `Keep-alive connections, a list of integers from 1 to ${MAX_CONCURRENCY}`,
    standard: STANDARD.concurrency
  },
  rounds: {
    describe: `How often each cell is measured, ${ROUNDS_RANGE}; within a round the arms run one after the other in ` +
      'random order',
    standard: STANDARD.rounds
  },
  'equal-load': {
    describe: 'After its closed loops each cell is measured in open loops, all arms at the same rate: this fraction ' +
      `(up to ${MAX_EQUAL_LOAD}) of what its slowest arm did; 0 leaves this out, as another --generator does where ` +
      'it is not given',
    standard: STANDARD['equal-load']
  },
  generator: {
    describe:
      'What sends the load: own, or oha or wrk where they are installed, for cross-checks. These verify no body, and ' +
      'have no rounds at equal load',
    standard: STANDARD.generator
  },
  ...MEASURE_FLAGS,
  quick: {
    describe: `The whole matrix in about 25 s, with rough figures: --duration=${QUICK.duration} ` +
      `--warmup=${QUICK.warmup} --rounds=${QUICK.rounds}, where these are not given`,
    isSwitch: true
  },
  config: {
    describe: 'JSON file with any of these options, for example {"rounds": 3, "sizes": ["small"]}; flags override it',
    standard: 'none'
  }
}

export const RUN_CURES: Cures = {
  ...MEASURE_CURES,
  port: '--origin-port=0 takes any free one',
  generator: '--generator=own'
}

const NAMES = Object.keys(RUN_FLAGS).filter((name) => name !== 'config')

export type RawRunOptions = RawOptions

/**
 * Checks everything and fills in what was not given: flags first, then the file that `config` names, then `--quick`,
 * then the defaults. Throws ERR_TUNNEL_USAGE.
 */
export function resolveRunOptions ({ config, ...flags }: RawRunOptions): Resolved<RunOptions> {
  const given = { ...(config === undefined ? {} : readConfig(String(config))), ...flags }
  const quick = switchOf('quick', given)
  const raw: RawRunOptions = { ...STANDARD, ...(quick ? QUICK : {}), ...given }
  const externalArms = externalArmsOf(raw.arm)
  const originPort = portOf('origin-port', raw['origin-port'] ?? 0)
  const named = armNamesOf(given, raw)
  const arms = parseArms(
    [...named, ...externalArms.map(({ name }) => name).filter((name) => !named.includes(name))],
    externalArms
  )
  const measure = measureOptionsOf(raw, arms)
  const countSystemCalls = switchOf('count-syscalls', given)
  if (countSystemCalls && measure.mode === 'threads') {
    throw usageError('count-syscalls', true, 'needs a process for each role: leave it out, or use --mode=processes')
  }
  const generator = oneOf('generator', raw.generator, ['own', ...EXTERNAL_GENERATORS])
  const options: RunOptions = {
    ...measure,
    arms: arms.map((arm) => arm.label),
    sizes: listOf('sizes', raw.sizes).map((name) => parseSize(name).name),
    concurrency: listOf('concurrency', raw.concurrency).map((text) =>
      integerOf('concurrency', text, 1, MAX_CONCURRENCY)
    ),
    quick,
    ...(externalArms.length === 0 ? {} : { externalArms }),
    ...(originPort === 0 ? {} : { originPort }),
    ...(countSystemCalls ? { countSystemCalls } : {}),
    generator,
    equalLoad: equalLoadOf(given, raw, generator)
  }
  checkGenerator(options, arms)
  return { options, ...resultsOptionsOf(raw), requested: requestedOf(given) }
}

/** Lines from the command line, an array in a config file. */
function externalArmsOf (value: unknown): ExternalArm[] {
  if (value === undefined) return []
  const externals: ExternalArm[] = []
  for (const text of Array.isArray(value) ? value.map(String) : String(value).split('\n')) {
    externals.push(parseExternalArm(text, [...ARM_NAMES, 'direct', ...externals.map(({ name }) => name)]))
  }
  return externals
}

function armNamesOf ({ ladder = false, arms }: RawRunOptions, raw: RawRunOptions): readonly string[] {
  if (typeof ladder !== 'boolean') throw usageError('ladder', ladder, 'must be true or false')
  if (!ladder) return listOf('arms', raw.arms, { mayRepeat: true })
  if (arms !== undefined) throw usageError('arms', arms, 'names arms, and --ladder names others: leave one of them out')
  return LADDER
}

/** Where it is not given, 0 with an external generator, which cannot do it. */
function equalLoadOf (given: RawRunOptions, raw: RawRunOptions, generator: RunOptions['generator']): number {
  if (given['equal-load'] === undefined && generator !== 'own') return 0
  return numberOf('equal-load', raw['equal-load'], 0, MAX_EQUAL_LOAD)
}

/** What the external programs cannot do. */
function checkGenerator ({ generator = 'own', equalLoad, durationMs }: RunOptions, arms: readonly Arm[]): void {
  if (generator === 'own') return
  if (equalLoad !== 0) {
    throw usageError(
      'equal-load',
      equalLoad,
      `must be 0 with --generator=${generator}: open loops are for the own generator`
    )
  }
  const stalled = arms.find((arm) => arm.stalledReaders > 0)
  if (stalled !== undefined) {
    throw usageError('arms', stalled.label, `needs --generator=own: ${generator} has no clients that never read`)
  }
  const unix = arms.find((arm) => arm.transport === 'uds')
  if (unix !== undefined) {
    throw usageError('arms', unix.label, `needs --generator=own: ${generator} sends over TCP only`)
  }
  if (generator === 'wrk' && durationMs % 1_000 !== 0) {
    throw usageError('duration', `${durationMs}ms`, 'must be whole seconds with --generator=wrk')
  }
}

function readConfig (file: string): RawRunOptions {
  const fail = (rule: string): never => {
    throw new TunnelError(ErrorCode.USAGE, `Cannot use --config=${file}: ${rule}`)
  }
  let config: unknown
  try {
    config = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    return fail(`${(error as Error).message}: name a file that holds one JSON object of options`)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    return fail('it must hold one JSON object of options, for example {"rounds": 3}')
  }
  const unknown = Object.keys(config).find((name) => !NAMES.includes(name))
  if (unknown !== undefined) fail(`there is no option ${JSON.stringify(unknown)}: known are ${NAMES.join(', ')}`)
  return config as RawRunOptions
}
