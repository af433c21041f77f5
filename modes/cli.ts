import yargs, { type Argv } from 'yargs'
import { ErrorCode, exitCodeOf, TunnelError } from '../src/base/errors.js'
import { PROGRAM } from './metadata.js'
import { watchStandardOutput } from './standard-output.js'

/** The command line: what all commands share. The only file that knows yargs. */

export interface Flag {
  /** For --help: meaning, unit, what 0 means. */
  readonly describe: string
  /** Shown in --help; whoever reads the value fills it in. Absent: the flag has to be given. A switch is off by default. */
  readonly standard?: string
  readonly isSwitch?: boolean
  /** One letter for `-n`. */
  readonly short?: string
  /** May be given several times; all values count. */
  readonly isList?: boolean
}

export interface Action {
  readonly flags: Readonly<Record<string, Flag>>
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

const EPILOGUE = 'Exit codes: 0 done, 1 failure, 2 usage, 3 invalid measurement, 130 interrupted.'

/** yargs' own words, where they do not say what to do. */
const STRINGS = {
  'Missing required argument: %s': { one: '--%s must be given', other: '%s must be given' },
  'Unknown argument: %s': { one: 'there is no option or command "%s"', other: 'there are no options or commands "%s"' },
  'Not enough arguments following: %s': '--%s needs a value',
  'Argument unexpected for: %s': '--%s is a switch and takes no value',
  'Not enough non-option arguments: got %s, need at least %s': { one: 'an argument is missing: %s given, %s needed', other: 'an argument is missing: %s given, %s needed' }
}

/**
 * Parses `process.argv` and runs the action. Whatever goes wrong ends in one sentence on standard error and the exit code of
 * `exitCodeOf()`: 2 for usage, 3 for an invalid measurement, 1 for failure. Of a flag given twice the last one counts, but for lists.
 */
export async function runProgram ({ name, summary, action }: Program): Promise<void> {
  // Somebody who reads the first lines only (`| head`) must not end a service or lose a run.
  watchStandardOutput(name)
  const run = async (chosen: Action | Subcommand, argv: object): Promise<void> => {
    const names = new Set(Object.keys({ ...chosen.flags, ...('positionals' in chosen ? chosen.positionals : {}) }))
    const typed = Object.entries(argv).filter(([key, value]) => names.has(key) && value !== undefined && value !== false)
    const given = Object.fromEntries(typed.map(([key, value]) => [key, key in chosen.flags && Array.isArray(value) ? value.at(-1) : value])) as Given
    const isList = (key: string): boolean => chosen.flags[key]?.isList === true
    const lists = Object.fromEntries([
      ...Object.keys(chosen.flags).filter(isList).map((key): [string, string[]] => [key, []]),
      ...typed.filter(([key]) => isList(key)).map(([key, value]): [string, string[]] => [key, [value].flat() as string[]])
    ])
    const exitCode = await chosen.run(given, lists)
    if (exitCode !== undefined) process.exitCode = exitCode
  }
  // The help that has the options in it.
  const command = 'run' in action ? undefined : action.map(nameOf).find((one) => one === process.argv[2])
  const helpOf = [name, ...(command === undefined ? [] : [command]), '--help'].join(' ')
  const cli = yargs(process.argv.slice(2))
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
    .wrap(Math.min(110, process.stdout.columns || 100)) // a terminal may say that it has 0 columns
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      if (error !== undefined && error.name !== 'YError') throw error
      throw new TunnelError(ErrorCode.USAGE, `Cannot understand the command line: ${message ?? error?.message}: see ${helpOf}`)
    })
  if ('run' in action) {
    addFlags(cli, action.flags).command('$0', false, {}, async (argv) => { await run(action, argv) })
  } else {
    for (const subcommand of action) {
      cli.command(subcommand.usage, subcommand.summary, (sub) => {
        addFlags(sub, subcommand.flags).epilogue(EPILOGUE)
        for (const [positional, describe] of Object.entries(subcommand.positionals ?? {})) sub.positional(positional, { describe, demandOption: true })
      }, async (argv) => { await run(subcommand, argv) })
    }
    cli.demandCommand(1, `a command is missing: ${action.map(nameOf).join(' or ')}`)
  }
  try {
    await cli.parseAsync()
  } catch (error) {
    reportError(name, error)
    process.exitCode = exitCodeOf(error)
  }
}

function nameOf ({ usage }: Subcommand): string {
  return usage.split(' ')[0]!
}

/** No type and no default is told to yargs: it would turn "abc" into NaN, and "not given" into something given. */
function addFlags (cli: Argv, flags: Readonly<Record<string, Flag>>): Argv {
  for (const [flag, { describe, standard, isSwitch, short }] of Object.entries(flags)) {
    if (short !== undefined) cli.alias(flag, short)
    if (isSwitch === true) cli.option(flag, { describe, boolean: true, nargs: 0 })
    else cli.option(flag, { describe, nargs: 1, ...(standard === undefined ? { demandOption: true } : { defaultDescription: standard }) })
  }
  return cli
}

export function reportError (name: string, error: unknown): void {
  if (error instanceof TunnelError) console.error(`${name}: ${error.message} (${error.code})`)
  else console.error(`${name}: this is a bug:`, error)
}
