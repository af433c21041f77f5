import { formatCount, formatDuration, formatMs, formatRps } from '../../src/base/units.js'
import { percentileOrNull, ratePerSecOf, responseTimesOf } from '../../src/analysis/statistics.js'
import type { SweepOptions, SweepResult } from '../../src/result/sweep-result.js'
import { kneeText, probeText, renderSweepConsole } from '../../src/report/sweep/sweep-summary.js'
import { oneLine } from '../../src/base/text.js'
import { SweepRunner, type SweepStep } from '../measure/sweep-runner.js'
import { withAvailableArms } from '../options/available-arms.js'
import type { Subcommand } from '../options/cli.js'
import { MEASURE_CURES } from '../options/measure-options.js'
import { resolveSweepOptions, SWEEP_FLAGS } from '../options/sweep-options.js'
import { keepMeasuring, renderSweepFolder, writeSweep } from '../output/results-folder.js'
import { throttleByCost } from '../output/throttle-by-cost.js'
import { printNote } from '../output/terminal.js'
import { exitCodeOfSweep } from './exit-code.js'
import { MeasuringCommand } from './measuring-command.js'

/** `tunnel-bench sweep`: searches the knees, and measures the curve. */
export const SWEEP_COMMAND: Subcommand = {
  usage: 'sweep',
  summary: 'Latency against load of every arm, and the highest rate that each can bear',
  flags: SWEEP_FLAGS,
  cures: MEASURE_CURES,
  execute: async (given) => {
    const { options, requested, ...results } = resolveSweepOptions(given)
    return await measureSweep(withAvailableArms(options, requested, printNote), results)
  }
}

/** Shows progress, writes the results folder as it goes, and ends as `run` does. */
async function measureSweep (
  options: SweepOptions,
  { out, allowInvalid }: { out: string; allowInvalid: boolean }
): Promise<number> {
  const command = new MeasuringCommand(options, {
    out,
    headline: ({ server, engine }) =>
      `${options.arms.join(', ')} in ${options.mode}, ${server} origin, ${engine} engine, ${options.size} ` +
      `responses, ${options.connections} connections, p99 bound ${formatDuration(options.p99BoundMs)}, seed ` +
      `${options.seed}`
  })
  const { folder, progress } = command
  const resultAt = (finishedAt: Date | null): SweepResult => ({
    ...command.headOfResult(finishedAt),
    ratesPerSec: runner.ratesPerSec,
    arms: runner.arms
  })
  const write = throttleByCost(
    keepMeasuring(() => {
      writeSweep(folder, resultAt(null))
    })
  )
  let steps = 0
  const runner = new SweepRunner(options, command.roles, {
    onStart: (arm, ratePerSec) => {
      progress.status((columns) =>
        `${arm}${ratePerSec === null ? '' : ` at ${formatRps(ratePerSec)}/s`}  measuring`.slice(0, columns - 1)
      )
    },
    onStep: (step) => {
      steps++
      progress.line(stepText(step))
      write()
    }
  })
  await command.measure(async () => { await runner.run() }, () => steps > 0)

  const result = resultAt(command.signal.aborted ? null : new Date())
  return await command.finish({
    write: () => writeSweep(folder, result),
    tables: (findings) => renderSweepConsole(result, findings),
    draw: async (findings) => { await renderSweepFolder(folder, result, findings) },
    files: 'SUMMARY.md (tables), sweep.svg and sweep.png (the curve), sweep.json (everything)',
    exitCode: (findings) => exitCodeOfSweep(result, findings, { folder, allowInvalid })
  })
}

function stepText (step: SweepStep): string {
  if (step.kind === 'knee') return `knee of ${step.arm}: ${kneeText(step.knee)} RPS`
  const place = step.kind === 'closed' ? `${step.arm}, closed loop` : `${step.arm} at ${formatRps(step.ratePerSec)}/s`
  if (!step.found.ok) return `${place}  failed: ${oneLine(step.found.reason)}`
  if (step.kind === 'closed') return `${place}  ${formatRps(ratePerSecOf(step.found.value))} RPS`
  if (step.kind === 'probe') return `${place}  ${probeText(step.found.value)}`
  const times = responseTimesOf(step.found.value)
  const figures = ([50, 99] as const).flatMap((percentile) => {
    const valueNs = percentileOrNull(times, percentile)
    return valueNs === null ? [] : [`p${percentile} ${formatMs(valueNs)} ms`]
  })
  return [
    `${place}, round ${step.round + 1}`,
    `${formatRps(ratePerSecOf(step.found.value))} RPS`,
    ...figures,
    `${formatCount(step.left)} left`
  ].join('  ')
}
