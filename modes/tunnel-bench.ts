#!/usr/bin/env node
import { renderConsoleTables } from '../src/report/console-tables.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { ARM_NAMES } from './arms.js'
import { type Argv, runCommand } from './cli.js'
import { readResults, renderFolder } from './results-folder.js'
import { DEFAULTS, type RawRunOptions, resolveRunOptions } from './run-options.js'
import { run } from './run.js'

await runCommand({
  name: 'tunnel-bench',
  summary: 'Measures what it costs to put an HTTP service behind a local tunnel.',
  build: (cli) => cli
    .command('run', 'Run the matrix: every arm at every response size and concurrency', runFlags, async (argv) => {
      const { config, ...flags } = argv as unknown as RawRunOptions & { config?: string }
      const { options, out } = resolveRunOptions(flags, config)
      process.exitCode = await run(options, out)
    })
    .command('report <dir>', 'Render SUMMARY.md and the per-cell files again from result.json', reportFlags, (argv) => {
      const { dir } = argv as unknown as { dir: string }
      const result = readResults(dir)
      renderFolder(dir, result)
      console.log(renderConsoleTables(summarizeRun(result)))
      console.log(`Rendered ${dir}/SUMMARY.md`)
    })
    .demandCommand(1, 'a command is missing: run or report')
})

/** No default is given to yargs: a flag that was not typed must not override the config file. */
function runFlags (cli: Argv): Argv {
  const text = (describe: string, standard: unknown) => ({ type: 'string', requiresArg: true, describe, defaultDescription: String(standard) } as const)
  const number = (describe: string, standard: unknown) => ({ type: 'number', requiresArg: true, describe, defaultDescription: String(standard) } as const)
  return cli.options({
    arms: text(`What is compared: a list of ${ARM_NAMES.join(', ')}; name one twice for an A/A run`, DEFAULTS.arms),
    sizes: text('Response sizes: small (2 bytes), large (262,144 bytes), or numbers of bytes', DEFAULTS.sizes),
    concurrency: text('Keep-alive connections', DEFAULTS.concurrency),
    duration: text('Length of each measurement', DEFAULTS.duration),
    warmup: text('Load before each measurement that does not count', DEFAULTS.warmup),
    rounds: number('How often each cell is measured; arms are interleaved in random order within a round', DEFAULTS.rounds),
    mode: text('Roles as threads of one process, or as processes', DEFAULTS.mode),
    server: text('Origin server: uws, node, or auto', DEFAULTS.server),
    'load-threads': number('Threads that generate the load', DEFAULTS['load-threads']),
    'request-timeout': text('A response that takes longer is a timeout', DEFAULTS['request-timeout']),
    seed: number('Seed of the random order', 'random, printed'),
    out: text('Folder in which the results folder is made', DEFAULTS.out),
    quick: { type: 'boolean', describe: 'The whole matrix in about 15 s, with rough figures' },
    config: text('JSON file with any of these options; flags come first', 'none')
  })
}

function reportFlags (cli: Argv): Argv {
  return cli.positional('dir', { type: 'string', demandOption: true, describe: 'Results folder of a run' })
}
