import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { formatDuration } from '../src/base/units.js'
import { errorCount } from '../src/metrics/counts.js'
import { renderConsoleTables } from '../src/report/console-tables.js'
import { equalLoadRounds, equalLoadWarmupMs } from '../src/report/equal-load.js'
import { formatMeasurement, formatStatus } from '../src/report/progress.js'
import type { CellResult, RunMetadata, RunOptions, RunResult } from '../src/report/result.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { armsOf } from './arms.js'
import { runMatrix } from './matrix.js'
import { collectMetadata } from './metadata.js'
import { createResultsFolder, removeEmptyFolder, writeResults } from './results-folder.js'
import { Topology } from './topology.js'

/** Erases from the cursor to the end of the line (ECMA-48 EL). */
const CLEAR_LINE = '\x1b[K'

/** Between two measurements: connecting, writing the results. */
const PAUSE_MS = 50

/** After the second Ctrl-C nothing is waited for any longer than this. */
const STOP_TIMEOUT_MS = 1000

/**
 * `tunnel-bench run`: runs the matrix, shows progress, and writes the results folder after every measurement, so that nothing that was
 * measured is ever lost. Returns the exit code: 0, or 1 when a cell failed or a request went wrong. Rejects with
 * ERR_TUNNEL_INTERRUPTED, and with whatever keeps the roles from starting or the results from being written.
 */
export async function run (options: RunOptions, out: string): Promise<number> {
  const startedAt = new Date()
  let topology: Topology | null = null
  const createTopology = (): Topology => {
    topology = new Topology({ mode: options.mode, server: options.server, engine: options.engine ?? 'auto', transports: armsOf(options).map((arm) => arm.transport), segment: options.segment })
    return topology
  }
  const interrupt = interruptSignal(async () => { await topology?.closeNow() })
  const folder = createResultsFolder(out, startedAt)
  process.on('exit', () => { removeEmptyFolder(folder) })
  const progress = process.stdout.isTTY ? terminalProgress(process.stdout) : lineProgress
  let metadata: RunMetadata | null = null
  const write = (cells: readonly CellResult[], finishedAt: string | null, changed = cells): RunResult => {
    const result: RunResult = { schemaVersion: 1, startedAt: startedAt.toISOString(), finishedAt, metadata: metadata!, cells }
    writeResults(folder, result, changed)
    return result
  }

  let cells: CellResult[]
  try {
    cells = await runMatrix(options, createTopology, {
      onReady: ({ engine, engineNote, server, serverNote }) => {
        if (metadata !== null) return
        metadata = collectMetadata(options, engine, server)
        for (const note of [engineNote, serverNote]) {
          if (note !== null) console.error(`tunnel-bench: ${note}`)
        }
        console.log(`${options.arms.join(', ')} in ${options.mode}, ${server} origin, ${engine} engine, seed ${options.seed}; about ${formatDuration(expectedMs(options))}`)
      },
      onStart: (place) => { progress.status((columns) => formatStatus(place, 'measuring', columns)) },
      onDone: (place, outcome, cell, cells) => {
        progress.line(formatMeasurement(place, outcome))
        write(cells, null, [cell])
      }
    }, interrupt)
  } finally {
    progress.clear()
  }
  if (!cells.some((cell) => cell.rounds.length > 0 || cell.failures.length > 0)) {
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted before the first measurement was done: there are no results')
  }

  const result = write(cells, new Date().toISOString())
  console.log(`\n${renderConsoleTables(summarizeRun(result))}`)
  console.log(`Results: ${folder}/SUMMARY.md (tables, what they mean), result.json (everything), one oha-format JSON file per cell`)
  if (interrupt.aborted) throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the tables hold what was measured until then')
  const parts = cells.flatMap((cell) => cell.equalLoad === undefined ? [cell] : [cell, cell.equalLoad])
  return parts.some(({ failures, rounds }) => failures.length > 0 || rounds.some((round) => errorCount(round.counts) > 0)) ? 1 : 0
}

function expectedMs (options: RunOptions): number {
  const cells = options.arms.length * options.sizes.length * options.concurrency.length
  return cells * (options.rounds * (options.durationMs + options.warmupMs + PAUSE_MS) + equalLoadRounds(options) * (options.durationMs + equalLoadWarmupMs(options) + PAUSE_MS))
}

interface Progress {
  line (text: string): void
  /** What is going on; `text` is told how wide the terminal is. */
  status (text: (columns: number) => string): void
  clear (): void
}

const lineProgress: Progress = { line: (text) => { console.log(text) }, status: () => {}, clear: () => {} }

/** The status stands in the last line and is overwritten. */
function terminalProgress (terminal: NodeJS.WriteStream): Progress {
  const clear = (): void => { terminal.write(`\r${CLEAR_LINE}`) }
  return {
    line: (text) => {
      clear()
      console.log(text)
    },
    status: (text) => {
      clear()
      terminal.write(text(terminal.columns || 80)) // a terminal may say that it has 0 columns
    },
    clear
  }
}

/** Aborted by the first Ctrl-C or SIGTERM, which ends the run in good order; the second stops at once. */
function interruptSignal (stopNow: () => Promise<void>): AbortSignal {
  const controller = new AbortController()
  const handle = (): void => {
    if (controller.signal.aborted) {
      // Not without closing: an open uWebSockets.js app in a thread makes the process abort.
      setTimeout(() => process.exit(130), STOP_TIMEOUT_MS)
      void stopNow().finally(() => process.exit(130))
      return
    }
    console.error('\ntunnel-bench: interrupted: closing in good order; once more to stop at once')
    controller.abort()
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return controller.signal
}
