import { driftOf } from '../analysis/drift.js'
import { isOpenLoop } from '../analysis/statistics.js'
import { formatCount } from '../base/units.js'
import type { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import type { RoundResult } from '../result/run-result.js'
import { type Check, percent, worstRound } from './check.js'

/** Whether a window is long enough, and alike from its beginning to its end. */

/** From so much of a window on, what is cut off at its ends weighs too much to judge by. */
export const EDGE_MOST = 0.25

/** The share of a window that is cut off at its ends: see `littlesRest()`. */
export function edgeShare ({ meanNs, stdDeviationNs }: HistogramSnapshot, windowMs: number): number {
  return (meanNs ** 2 + stdDeviationNs ** 2) / (meanNs * windowMs * 1e6)
}

export const drift: Check = {
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

export const windowShort: Check = {
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

export const cpuThrottled: Check = {
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
