import { isOpenLoop, mergeHistograms, percentileOrNull, spreadOf } from '../analysis/statistics.js'
import { formatMs } from '../base/units.js'
import type { RoundResult } from '../result/run-result.js'
import { type Check, percent, worstRound } from './check.js'
import { EDGE_MOST, edgeShare } from './window-checks.js'

/** Whether the load generator measured the arm, and not itself. */

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

/** Shorter windows are a moment: what a pause at their end does to them says nothing about the generator. */
const WINDOW_NEEDED_MS = 500

export const littlesLaw: Check = {
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

const LAG_SHARE_MOST = 0.1

export const scheduleLag: Check = {
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
