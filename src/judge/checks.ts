import { formatCount, formatMs } from '../base/units.js'
import type { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import { driftOf } from '../analysis/drift.js'
import type { RoundResult, Severity } from '../result/run-result.js'
import type { CellSummary } from '../analysis/run-figures.js'
import {
  ACHIEVED_MIN, isOpenLoop, mergeHistograms, percentileOrNull, responseTimesOf, spreadOf
} from '../analysis/statistics.js'
import { oneLine } from '../base/text.js'
import { describeErrors, formatShare } from '../analysis/phrases.js'

/**
 * What makes the figures of a cell say something else than they seem to. A check looks at one cell with all its rounds
 * and finds nothing, or one thing, at its worst round. Checks are data: BENCHMARKING.md lists them with their
 * thresholds and reasons.
 */
export interface Check {
  readonly code: string
  /** What the figure must not pass, in `unit`. */
  readonly threshold: number
  readonly unit: string
  /** Why it invalidates a figure, and where the threshold comes from. */
  readonly reason: string
  readonly cure: string
  readonly find: (cell: MeasuredCell, threshold: number) => Found | null
}

/** Rounds of a cell, at least one: those of its closed loops, or those at equal load. */
export interface MeasuredCell {
  readonly cell: Pick<CellSummary, 'transport' | 'concurrency' | 'counts' | 'errors' | 'problems'>
  readonly rounds: readonly RoundResult[]
  /** Load threads that shared its connections. */
  readonly threads: number
  /** False: another program sent the load, and its histogram may hold what it never measured. */
  readonly isOwnGenerator: boolean
}

export interface Found {
  readonly figure: number
  readonly round: number | null
  /** Without the cell's name, without a full stop: `32 of 1,000 requests failed`. */
  readonly what: string
  /** Default `invalid`. */
  readonly severity?: Severity
}

/** The round in which a figure is highest. */
function worstRound (rounds: readonly RoundResult[], figureOf: (round: RoundResult) => number): number | null {
  let worst: { round: number, figure: number } | null = null
  for (const round of rounds) {
    const figure = figureOf(round)
    if (worst === null || figure > worst.figure) worst = { round: round.round, figure }
  }
  return worst?.round ?? null
}

/** Shorter windows are a moment: what a pause at their end does to them says nothing about the generator. */
const WINDOW_NEEDED_MS = 500

/** From so much of a window on, what is cut off at its ends weighs too much to judge by. */
const EDGE_MOST = 0.25

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`

const requestErrors: Check = {
  code: 'REQUEST_ERRORS',
  threshold: 0,
  unit: 'share of the requests',
  reason:
    'A request that fails is mostly faster, or much slower, than one that does not, and whoever fails some serves ' +
    'less. No share of errors is small enough to compare arms by.',
  cure: 'Find out what fails (problems in result.json), or lower the load.',
  find: ({ cell, rounds }) => {
    if (cell.errors === 0) return null
    const worst = worstRound(
      rounds,
      ({ counts }) => (counts.sent - counts.ok - counts.unfinished) / Math.max(1, counts.sent)
    )
    const first = cell.problems[0] === undefined ? '' : `. First problem: ${oneLine(cell.problems[0])}`
    return {
      figure: cell.errors / cell.counts.sent,
      round: worst,
      what: `${formatCount(cell.errors)} of ${formatCount(cell.counts.sent)} requests failed ` +
        `(${describeErrors(cell.counts)})${first}`
    }
  }
}

const nothingRight: Check = {
  code: 'NO_RIGHT_RESPONSE',
  threshold: 1,
  unit: 'responses',
  reason: 'Without a verified response there is neither a rate nor a latency.',
  cure: 'Ask what the arm does with curl, or measure for longer.',
  find: ({ cell }) => cell.counts.ok > 0 ? null : { figure: 0, round: null, what: 'no response was right' }
}

export const generatorSaturated: Check = {
  code: 'GENERATOR_SATURATED',
  threshold: 0.95,
  unit: 'share of a core, for each load thread',
  reason:
    'A load thread that works all the time is itself what is measured. In an open loop its queue adds to every ' +
    'latency, and a closed loop ' +
    'through a tunnel then compares the generator with itself. Where direct HTTP alone brings it there, direct HTTP ' +
    'could be faster still and every ratio is an upper bound: a warning. The median over the rounds counts.',
  cure: 'Use more --load-threads, or a machine with more cores.',
  find: ({ cell, rounds, threads }, threshold) => {
    const shares = rounds.map((round) => generatorShare(round, threads))
    const share = spreadOf(shares.filter((share) => share !== null))?.median ?? 0
    if (share < threshold) return null
    const isBound = cell.transport === 'baseline' && !rounds.some(isOpenLoop)
    return {
      figure: share,
      round: worstRound(rounds, (round) => generatorShare(round, threads) ?? 0),
      what: `the load generator was at ${percent(share)} of its ceiling` + (isBound
        ? ', so direct HTTP may be faster than this and tunnels cost at least what is shown'
        : ': this is its speed, not that of the arm'),
      severity: isBound ? 'warning' : 'invalid'
    }
  }
}

/**
 * How much of the window a load thread worked: measured, or in results of earlier versions its CPU time, shared out by
 * responses. null: not known.
 */
function generatorShare (round: RoundResult, threads: number): number | null {
  if (round.busy !== undefined) return round.busy
  const usage = round.cpu.load
  if (usage === undefined || usage === null || round.allResponses === 0) return null
  const inWindow = (round.counts.sent - round.counts.unfinished - round.counts.refused) / round.allResponses
  return (usage.userUs + usage.systemUs) * inWindow / (round.windowMs * 1_000 * threads)
}

const littlesLaw: Check = {
  code: 'LITTLES_LAW',
  threshold: 0.05,
  unit: 'share of the connections',
  reason:
    'In a closed loop every connection waits for a response at any time, so RPS × mean latency is the concurrency, ' +
    'less what the window cuts off at its ends. ' +
    'A rest means time that no latency shows: a generator that was late to send, or a clock that does not fit. Sound ' +
    'runs stayed below 0.02.',
  cure: 'Give the load generator a core of its own, and see that nothing else runs.',
  find: ({ cell, rounds, isOwnGenerator }, threshold) => {
    if (rounds.some(isOpenLoop) || cell.errors > 0 || !isOwnGenerator) return null
    const rests = rounds.flatMap((round) => {
      const rest = littlesRest(round, cell.concurrency)
      return rest === null ? [] : [{ round: round.round, rest }]
    })
    const median = spreadOf(rests.map(({ rest }) => rest))?.median ?? 0
    if (Math.abs(median) <= threshold) return null
    const worst = rests.reduce((a, b) => (Math.abs(b.rest) > Math.abs(a.rest) ? b : a))
    return {
      figure: median,
      round: worst.round,
      what: `RPS × mean latency leaves ${percent(Math.abs(median))} of the connections unexplained (Little's law)`
    }
  }
}

/**
 * 1 - RPS × mean latency ÷ concurrency, less the share that the window's ends hide. A request that is on its way when
 * the window opens or closes is not in the histogram; in the steady state its part of the window is E[latency²] ÷ 2
 * E[latency] at either end (the mean residual life of renewal theory). null where there is too little to judge by.
 */
function littlesRest (round: RoundResult, concurrency: number): number | null {
  const { latency } = round
  if (round.windowMs < WINDOW_NEEDED_MS || percentileOrNull(latency, 90) === null) return null
  const edge = edgeShare(latency, round.windowMs)
  return edge > EDGE_MOST ? null : 1 - round.counts.ok * latency.meanNs / (round.windowMs * 1e6 * concurrency) - edge
}

function edgeShare ({ meanNs, stdDeviationNs }: HistogramSnapshot, windowMs: number): number {
  return (meanNs ** 2 + stdDeviationNs ** 2) / (meanNs * windowMs * 1e6)
}

const LAG_SHARE_MOST = 0.1

const scheduleLag: Check = {
  code: 'SCHEDULE_LAG',
  threshold: 1e6,
  unit: 'ns',
  reason:
    'Requests that leave later than planned are not the load that was asked for. Below 1 ms, or a tenth of the ' +
    'response time at the same percentile, it does not matter.',
  cure: 'Lower the rate, allow more --max-connections, or use more load threads.',
  find: ({ rounds }, threshold) => {
    const lag = mergeHistograms(rounds.flatMap((round) => round.lag ?? []))
    const percentile = [99, 90, 50].find((percentile) => percentileOrNull(lag, percentile) !== null)
    if (percentile === undefined) return null
    const figure = lag.percentileNs(percentile)
    const responseNs = mergeHistograms(rounds.flatMap((round) => round.response ?? [])).percentileNs(percentile)
    if (figure <= threshold || figure <= LAG_SHARE_MOST * responseNs) return null
    return {
      figure,
      round: worstRound(rounds, (round) => round.lag?.percentileNs(percentile) ?? 0),
      what: `requests were sent up to ${formatMs(figure)} ms late (p${percentile} of the schedule lag)`
    }
  }
}

const rateNotReached: Check = {
  code: 'RATE_NOT_REACHED',
  threshold: ACHIEVED_MIN,
  unit: 'achieved ÷ offered',
  reason:
    'Below 99 % the arm did not carry the load, and its latencies are those of a queue that grows for as long as one ' +
    'measures.',
  cure: 'Offer less than the knee of the slowest arm.',
  find: ({ rounds }, threshold) => {
    const offered = rounds.reduce((sum, round) => sum + (round.offered ?? 0), 0)
    if (offered === 0) return null
    const share = rounds.reduce((sum, round) => sum + achieved(round), 0) / offered
    const unsent = rounds.reduce((sum, round) => sum + (round.unsent ?? 0), 0)
    return share >= threshold
      ? null
      : {
          figure: share,
          round: worstRound(rounds, (round) => -achieved(round) / (round.offered ?? 1)),
          what: `${formatShare(Math.round(share * offered), offered)} of the offered requests were answered; ` +
            `${formatCount(unsent)} were never sent`
        }
  }
}

/**
 * Verified responses, and of those on their way at the end as many as are at any time (Little's law): they are not
 * late.
 */
function achieved (round: RoundResult): number {
  const onTheirWay = Math.ceil(round.counts.ok * responseTimesOf(round).meanNs / (round.windowMs * 1e6))
  return round.counts.ok + Math.min(round.counts.unfinished, onTheirWay)
}

const drift: Check = {
  code: 'DRIFT',
  threshold: 0.2,
  unit: 'change from the first third to the last',
  reason:
    'A figure that goes one way for as long as one measures has no mean: a cache that fills, a queue that grows, a ' +
    'machine that throttles. Found where the thirds do not ' +
    'overlap at all (each of 3 seconds or more) and their medians differ by more than the threshold; of the rate in ' +
    'a closed loop, of the mean response time in an open one.',
  cure: 'Measure after a longer --warmup, or for longer; where it goes on, look for what grows.',
  find: ({ rounds }, threshold) => {
    const changes = rounds.flatMap((round) => {
      const change = driftOf(round)
      return change === null || Math.abs(change) <= threshold ? [] : [{ change, round: round.round }]
    })
    // Every second round at least: one that drifts is an event of the machine.
    if (changes.length * 2 <= rounds.length) return null
    const worst = changes.reduce((a, b) => (Math.abs(b.change) > Math.abs(a.change) ? b : a))
    const name = rounds.some(isOpenLoop) ? 'the response time' : 'the rate'
    return {
      figure: worst.change,
      round: worst.round,
      what: `${name} ${worst.change < 0 ? 'fell' : 'rose'} by ${percent(Math.abs(worst.change))} from the first ` +
        'third of a round to its last'
    }
  }
}

const windowShort: Check = {
  code: 'WINDOW_SHORT',
  threshold: EDGE_MOST,
  unit: 'response times ÷ window',
  reason:
    'Requests on their way at the end are in no histogram, and those are the slow ones: a window of few response ' +
    'times shows too fast a picture.',
  cure: 'Measure for longer (--duration).',
  find: ({ rounds }, threshold) => {
    const share = Math.max(
      ...rounds.map(({ latency, windowMs }) => latency.count === 0 ? 0 : edgeShare(latency, windowMs))
    )
    return share <= threshold
      ? null
      : {
          figure: share,
          round: null,
          what: `the window is only about ${formatCount(Math.round(10 / share) / 10)} response times long`,
          severity: 'warning'
        }
  }
}

const cpuThrottled: Check = {
  code: 'CPU_THROTTLED',
  threshold: 0.01,
  unit: 'CPUs stopped, on average over the window',
  reason: 'A control group that has used up its CPU quota stops until its next period, mostly a tenth of a second: ' +
    'that is in every tail and in the rate, and comes from the quota. ' +
    'A warning, since whoever has a quota may want to know what it makes of a tunnel.',
  cure: 'Measure without a CPU quota, or with a lower load.',
  find: ({ rounds }, threshold) => {
    const share = ({ throttled, windowMs }: RoundResult): number => (throttled?.us ?? 0) / (windowMs * 1_000)
    const figure = Math.max(...rounds.map(share))
    if (figure < threshold) return null
    const count = rounds.reduce((sum, { throttled }) => sum + (throttled?.count ?? 0), 0)
    return {
      figure,
      round: worstRound(rounds, share),
      what: `the CPU quota stopped the program ${formatCount(count)} ${count === 1 ? 'time' : 'times'}, ` +
        `in the worst round for ${percent(figure)} of the window added up over CPUs`,
      severity: 'warning'
    }
  }
}

export const CHECKS: readonly Check[] = [
  requestErrors,
  nothingRight,
  generatorSaturated,
  littlesLaw,
  scheduleLag,
  rateNotReached,
  drift,
  windowShort,
  cpuThrottled
]
