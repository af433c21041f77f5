import yargs, { type Argv } from 'yargs'
import { ErrorCode, exitCodeOf, TunnelError } from '../../src/base/errors.js'
import { normalizeArguments, suggestion } from './arguments.js'
import { type Cures, reportError } from './cures.js'
import type { Flag, Given, GivenLists } from './flags.js'
import { PROGRAM } from '../measure/metadata.js'
import { watchStandardOutput } from '../system/standard-output.js'

/**
 * The command line: what all commands share. The only file that knows yargs, which reads commands and positionals,
 * checks what has to be given, and prints help; options come to it in one form (`arguments.ts`).
 */

export interface Action {
  readonly flags: Readonly<Record<string, Flag>>
  /** Its options that help, for errors that say so in general words. */
  readonly cures?: Cures
  /** The exit code, or nothing when the program goes on until a signal ends it. */
  readonly execute: (given: Given, lists: GivenLists) => Promise<number | undefined>
}

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

/** Makes a usage error of a problem. */
type Fail = (problem: string) => TunnelError

/**
 * Parses `process.argv` and executes the action. Whatever goes wrong ends in one sentence on standard error and the
 * exit code of `exitCodeOf()`: 2 for usage, 3 for an invalid measurement, 1 for failure. Of a flag given twice the last
 * one counts, but for lists.
 */
export async function runProgram (program: Program): Promise<void> {
  const { name, action } = program
  // Somebody who reads the first lines only (`| head`) must not end a service or lose a run.
  watchStandardOutput(name)
  const typed = withoutHabits(process.argv.slice(2))
  const subcommands = 'execute' in action ? [] : action
  const word = typed.find((one) => subcommands.some((subcommand) => nameOf(subcommand) === one))
  const subcommand = subcommands.find((one) => nameOf(one) === word)
  const chosen: Action | undefined = 'execute' in action ? action : subcommand
  // The help that has the options in it.
  const help = [name, ...(subcommand === undefined ? [] : [nameOf(subcommand)]), '--help'].join(' ')
  const fail: Fail = (problem) =>
    new TunnelError(ErrorCode.USAGE, `Cannot understand the command line: ${problem}: see ${help}`)
  try {
    await createParser(program, fail).parseAsync(chosen === undefined
      ? withoutCommand(typed, subcommands, fail)
      : normalizeArguments(typed, { ...chosen.flags, ...GENERAL }, fail))
  } catch (error) {
    reportError(name, error, chosen?.cures)
    process.exitCode = exitCodeOf(error)
  }
}

/** By habit: `help`, `help run`, and what other programs call their version. */
function withoutHabits (typed: readonly string[]): string[] {
  const [first, ...others] = typed
  return first === 'help' ? [...others, '--help'] : first === '-v' ? ['--version'] : [...typed]
}

/** Executes what it parses. */
function createParser ({ name, summary, action }: Program, fail: Fail): Argv {
  const parser = yargs()
    .scriptName(name)
    .usage(`$0 ${'execute' in action ? '' : '<command> '}[options]\n\n${summary}`)
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
  if ('execute' in action) {
    return addFlags(parser, action.flags)
      .command('$0', false, {}, async (argv) => { await executeAction(action, argv) })
  }
  for (const subcommand of action) {
    parser.command(subcommand.usage, subcommand.summary, (sub) => {
      addFlags(sub, subcommand.flags).epilogue(EPILOGUE)
      for (const [positional, describe] of Object.entries(subcommand.positionals ?? {})) {
        sub.positional(positional, { describe, demandOption: true })
      }
    }, async (argv) => { await executeAction(subcommand, argv) })
  }
  return parser.demandCommand(1, `a command is missing: ${action.map(nameOf).join(' or ')}`)
}

/** With what was given of all that yargs has put in `argv`. */
async function executeAction (action: Action | Subcommand, argv: object): Promise<void> {
  const { flags } = action
  const names = new Set(Object.keys({ ...flags, ...('positionals' in action ? action.positionals : {}) }))
  const typed = Object.entries(argv).filter(([key, value]) => names.has(key) && value !== undefined && value !== false)
  const given = Object.fromEntries(
    typed.map(([key, value]) => [key, key in flags && Array.isArray(value) ? value.at(-1) : value])
  ) as Given
  const lists = Object.fromEntries(Object.keys(flags).filter((key) => flags[key]!.isList === true).map((key) =>
    [key, typed.filter(([name]) => name === key).flatMap(([, value]) => value as string | string[])]))
  const exitCode = await action.execute(given, lists)
  if (exitCode !== undefined) process.exitCode = exitCode
}

function nameOf ({ usage }: Subcommand): string {
  return usage.split(' ')[0]!
}

/** Only help and version mean something without a command. */
function withoutCommand (typed: string[], commands: readonly Subcommand[], fail: Fail): string[] {
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
