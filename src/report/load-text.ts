import { formatBytes, formatCount, formatDuration, formatMs, formatRps } from '../base/units.js'
import { errorCount } from '../metrics/counts.js'
import type { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import type { OhaSource } from './export/oha.js'
import type { RoundResult } from '../result/run-result.js'
import {
  isOpenLoop, percentileOrNull, PERCENTILES, responseTimesOf, SAMPLES_NEEDED
} from '../analysis/statistics.js'
import { oneLine } from '../base/text.js'
import { describeErrors, formatShare } from '../analysis/phrases.js'

/** What one load found. */
export type LoadFigures = Required<Omit<
  RoundResult, 'reportedNs' | 'round' | 'position' | 'startedAt' | 'cpu' | 'tunnel' | 'throttled'
>> & {
  readonly statuses: Readonly<Record<string, number>>
  readonly retried: number
}

const BINS = 11
const BAR_MAX = 40
/** From here on the generator is likely to be what limits, or what makes waiting. */
const BUSY_LIMIT = 0.9

/** What `toOha()` takes. Throughput is spread over whole seconds of the window. */
export function ohaSourceOf (figures: LoadFigures): OhaSource {
  const whole = figures.seconds.filter(({ lengthMs }) => lengthMs === 1_000)
  return {
    rounds: [figures],
    statuses: figures.statuses,
    retried: figures.retried,
    ...(whole.length === 0 ? {} : { ratesPerSec: whole.map(({ ok }) => ok) })
  }
}

/**
 * What went wrong in a load, in words; null: nothing, and something was answered. This is what makes its exit code 1.
 */
export function loadFailure ({ counts }: Pick<LoadFigures, 'counts'>): string | null {
  if (errorCount(counts) > 0) {
    return `${formatCount(errorCount(counts))} of ${formatCount(counts.sent)} requests failed: ` +
      `${describeErrors(counts)}`
  }
  return counts.ok === 0 ? 'no request was answered' : null
}

/** The summary for people, ending with a line break. */
export function renderLoadText (figures: LoadFigures): string {
  return [
    summaryOf(figures),
    latencyOf(figures),
    histogramOf(figures),
    statusesOf(figures),
    problemsOf(figures),
    notesOf(figures)
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

function summaryOf ({ counts, retried, windowMs, bodyBytes, offered, unsent, busy }: LoadFigures): string[] {
  const seconds = windowMs / 1_000
  const finished = counts.sent - counts.unfinished
  const perSec = (amount: number): number => seconds === 0 ? 0 : amount / seconds
  return table('Summary', [
    [
      'Success',
      finished === 0
        ? 'nothing was answered'
        : `${formatShare(counts.ok, finished)}, ${formatCount(counts.ok)} of ${formatCount(finished)} requests`
    ],
    ...(counts.unfinished === 0 ? [] : [['Unfinished', `${formatCount(counts.unfinished)} on their way at the end`]]),
    ...(retried === 0
      ? []
      : [['Retried', `${formatCount(retried)} sent once more, since the server had ended their idle connection`]]),
    ['Time', formatDuration(windowMs)],
    ['Rate', `${formatRps(perSec(counts.ok))} good responses per second`],
    ...(offered === null
      ? []
      : [
          [
            'Plan',
            `${formatCount(offered)} requests, ${formatRps(perSec(offered))} per second; ${formatCount(unsent)} ` +
            'never sent'
          ]
        ]),
    ...(bodyBytes === null
      ? []
      : [['Data', `${formatBytes(bodyBytes)}, ${formatBytes(perSec(bodyBytes))} per second`]]),
    ...(busy === null ? [] : [['Generator', `busy for ${formatBusy(busy)} of the time`]])
  ])
}

function latencyOf ({ latency, response, lag, connect }: LoadFigures): string[] {
  const columns: Array<[string, HistogramSnapshot]> = response === null || lag === null
    ? [['service', latency], ['connect', connect]]
    : [['response', response], ['service', latency], ['lag', lag], ['connect', connect]]
  const histograms = columns.map(([, histogram]) => histogram)
  const row = (name: string, valueOf: (histogram: HistogramSnapshot) => number | null): string =>
    `  ${name.padEnd(10)}${histograms.map((histogram) => {
      const value = histogram.count === 0 ? null : valueOf(histogram)
      return (value === null ? '-' : formatMs(value)).padStart(11)
    }).join('')}`
  const withheld = PERCENTILES.filter((percentile) =>
    histograms.some(({ count }) => count > 0 && count < (SAMPLES_NEEDED.get(percentile) ?? 1))
  )
  return [
    `Latency in ms${columns
      .map(([name]) => name.padStart(11))
      .join('')
      .slice(1)}`,
    row('fastest', (histogram) => histogram.minNs),
    row('average', (histogram) => histogram.meanNs),
    ...PERCENTILES.map((percentile) => row(`p${percentile}`, (histogram) => percentileOrNull(histogram, percentile))),
    row('slowest', (histogram) => histogram.maxNs),
    ...(response === null
      ? []
      : ['  response: from when it was to be sent; service: from when it was sent; lag: what lay between']),
    ...(withheld.length === 0
      ? []
      : [
          `  -: too few samples (${withheld.map(neededText).join(', ')})`
        ])
  ]
}

/** Bins of equal width up to the p99 (or the slowest), and one for all that is beyond. */
function histogramOf (figures: LoadFigures): string[] {
  const histogram = responseTimesOf(figures)
  if (histogram.count < 2) return []
  const recorded = [...histogram.recorded()]
  const minNs = recorded[0]!.valueNs
  const topNs = percentileOrNull(histogram, 99) ?? recorded.at(-1)!.valueNs
  const widthNs = Math.max(1, (topNs - minNs) / (BINS - 1))
  const bins = new Array<number>(topNs === minNs ? 1 : BINS).fill(0)
  for (const { valueNs, count } of recorded) {
    bins[Math.min(bins.length - 1, Math.max(0, Math.ceil((valueNs - minNs) / widthNs) - 1))]! += count
  }
  const most = Math.max(...bins)
  return [
    `Histogram of ${isOpenLoop(figures) ? 'response' : 'service'} times in ms`,
    ...bins.flatMap((count, at) => {
      if (at === BINS - 1 && count === 0) return []
      const edge = at === BINS - 1 ? `>${formatMs(topNs)}` : formatMs(minNs + widthNs * (at + 1))
      return [
        `  ${edge.padStart(9)}  ${formatCount(count).padStart(11)}  ` +
          `${'■'.repeat(Math.round((count / most) * BAR_MAX))}`.trimEnd()
      ]
    })
  ]
}

function statusesOf ({ statuses }: LoadFigures): string[] {
  return table('Responses by status', Object.entries(statuses).map(([status, count]) => [status, formatCount(count)]))
}

function problemsOf ({ counts, problems }: LoadFigures): string[] {
  return table('Errors', [
    ...(errorCount(counts) === 0 ? [] : [['', describeErrors(counts)]]),
    ...problems.map((problem) => ['', oneLine(problem)])
  ])
}

function notesOf ({ busy, unsent }: LoadFigures): string[] {
  return table('Note', [
    ...(busy !== null && busy >= BUSY_LIMIT
      ? [['', `the generator was busy for ${formatBusy(busy)} of the time: it may be what limits; try --threads`]]
      : []),
    ...(unsent > 0
      ? [
          [
            '',
            `${formatCount(unsent)} planned requests were never sent, since no connection was free: latency leaves ` +
            'them out; try --max-connections, or a lower --rate'
          ]
        ]
      : [])
  ])
}

function formatBusy (busy: number): string {
  return `${Math.round(busy * 100)} %`
}

function table (title: string, rows: readonly string[][]): string[] {
  return rows.length === 0
    ? []
    : [title, ...rows.map(([name = '', value = '']) => `  ${name === '' ? '' : name.padEnd(12)}${value}`)]
}

/**
 * One line that tells how a load is getting on, cut to less than `columns`. `secondOk`, `secondErrors`: in the last
 * second.
 */
export function formatLoadStatus (
  second: number,
  secondOk: number,
  secondErrors: number,
  latency: HistogramSnapshot,
  columns: number
): string {
  const percentile = (which: number): string => {
    const value = percentileOrNull(latency, which)
    return `p${which} ${value === null ? '-' : `${formatMs(value)} ms`}`
  }
  const line = `${formatDuration(second * 1_000)}  ${formatRps(secondOk)} RPS  ${percentile(50)}  ${percentile(99)}  ` +
    `${formatCount(secondErrors)} errors`
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`
}

function neededText (percentile: number): string {
  return `p${percentile} needs ${formatCount(SAMPLES_NEEDED.get(percentile) ?? 1)}`
}
