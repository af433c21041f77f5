import type { Address } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { createEngine } from '../../src/engine/create-engine.js'
import { findAddresses } from '../../src/engine/host-name.js'
import type { LoadProgress } from '../../src/load/record/progress.js'
import { runLoad } from '../../src/load/run-load.js'
import { emptyCounts, errorCount } from '../../src/metrics/counts.js'
import { HistogramSnapshot } from '../../src/metrics/histogram-snapshot.js'
import { decodeRound } from '../../src/result/encoded.js'
import {
  formatLoadStatus,
  loadFailure,
  type LoadFigures,
  ohaSourceOf,
  renderLoadText
} from '../../src/report/load-text.js'
import { toOha } from '../../src/report/export/oha.js'
import type { LoadOptions } from '../options/load-options.js'
import { checkReplaceable, replaceFile } from '../system/replace-file.js'
import { onStopSignal } from '../system/signals.js'

/** Erases from the cursor to the end of the line (ECMA-48 EL). */
const CLEAR_LINE = '\x1b[K'

/**
 * `tunnel-bench load`: the generator on its own. Prints or writes the result, and returns the exit code: 0, or 1 when a
 * request failed or none was answered. Rejects with ERR_TUNNEL_INTERRUPTED after Ctrl-C, when what was measured until
 * then has been printed.
 */
export async function load (options: LoadOptions): Promise<number> {
  const { job, engine: choice, format, output: file, showsProgress } = options
  // It cannot be opened by this name where it is a socket.
  const output = file === '/dev/stdout' ? null : file
  const engine = createEngine(choice, { spin: 0, onFallback: (why) => { console.error(`tunnel-bench: ${why}`) } })
  // Both are found out now, and not when there is a result to lose.
  await findTarget(job.target)
  if (output !== null) check(output)
  const interruption = interruptSignal()
  const terminal = showsProgress && process.stderr.isTTY ? process.stderr : null
  const result = await runLoad(engine, job, {
    workerUrl: new URL('../../workers/load-slice.js', import.meta.url),
    signal: interruption,
    onProgress: terminal === null ? undefined : statusLine(terminal)
  })
  terminal?.write(`\r${CLEAR_LINE}`)
  const figures = decodeRound<LoadFigures>(result)
  const text = format === 'json' ? `${JSON.stringify(toOha(ohaSourceOf(figures)), null, 2)}\n` : renderLoadText(figures)
  if (output === null) process.stdout.write(text)
  else write(output, text)
  if (interruption.aborted) {
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the result holds what was measured until then')
  }
  const failure = loadFailure(figures)
  if (failure !== null) console.error(`tunnel-bench: ${failure}`)
  return failure === null ? 0 : 1
}

function check (file: string): void {
  try {
    checkReplaceable(file)
  } catch (cause) {
    const { message } = cause as Error
    throw new TunnelError(
      ErrorCode.USAGE,
      `Cannot write --output=${file}: ${message}: name a file that can be written`,
      { cause }
    )
  }
}

/** Nothing is lost where the file cannot be written after all. */
function write (file: string, text: string): void {
  try {
    replaceFile(file, text)
  } catch (cause) {
    process.stdout.write(text)
    throw new TunnelError(ErrorCode.RESULT_INVALID,
      `Cannot write --output=${file}: ${(cause as Error).message}: the result is on standard output instead`, { cause })
  }
}

async function findTarget (target: Address): Promise<void> {
  if (target.kind === 'unix') return
  await findAddresses(target.host).catch((cause: unknown) => {
    throw new TunnelError(
      ErrorCode.SOCKET_FAILED,
      `Cannot find ${target.host}: ${(cause as Error).message}: check the name in the URL`,
      { cause }
    )
  })
}

function statusLine (terminal: NodeJS.WriteStream): (progress: LoadProgress) => void {
  let before = emptyCounts()
  return ({ second, counts, latency }) => {
    const line = formatLoadStatus(
      second,
      counts.ok - before.ok,
      errorCount(counts) - errorCount(before),
      new HistogramSnapshot(latency),
      terminal.columns || 80
    ) // a terminal may say that it has 0 columns
    before = counts
    terminal.write(`\r${CLEAR_LINE}${line}`)
  }
}

/** Aborted by the first Ctrl-C, SIGTERM or SIGHUP; the second one ends the program at once. */
function interruptSignal (): AbortSignal {
  const controller = new AbortController()
  onStopSignal(() => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  })
  return controller.signal
}
