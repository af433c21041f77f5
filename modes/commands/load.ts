import { buffer } from 'node:stream/consumers'
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
import type { Subcommand } from '../options/cli.js'
import { LOAD_FLAGS } from '../options/load-flags.js'
import { type LoadOptions, resolveLoadOptions, STANDARD_STREAM } from '../options/load-options.js'
import { MEASURE_CURES } from '../options/measure-options.js'
import { interruptSignal, printNote, type Progress, terminalProgress } from '../output/terminal.js'
import { checkReplaceable, replaceFile } from '../system/replace-file.js'

/** `tunnel-bench load`: the generator on its own. */
export const LOAD_COMMAND: Subcommand = {
  usage: 'load <url>',
  summary: 'Load any HTTP/1.1 server: the generator on its own',
  positionals: { url: 'What to request, for example http://127.0.0.1:8080/path' },
  flags: LOAD_FLAGS,
  cures: { engine: MEASURE_CURES.engine },
  execute: async (given, lists) => {
    const input = given['body-file'] === STANDARD_STREAM ? await buffer(process.stdin) : undefined
    return await measureLoad(resolveLoadOptions(String(given.url), given, lists, input))
  }
}

/**
 * Prints or writes the result, and returns the exit code: 0, or 1 when a request failed or none was answered. Rejects
 * with ERR_TUNNEL_INTERRUPTED after Ctrl-C, when what was measured until then has been printed.
 */
async function measureLoad (options: LoadOptions): Promise<number> {
  const { job, engine: choice, format, output: file, showsProgress } = options
  // It cannot be opened by this name where it is a socket.
  const output = file === '/dev/stdout' ? null : file
  const engine = createEngine(choice, { spin: 0, onFallback: printNote })
  // Both are found out now, and not when there is a result to lose.
  await findTarget(job.target)
  if (output !== null) check(output)
  const signal = interruptSignal()
  const progress = showsProgress && process.stderr.isTTY ? terminalProgress(process.stderr) : null
  const result = await runLoad(engine, job, {
    workerUrl: new URL('../../workers/load-slice.js', import.meta.url),
    signal,
    onProgress: progress === null ? undefined : statusLine(progress)
  })
  progress?.clear()
  const figures = decodeRound<LoadFigures>(result)
  const text = format === 'json' ? `${JSON.stringify(toOha(ohaSourceOf(figures)), null, 2)}\n` : renderLoadText(figures)
  if (output === null) process.stdout.write(text)
  else write(output, text)
  if (signal.aborted) {
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the result holds what was measured until then')
  }
  const failure = loadFailure(figures)
  if (failure !== null) printNote(failure)
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

function statusLine (progress: Progress): (progress: LoadProgress) => void {
  let before = emptyCounts()
  return ({ second, counts, latency }) => {
    const okCount = counts.ok - before.ok
    const errors = errorCount(counts) - errorCount(before)
    progress.status((columns) => formatLoadStatus(second, okCount, errors, new HistogramSnapshot(latency), columns))
    before = counts
  }
}
