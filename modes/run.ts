import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { formatDuration } from '../src/base/units.js'
import { errorCount } from '../src/metrics/counts.js'
import { renderConsoleTables } from '../src/report/console-tables.js'
import { formatMeasurement, formatStatus } from '../src/report/progress.js'
import type { CellResult, RunMetadata, RunOptions, RunResult } from '../src/report/result.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { runMatrix } from './matrix.js'
import { collectMetadata } from './metadata.js'
import { createResultsFolder, writeResults } from './results-folder.js'
import { Topology } from './topology.js'

/** Erases from the cursor to the end of the line (ECMA-48 EL). */
const CLEAR_LINE = '\x1b[K'

/**
 * `tunnel-bench run`: runs the matrix, shows progress, and writes the results folder after every measurement, so that nothing that was
 * measured is ever lost. Returns the exit code: 0, 1 when a cell failed or a request went wrong, 130 when interrupted.
 */
export async function run (options: RunOptions, out: string): Promise<number> {
  const startedAt = new Date()
  const folder = createResultsFolder(out, startedAt)
  const interrupt = interruptSignal()
  const live = process.stdout.isTTY
  const transports = options.arms.map((arm) => arm.replace(/(-stalled)?(#\d+)?$/, ''))
  let metadata: RunMetadata | null = null
  const write = (cells: readonly CellResult[], finishedAt: string | null): RunResult => {
    const result: RunResult = { schemaVersion: 1, startedAt: startedAt.toISOString(), finishedAt, metadata: metadata!, cells }
    writeResults(folder, result)
    return result
  }

  const startTopology = async (): Promise<Topology> => {
    const topology = await Topology.start({ mode: options.mode, server: options.server, transports })
    if (metadata === null) {
      metadata = collectMetadata(options, topology.engine, topology.server)
      if (topology.serverNote !== null) console.error(`tunnel-bench: ${topology.serverNote}`)
      console.log(`${options.arms.join(', ')} in ${options.mode}, ${topology.server} origin, ${topology.engine} engine, seed ${options.seed}; about ${formatDuration(expectedMs(options))}`)
    }
    return topology
  }
  const cells = await runMatrix(options, startTopology, {
    onStart: (place) => { if (live) process.stdout.write(`\r${CLEAR_LINE}${formatStatus(place, 'measuring', process.stdout.columns)}`) },
    onDone: (place, outcome, cells) => {
      console.log(`${live ? `\r${CLEAR_LINE}` : ''}${formatMeasurement(place, outcome)}`)
      write(cells, null)
    }
  }, interrupt)
  if (live) process.stdout.write(`\r${CLEAR_LINE}`)
  if (metadata === null) throw new TunnelError(ErrorCode.INTERRUPTED, `Interrupted before the first measurement: nothing was written but the empty folder ${folder}`)

  const result = write(cells, new Date().toISOString())
  console.log(`\n${renderConsoleTables(summarizeRun(result))}`)
  console.log(`Results: ${folder}/SUMMARY.md (tables, what they mean), result.json (everything), one oha-format JSON file per cell`)
  if (interrupt.aborted) {
    console.error(`tunnel-bench: interrupted: the tables hold what was measured until then (${ErrorCode.INTERRUPTED})`)
    return 130
  }
  return cells.some((cell) => cell.failures.length > 0 || cell.rounds.some((round) => errorCount(round.counts) > 0)) ? 1 : 0
}

function expectedMs (options: RunOptions): number {
  const measurements = options.arms.length * options.sizes.length * options.concurrency.length * options.rounds
  return measurements * (options.durationMs + options.warmupMs + 50)
}

/** Aborted by the first Ctrl-C or SIGTERM, which ends the run in good order; the second stops at once. */
function interruptSignal (): AbortSignal {
  const controller = new AbortController()
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(130)
    console.error('\ntunnel-bench: interrupted: closing in good order; once more to stop at once')
    controller.abort()
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return controller.signal
}
