import { describeErrors, formatShare } from '../analysis/phrases.js'
import { ACHIEVED_MIN, responseTimesOf } from '../analysis/statistics.js'
import { oneLine } from '../base/text.js'
import { formatCount } from '../base/units.js'
import type { RoundResult } from '../result/run-result.js'
import { type Check, worstRound } from './check.js'
import { generatorSaturated, littlesLaw, scheduleLag } from './generator-checks.js'
import { cpuThrottled, drift, windowShort } from './window-checks.js'

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
