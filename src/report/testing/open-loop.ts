import type { RoundResult, RoundSecond } from '../../result/run-result.js'
import { makeRound, type RoundSpec, timesNs } from './fixture.js'

/** Seconds with these latencies, one list for each. */
export function makeSeconds (latenciesNs: ReadonlyArray<readonly number[]>): RoundSecond[] {
  return latenciesNs.map((valuesNs, second) => ({
    startMs: second * 1_000,
    lengthMs: 1_000,
    sent: valuesNs.length,
    ok: valuesNs.length,
    latency: timesNs(valuesNs)
  }))
}

/** A closed-loop round whose requests took so long, second by second. */
export function makeSecondsRound (latenciesNs: ReadonlyArray<readonly number[]>, spec: RoundSpec = {}): RoundResult {
  return makeRound({
    ok: latenciesNs.flat().length,
    windowMs: latenciesNs.length * 1_000,
    latency: timesNs(latenciesNs.flat()),
    seconds: makeSeconds(latenciesNs),
    unsent: 0,
    ...spec
  })
}

/** An open-loop round: each request was sent `lagNs` late and then took `serviceNs`. */
export function makeOpenRound (
  requests: ReadonlyArray<ReadonlyArray<{ readonly serviceNs: number; readonly lagNs: number }>>,
  spec: RoundSpec = {}
): RoundResult {
  const all = requests.flat()
  const responses = requests.map((second) => second.map(({ serviceNs, lagNs }) => serviceNs + lagNs))
  return makeSecondsRound(responses, {
    latency: timesNs(all.map(({ serviceNs }) => serviceNs)),
    response: timesNs(responses.flat()),
    lag: timesNs(all.map(({ lagNs }) => lagNs)),
    offered: all.length,
    ...spec
  })
}
