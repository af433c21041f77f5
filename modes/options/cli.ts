import yargs, { type Argv } from 'yargs'
import { type Cure, ErrorCode, exitCodeOf, TunnelError } from '../../src/base/errors.js'
import { plainArguments, suggestion } from './arguments.js'
import { PROGRAM } from '../measure/metadata.js'
import { watchStandardOutput } from '../system/standard-output.js'

/**
 * The command line: what all commands share. The only file that knows yargs, which reads commands and positionals,
 * checks what has to be given, and prints help; options come to it in one form (`arguments.ts`).
 */

export interface Flag {
  /** For --help: meaning, unit, what 0 means. */
  readonly describe: string
  /**
   * Shown in --help; whoever reads the value fills it in. Absent: the flag has to be given. A switch is off by default.
   */
  readonly standard?: string
  readonly isSwitch?: boolean
  /** One letter for `-n`. */
  readonly short?: string
  /** May be given several times; all values count. */
  readonly isList?: boolean
}

export type Cures = Readonly<Partial<Record<Cure, string>>>

export interface Action {
  readonly flags: Readonly<Record<string, Flag>>
  /** Its options that help, for errors that say so in general words. */
  readonly cures?: Cures
  /** The exit code, or nothing when the program goes on until a signal ends it. */
  readonly run: (given: Given, lists: Lists) => Promise<number | undefined>
}

/** What was typed: text of every flag and positional that was given, true for every switch, a list for `<name..>`. */
export type Given = Readonly<Record<string, string | true | readonly string[] | undefined>>

/** Every value of each flag that may be given several times; none: an empty array. */
export type Lists = Readonly<Record<string, readonly string[]>>

export interface Subcommand extends Action {
  /** Name, then positionals: `report <dir>`, `merge <dirs..>`. */
  readonly usage: string
  readonly summary: string
  readonly positionals?: Readonly<Record<string, string>>
}

export interface Program {
  readonly name: string
  readonly summary: string
  /** One action for the whole program, or one for each subcommand. */
  readonly action: Action | readonly Subcommand[]
}

/** As wide as the terminal. Where there is none, as wide as most are, or a pager breaks every other line. */
const WIDTH = Math.min(110, Math.max(60, process.stdout.columns || 80)) // a terminal may say that it has 0 columns

const EPILOGUE = 'Of an option given twice the last one counts, but for those that may be given several times.\n' +
  'Exit codes: 0 done, 1 failure, 2 usage, 3 invalid measurement, 130 interrupted.'

/** What yargs adds to every command. */
const GENERAL = { help: { short: 'h', isSwitch: true }, version: { short: 'V', isSwitch: true } } as const

/** yargs' own words, where they do not say what to do. */
const STRINGS = {
  'Missing required argument: %s': { one: '--%s must be given', other: '%s must be given' },
  'Unknown argument: %s': { one: 'there is no place for "%s"', other: 'there is no place for "%s"' },
  'Not enough non-option arguments: got %s, need at least %s': {
    one: 'an argument is missing: %s given, %s needed',
    other: 'an argument is missing: %s given, %s needed'
  }
}

/**
 * Parses `process.argv` and runs the action. Whatever goes wrong ends in one sentence on standard error and the exit
 * code of `exitCodeOf()`: 2 for usage, 3 for an invalid measurement, 1 for failure. Of a flag given twice the last one
 * counts, but for lists.
 */
export async function runProgram ({ name, summary, action }: Program): Promise<void> {
  // Somebody who reads the first lines only (`| head`) must not end a service or lose a run.
  watchStandardOutput(name)
  const run = async (chosen: Action | Subcommand, argv: object): Promise<void> => {
    const names = new Set(Object.keys({ ...chosen.flags, ...('positionals' in chosen ? chosen.positionals : {}) }))
    const typed = Object.entries(argv).filter(
      ([key, value]) => names.has(key) && value !== undefined && value !== false
    )
    const given = Object.fromEntries(
      typed.map(([key, value]) => [key, key in chosen.flags && Array.isArray(value) ? value.at(-1) : value])
    ) as Given
    const isList = (key: string): boolean => chosen.flags[key]?.isList === true
    const lists = Object.fromEntries([
      ...Object.keys(chosen.flags)
        .filter(isList)
        .map((key): [string, string[]] => [key, []]),
      ...typed
        .filter(([key]) => isList(key))
        .map(([key, value]): [string, string[]] => [key, [value].flat() as string[]])
    ])
    const exitCode = await chosen.run(given, lists)
    if (exitCode !== undefined) process.exitCode = exitCode
  }
  // By habit: `help`, `help run`, and what other programs call their version.
  const [first, ...others] = process.argv.slice(2)
  const typed = first === 'help' ? [...others, '--help'] : first === '-v' ? ['--version'] : process.argv.slice(2)
  const commands = 'run' in action ? [] : action
  const command = typed.map((word) => commands.find((one) => nameOf(one) === word)).find((one) => one !== undefined)
  const chosen: Action | undefined = 'run' in action ? action : command
  // The help that has the options in it.
  const helpOf = [name, ...(command === undefined ? [] : [nameOf(command)]), '--help'].join(' ')
  const fail = (problem: string): TunnelError =>
    new TunnelError(ErrorCode.USAGE, `Cannot understand the command line: ${problem}: see ${helpOf}`)
  const cli = yargs()
    .scriptName(name)
    .usage(`$0 ${'run' in action ? '' : '<command> '}[options]\n\n${summary}`)
    .epilogue(EPILOGUE)
    .locale('en')
    .updateStrings(STRINGS as unknown as Record<string, string>)
    // Values stay as they were typed, so that a message can repeat them.
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false
    })
    .strict()
    .help()
    .version(PROGRAM.version)
    .alias({ h: 'help', V: 'version' })
    .wrap(WIDTH)
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      if (error !== undefined && error.name !== 'YError') throw error
      throw fail(message ?? String(error?.message))
    })
  if ('run' in action) {
    addFlags(cli, action.flags).command('$0', false, {}, async (argv) => { await run(action, argv) })
  } else {
    for (const subcommand of action) {
      cli.command(subcommand.usage, subcommand.summary, (sub) => {
        addFlags(sub, subcommand.flags).epilogue(EPILOGUE)
        for (const [positional, describe] of Object.entries(subcommand.positionals ?? {})) {
          sub.positional(positional, { describe, demandOption: true })
        }
      }, async (argv) => { await run(subcommand, argv) })
    }
    cli.demandCommand(1, `a command is missing: ${action.map(nameOf).join(' or ')}`)
  }
  try {
    await cli.parseAsync(chosen === undefined
      ? withoutCommand(typed, commands, fail)
      : plainArguments(typed, { ...chosen.flags, ...GENERAL }, fail))
  } catch (error) {
    reportError(name, error, chosen?.cures)
    process.exitCode = exitCodeOf(error)
  }
}

function nameOf ({ usage }: Subcommand): string {
  return usage.split(' ')[0]!
}

/** Only help and version mean something without a command. */
function withoutCommand (typed: string[], commands: readonly Subcommand[], fail: (problem: string) => Error): string[] {
  const word = typed.find((arg) => !arg.startsWith('-'))
  if (word !== undefined) throw fail(`there is no command "${word}"${suggestion(word, commands.map(nameOf))}`)
  const general = Object.entries(GENERAL).flatMap(([name, { short }]) => [`--${name}`, `-${short}`])
  return typed.filter((arg) => general.includes(arg))
}

/** No type and no default is told to yargs: it would turn "abc" into NaN, and "not given" into something given. */
function addFlags (cli: Argv, flags: Readonly<Record<string, Flag>>): Argv {
  for (const [flag, { describe, standard, isSwitch, short }] of Object.entries(flags)) {
    if (short !== undefined) cli.alias(flag, short)
    if (isSwitch === true) cli.option(flag, { describe, boolean: true, nargs: 0 })
    else {
      cli.option(flag, {
        describe,
        nargs: 1,
        ...(standard === undefined ? { demandOption: true } : { defaultDescription: standard })
      })
    }
  }
  return cli
}

/** The message of an error, with the option that helps where there is one. */
export function sentenceOf ({ message, cure }: TunnelError, cures: Cures = {}): string {
  const option = cure === null ? undefined : cures[cure]
  return option === undefined ? message : `${message} (${option})`
}

export function reportError (name: string, error: unknown, cures?: Cures): void {
  if (error instanceof TunnelError) console.error(`${name}: ${sentenceOf(error, cures)} (${error.code})`)
  else console.error(`${name}: this is a bug:`, error)
}
