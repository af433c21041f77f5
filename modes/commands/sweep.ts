import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { formatCount, formatDuration, formatMs, formatRps } from '../../src/base/units.js'
import { Histogram } from '../../src/metrics/histogram.js'
import { responseOf } from '../../src/analysis/equal-load.js'
import type { RunMetadata } from '../../src/result/run-result.js'
import { percentileOrNull, rateOf } from '../../src/analysis/statistics.js'
import type { SweepOptions, SweepResult } from '../../src/result/sweep-result.js'
import { kneeText, probeText, renderSweepConsole } from '../../src/report/sweep/sweep-summary.js'
import { oneLine } from '../../src/base/text.js'
import { armsOf } from '../plan/arms.js'
import { collectMetadata } from '../measure/metadata.js'
import {
  createResultsFolder, goingOn, orShow, removeEmptyFolder, renderSweepFolder, writeSweep
} from '../output/results-folder.js'
import { exitCodeOfSweep } from './exit-code.js'
import { seldom } from '../output/throttle-by-cost.js'
import { SweepRunner, type SweepStep } from '../measure/sweep-runner.js'
import { createProgress, interruptSignal, printNote } from '../output/terminal.js'
import { Topology } from '../roles/topology.js'

/**
 * `tunnel-bench sweep`: searches the knees, measures the curve, shows progress, and writes the results folder as it
 * goes. Returns the exit code: 0, or 1 when a measurement failed. Rejects with ERR_TUNNEL_MEASUREMENT_INVALID where the
 * findings say so and `allowInvalid` does not, with ERR_TUNNEL_INTERRUPTED, and with whatever keeps the roles from
 * starting or the results from being written.
 */
export async function sweep (
  options: SweepOptions,
  { out, allowInvalid }: { out: string; allowInvalid: boolean }
): Promise<number> {
  const startedAt = new Date()
  let topology: Topology | null = null
  const createTopology = (): Topology => {
    topology = new Topology({
      mode: options.mode,
      server: options.server,
      engine: options.engine,
      spin: options.spinUs ?? 'auto',
      arms: armsOf(options),
      externalArms: [],
      originPort: 0,
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
  let metadata: RunMetadata<SweepOptions> | null = null
  const resultAt = (finishedAt: string | null): SweepResult => ({
    schemaVersion: 1,
    startedAt: startedAt.toISOString(),
    finishedAt,
    metadata: metadata!,
    ratesPerSec: runner.ratesPerSec,
    arms: runner.arms
  })
  const write = seldom(
    goingOn(() => {
      writeSweep(folder, resultAt(null))
    })
  )
  let steps = 0
  const runner = new SweepRunner(
    options,
    createTopology,
    {
      onReady: ({ engine, engineNote, server, serverNote }) => {
        if (metadata !== null) return
        metadata = collectMetadata(options, engine, server)
        for (const note of [engineNote, serverNote]) {
          if (note !== null) printNote(note)
        }
        console.log(
          `${options.arms.join(', ')} in ${options.mode}, ${server} origin, ${engine} engine, ${options.size} ` +
          `responses, ${options.connections} connections, p99 bound ${formatDuration(options.p99BoundMs)}, seed ` +
          `${options.seed}`
        )
      },
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
    },
    interrupt
  )
  try {
    await runner.run()
  } finally {
    progress.clear()
  }
  if (steps === 0) {
    throw new TunnelError(
      ErrorCode.INTERRUPTED,
      'Interrupted before the first measurement was done: there are no results'
    )
  }

  const result = resultAt(interrupt.aborted ? null : new Date().toISOString())
  const findings = orShow(
    () => writeSweep(folder, result),
    () => renderSweepConsole(result)
  )
  await renderSweepFolder(folder, result, findings)
  console.log(`\n${renderSweepConsole(result, findings)}`)
  console.log(`Results: ${folder}/SUMMARY.md (tables), sweep.svg and sweep.png (the curve), sweep.json (everything)`)
  if (interrupt.aborted) {
    throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the tables hold what was measured until then')
  }
  return exitCodeOfSweep(result, findings, { folder, allowInvalid })
}

function stepText (step: SweepStep): string {
  if (step.kind === 'knee') return `knee of ${step.arm}: ${kneeText(step.knee)} RPS`
  const place = step.kind === 'closed' ? `${step.arm}, closed loop` : `${step.arm} at ${formatRps(step.ratePerSec)}/s`
  if (!step.found.ok) return `${place}  failed: ${oneLine(step.found.reason)}`
  if (step.kind === 'closed') return `${place}  ${formatRps(rateOf(step.found.value).ratePerSec)} RPS`
  if (step.kind === 'probe') return `${place}  ${probeText(step.found.value)}`
  const histogram = Histogram.decode(responseOf(step.found.value))
  const figures = ([50, 99] as const).flatMap((percentile) => {
    const valueNs = percentileOrNull(histogram, percentile)
    return valueNs === null ? [] : [`p${percentile} ${formatMs(valueNs)} ms`]
  })
  return [
    `${place}, round ${step.round + 1}`,
    `${formatRps(rateOf(step.found.value).ratePerSec)} RPS`,
    ...figures,
    `${formatCount(step.left)} left`
  ].join('  ')
}
