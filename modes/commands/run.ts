import { formatDuration } from '../../src/base/units.js'
import { externalVersion } from '../../src/load/external/program.js'
import { renderConsoleTables } from '../../src/report/console-tables.js'
import { equalLoadRounds, equalLoadWarmupMs } from '../../src/analysis/equal-load.js'
import { formatMeasurement, formatStatus } from '../../src/report/progress.js'
import type { CellResult, RunOptions, RunResult } from '../../src/result/run-result.js'
import { summarizeRun } from '../../src/judge/run-summary.js'
import { COUNT_CURE } from '../../src/analysis/system-calls.js'
import { COUNT_MS, countSystemCalls } from '../measure/count-system-calls.js'
import { runMatrix } from '../measure/run-matrix.js'
import { withAvailableArms } from '../options/available-arms.js'
import type { Subcommand } from '../options/cli.js'
import { resolveRunOptions, RUN_CURES, RUN_FLAGS } from '../options/run-options.js'
import { keepMeasuring, renderPlots, writeResults } from '../output/results-folder.js'
import { throttleByCost } from '../output/throttle-by-cost.js'
import { printNote } from '../output/terminal.js'
import { exitCodeOfRun } from './exit-code.js'
import { MeasuringCommand } from './measuring-command.js'

/** `tunnel-bench run`: every arm at every response size and concurrency. */
export const RUN_COMMAND: Subcommand = {
  usage: 'run',
  summary: 'Run the matrix: every arm at every response size and concurrency',
  flags: RUN_FLAGS,
  cures: RUN_CURES,
  execute: async (given, { arm = [] }) => {
    const { options, requested, ...results } = resolveRunOptions({ ...given, ...(arm.length === 0 ? {} : { arm }) })
    return await measureRun(withAvailableArms(options, requested, printNote), results)
  }
}

/** Between two measurements: connecting, writing the results. */
const PAUSE_MS = 50

/**
 * Runs the matrix, shows progress, and writes the results folder as it goes, so that little of what was measured is
 * lost however it ends. Returns the exit code: 0, or 1 when a cell failed. Rejects with ERR_TUNNEL_MEASUREMENT_INVALID
 * where the findings say so and `allowInvalid` does not, with ERR_TUNNEL_INTERRUPTED, and with whatever keeps the roles
 * from starting or the results from being written.
 */
async function measureRun (
  options: RunOptions,
  { out, allowInvalid }: { out: string; allowInvalid: boolean }
): Promise<number> {
  const { generator = 'own' } = options
  const command = new MeasuringCommand(options, {
    out,
    versions: generator === 'own' ? {} : { [generator]: externalVersion(generator) },
    headline: ({ server, engine }) =>
      `${options.arms.join(', ')} in ${options.mode}, ${server} origin, ${engine} engine, seed ${options.seed}; ` +
      `about ${formatDuration(expectedMs(options))}`
  })
  const { folder, progress, signal } = command
  const resultAt = (cells: readonly CellResult[], finishedAt: Date | null): RunResult => ({
    ...command.headOfResult(finishedAt),
    cells
  })

  // Near the end it takes 50 ms for the whole matrix and 150 ms with a ladder, of 1.3 s that a measurement takes.
  const writeNowAndThen = throttleByCost(
    keepMeasuring((cells: readonly CellResult[], changed: CellResult) => {
      writeResults(folder, resultAt(cells, null), [changed])
    })
  )
  const cells = await command.measure(async () => await runMatrix(options, command.roles, {
    onStart: (place) => {
      progress.status((columns) => formatStatus(place, 'measuring', columns))
    },
    onDone: (place, outcome, cell, cells) => {
      progress.line(formatMeasurement(place, outcome))
      writeNowAndThen(cells, cell)
    },
    onMeasured: async (cells, roles) => {
      if (options.countSystemCalls !== true || signal.aborted) return
      progress.line(
        `counting system calls: ${cells.length} measurements of ${formatDuration(COUNT_MS)} with strace ` +
        'attached, which do not go into the figures'
      )
      try {
        await countSystemCalls(roles, options, cells, signal)
      } catch (error) {
        if (!signal.aborted) printNote(`SYSCALLS_NOT_COUNTED: ${(error as Error).message}: ${COUNT_CURE}`)
      }
    }
  }), (cells) => cells.some((cell) => cell.rounds.length > 0 || cell.failures.length > 0))

  const result = resultAt(cells, new Date())
  return await command.finish({
    write: () => writeResults(folder, result),
    tables: (summary = summarizeRun(result)) => renderConsoleTables(summary),
    draw: async (summary) => { await renderPlots(folder, summary) },
    files: 'SUMMARY.md (tables, what they mean), result.json (everything), one oha-format JSON file per cell',
    exitCode: (summary) => exitCodeOfRun(summary, { folder, allowInvalid })
  })
}

function expectedMs (options: RunOptions): number {
  const cells = options.arms.length * options.sizes.length * options.concurrency.length
  return (
    cells *
    ((options.countSystemCalls === true ? COUNT_MS + PAUSE_MS : 0) +
      options.rounds * (options.durationMs + options.warmupMs + PAUSE_MS) +
      equalLoadRounds(options) * (options.durationMs + equalLoadWarmupMs(options) + PAUSE_MS))
  )
}
