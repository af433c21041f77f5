import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { formatDuration } from '../../src/base/units.js'
import { externalVersion } from '../../src/load/external/program.js'
import { renderConsoleTables } from '../../src/report/console-tables.js'
import { equalLoadRounds, equalLoadWarmupMs } from '../../src/analysis/equal-load.js'
import { formatMeasurement, formatStatus } from '../../src/report/progress.js'
import type { CellResult, RunMetadata, RunOptions, RunResult } from '../../src/result/run-result.js'
import { summarizeRun } from '../../src/judge/run-summary.js'
import { COUNT_CURE } from '../../src/analysis/system-calls.js'
import { armsOf } from '../plan/arms.js'
import { COUNT_MS, countSystemCalls } from '../measure/count-system-calls.js'
import { runMatrix } from '../measure/run-matrix.js'
import { collectMetadata } from '../measure/metadata.js'
import { exitCodeOfRun } from './exit-code.js'
import {
  createResultsFolder,
  goingOn,
  orShow,
  removeEmptyFolder,
  renderPlots,
  writeResults
} from '../output/results-folder.js'
import { seldom } from '../output/throttle-by-cost.js'
import { createProgress, interruptSignal, printNote } from '../output/terminal.js'
import { Topology } from '../roles/topology.js'

/** Between two measurements: connecting, writing the results. */
const PAUSE_MS = 50

/**
 * `tunnel-bench run`: runs the matrix, shows progress, and writes the results folder as it goes, so that little of what
 * was measured is lost however it ends. Returns the exit code: 0, or 1 when a cell failed. Rejects with
 * ERR_TUNNEL_MEASUREMENT_INVALID where the findings say so and `allowInvalid` does not, with ERR_TUNNEL_INTERRUPTED,
 * and with whatever keeps the roles from starting or the results from being written.
 */
export async function run (
  options: RunOptions,
  { out, allowInvalid }: { out: string; allowInvalid: boolean }
): Promise<number> {
  const startedAt = new Date()
  const { generator = 'own' } = options
  const generatorVersion = generator === 'own' ? null : externalVersion(generator)
  let topology: Topology | null = null
  const createTopology = (): Topology => {
    topology = new Topology({
      mode: options.mode,
      server: options.server,
      engine: options.engine ?? 'auto',
      generator,
      spin: options.spinUs ?? 'auto',
      arms: armsOf(options),
      externalArms: options.externalArms ?? [],
      originPort: options.originPort ?? 0,
      segment: options.segment,
      onNote: printNote
    })
    return topology
  }
  const interrupt = interruptSignal(async () => {
    await topology?.closeNow()
  })
  const folder = createResultsFolder(out, startedAt)
  process.on('exit', () => {
    removeEmptyFolder(folder)
  })
  const progress = createProgress()
  let metadata: RunMetadata | null = null
  const resultAt = (cells: readonly CellResult[], finishedAt: string | null): RunResult => ({
    schemaVersion: 1,
    startedAt: startedAt.toISOString(),
    finishedAt,
    metadata: metadata!,
    cells
  })

  // Summing up a large run takes a second or two.
  const writeSeldom = seldom(
    goingOn((cells: readonly CellResult[], changed: CellResult) => {
      writeResults(folder, resultAt(cells, null), [changed])
    })
  )
  let cells: CellResult[]
  try {
    cells = await runMatrix(
      options,
      createTopology,
      {
        onReady: ({ engine, engineNote, server, serverNote }) => {
          if (metadata !== null) return
          metadata = collectMetadata(options, engine, server)
          if (generatorVersion !== null) {
            metadata = { ...metadata, versions: { ...metadata.versions, [generator]: generatorVersion } }
          }
          for (const note of [engineNote, serverNote]) {
            if (note !== null) printNote(note)
          }
          console.log(
            `${options.arms.join(', ')} in ${options.mode}, ${server} origin, ${engine} engine, seed ` +
            `${options.seed}; about ${formatDuration(expectedMs(options))}`
          )
        },
        onStart: (place) => {
          progress.status((columns) => formatStatus(place, 'measuring', columns))
        },
        onDone: (place, outcome, cell, cells) => {
          progress.line(formatMeasurement(place, outcome))
          writeSeldom(cells, cell)
        },
        onMeasured: async (cells) => {
          if (options.countSystemCalls !== true || interrupt.aborted) return
          progress.line(
            `counting system calls: ${cells.length} measurements of ${formatDuration(COUNT_MS)} with strace ` +
            'attached, which do not go into the figures'
          )
          try {
            await countSystemCalls(topology!, options, cells, interrupt)
          } catch (error) {
            if (!interrupt.aborted) {
              console.error(`tunnel-bench: SYSCALLS_NOT_COUNTED: ${(error as Error).message}: ${COUNT_CURE}`)
            }
          }
        }
      },
      interrupt
    )
  } finally {
    progress.clear()
  }
  if (!cells.some((cell) => cell.rounds.length > 0 || cell.failures.length > 0)) {
    throw new TunnelError(
      ErrorCode.INTERRUPTED,
      'Interrupted before the first measurement was done: there are no results'
    )
  }

  const result = resultAt(cells, new Date().toISOString())
  const summary = orShow(
    () => writeResults(folder, result),
    () => renderConsoleTables(summarizeRun(result))
  )
  await renderPlots(folder, summary)
  console.log(`\n${renderConsoleTables(summary)}`)
  console.log(
    `Results: ${folder}/SUMMARY.md (tables, what they mean), result.json (everything), one oha-format JSON file per ` +
    'cell'
  )
  if (interrupt.aborted) {
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the tables hold what was measured until then')
  }
  return exitCodeOfRun(summary, { folder, allowInvalid })
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
