import yargs, { type Argv } from 'yargs'
import { ErrorCode, exitCodeOf, TunnelError } from '../src/base/errors.js'
import { PROGRAM } from './metadata.js'

/** The command line: what all commands share. The only file that knows yargs. */
export type { Argv }

export interface Command {
  readonly name: string
  readonly summary: string
  readonly build: (cli: Argv) => Argv
}

/**
 * Parses `process.argv` and runs the command's handler. Whatever goes wrong ends in one sentence on standard error and the exit
 * code of `exitCodeOf()`: 2 for usage, 1 for failure. The handler's promise decides when the program ends.
 */
export async function runCommand ({ name, summary, build }: Command): Promise<void> {
  const cli = build(yargs(process.argv.slice(2))
    .scriptName(name)
    .usage(`$0 ${name === 'tunnel-bench' ? '<command> ' : ''}[options]\n\n${summary}`))
    .strict()
    .help()
    .version(PROGRAM.version)
    .alias({ h: 'help', V: 'version' })
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .recommendCommands()
    .exitProcess(false)
    // A flag given twice would silently become an array.
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': false, 'boolean-negation': false })
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new TunnelError(ErrorCode.USAGE, `Cannot understand the command line: ${message}. See ${name} --help`)
    })
  try {
    await cli.parseAsync()
  } catch (error) {
    reportError(name, error)
    process.exitCode = exitCodeOf(error)
  }
}

export function reportError (name: string, error: unknown): void {
  if (error instanceof TunnelError) console.error(`${name}: ${error.message} (${error.code})`)
  else console.error(`${name}: this is a bug:`, error)
}
