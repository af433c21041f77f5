import { mergeHistograms } from '../../analysis/statistics.js'
import type { HistogramSnapshot } from '../../metrics/histogram-snapshot.js'
import type { CellResult, RoundResult, RoundSecond, RunResult } from '../../result/run-result.js'
import { seriesOf, timesOf } from './series.js'

const NS_PER_MS = 1e6

/** A line of the log before it is printed. Times in milliseconds since the epoch. */
interface Interval {
  readonly tag: string
  readonly startMs: number
  readonly lengthMs: number
  readonly times: HistogramSnapshot
}

/**
 * All histograms of a run as one HdrHistogram log, version 1.3: one line per second and cell, with the cell as its tag;
 * values in nanoseconds, maxima in milliseconds, times in seconds since the start of the run. The lines of a tag, added
 * up, are exactly what was recorded. A round without seconds (of an earlier version) has one line for its whole window.
 *
 * A round's `startedAt` is taken before it connects, so lines start up to the connecting time (some milliseconds)
 * early.
 */
export function renderHlog (result: RunResult): string {
  const { program, options } = result.metadata
  const baseMs = Date.parse(result.startedAt)
  const intervals = result.cells.flatMap((cell) =>
    cell.rounds.flatMap((round) => intervalsOf(cell, round, options.warmupMs))
  )
  intervals.sort((a, b) => a.startMs - b.startMs)
  const lacksSeconds = result.cells.some(cell => cell.rounds.some(round => !hasSeconds(round)))
  return (
    [
      `#[${program.name} ${program.version}: latency in nanoseconds, Interval_Max in milliseconds; tags are ` +
      'size/cCONCURRENCY/arm]',
      ...(result.cells.some((cell) => seriesOf(cell)[0] === 'response')
        ? [
            "#[Open loop: a cell's tag holds response times (from the intended start); with /service and /lag the " +
            'service times and the schedule lag, one line per round]'
          ]
        : []),
      ...(lacksSeconds
        ? ['#[Rounds without seconds (of an earlier version) have one line for their whole window]']
        : []),
      '#[Histogram log format version 1.3]',
      `#[BaseTime: ${(baseMs / 1_000).toFixed(3)} (seconds since epoch)]`,
      `#[StartTime: ${(baseMs / 1_000).toFixed(3)} (seconds since epoch), ${result.startedAt}]`,
      '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
      ...intervals.map((interval) => lineOf(interval, baseMs))
    ].join('\n') + '\n'
  )
}

/** `small/c8/stream`. The slash is in no name; a comma would end the tag. */
export function tagOf ({ size, concurrency, arm }: Pick<CellResult, 'size' | 'concurrency' | 'arm'>): string {
  return `${size}/c${concurrency}/${arm}`.replaceAll(',', '%2C')
}

function hasSeconds (round: RoundResult): round is RoundResult & { readonly seconds: readonly RoundSecond[] } {
  return round.seconds !== undefined && round.seconds.length > 0
}

function intervalsOf (cell: CellResult, round: RoundResult, warmupMs: number): Interval[] {
  const tag = tagOf(cell)
  const windowStartMs = Date.parse(round.startedAt) + warmupMs
  const [leading = 'service', ...others] = seriesOf(cell)
  const wholeWindow = (tag: string, times: HistogramSnapshot | null): Interval[] =>
    times === null ? [] : [{ tag, startMs: windowStartMs, lengthMs: round.windowMs, times }]
  return [
    ...(hasSeconds(round)
      ? round.seconds.map(({ startMs, lengthMs, latency }) => ({
        tag,
        startMs: windowStartMs + startMs,
        lengthMs,
        times: latency
      }))
      : wholeWindow(tag, timesOf(round, leading))),
    ...others.flatMap((series) => wholeWindow(`${tag}/${series}`, timesOf(round, series)))
  ]
}

function lineOf ({ tag, startMs, lengthMs, times }: Interval, baseMs: number): string {
  return [
    `Tag=${tag}`,
    ((startMs - baseMs) / 1_000).toFixed(3),
    (lengthMs / 1_000).toFixed(3),
    (times.maxNs / NS_PER_MS).toFixed(3),
    // Encoded anew: what earlier versions wrote, others read one step too high.
    mergeHistograms([times]).encode()
  ].join(',')
}
