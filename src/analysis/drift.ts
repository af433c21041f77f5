import type { RoundResult, RoundSecond } from '../result/run-result.js'
import { isOpenLoop, spreadOf } from './statistics.js'

/** With fewer seconds in a third, three that lie above three others are chance. */
const SECONDS_PER_THIRD = 3

/** The last second of a window may be a fragment. */
const WHOLE_SECOND_MS = 900

/**
 * How much a round changed from its first third to its last: 0.2 is a fifth more, of the rate in a closed loop, of the
 * mean response time in an open one. Only where all seconds of one third lie beyond all of the other: else it is 0.
 * null for a round of fewer than nine seconds.
 */
export function driftOf (round: RoundResult): number | null {
  const seconds = (round.seconds ?? []).filter(({ lengthMs }) => lengthMs >= WHOLE_SECOND_MS)
  const third = Math.floor(seconds.length / 3)
  if (third < SECONDS_PER_THIRD) return null
  const figureOf = isOpenLoop(round) ? meanNs : ratePerSec
  const [first, last] = [spreadOf(seconds.slice(0, third).map(figureOf)), spreadOf(seconds.slice(-third).map(figureOf))]
  if (first === null || last === null || first.median === 0) return null
  const overlap = first.min <= last.max && last.min <= first.max
  return overlap ? 0 : last.median / first.median - 1
}

function ratePerSec ({ ok, lengthMs }: RoundSecond): number {
  return ok / (lengthMs / 1_000)
}

function meanNs ({ latency }: RoundSecond): number {
  return latency.meanNs
}
