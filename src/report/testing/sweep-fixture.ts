import type { RoundResult } from '../../result/run-result.js'
import type { KneeProbe, SweepArm, SweepOptions, SweepPoint, SweepResult } from '../../result/sweep-result.js'
import { makeResult, placeOnLadder } from './fixture.js'
import { makeOpenRound } from './open-loop.js'

export interface PointSpec {
  /** Responses that came, of the 200 offered in each second. Default all. */
  readonly ok?: number
  readonly serviceNs?: number
  readonly lagNs?: number
  readonly busy?: number
  readonly lengthSec?: number
}

/** A round at 200 requests a second. */
export function makePointRound (
  { ok = 200, serviceNs = 1_000_000, lagNs = 1_000, busy = 0.1, lengthSec = 1 }: PointSpec = {},
  round = 0
): RoundResult {
  const offered = 200 * lengthSec
  return makeOpenRound(
    Array.from({ length: lengthSec }, () => new Array(ok).fill({ serviceNs, lagNs })),
    { round, busy, offered, unsent: offered - ok * lengthSec }
  )
}

/** Two rounds. */
export function makePoint (ratePerSec: number, spec: PointSpec = {}): SweepPoint {
  return { ratePerSec, rounds: [makePointRound(spec), makePointRound(spec, 1)], failures: [] }
}

export function makeProbe (ratePerSec: number, isMet: boolean, busy: number | null = 0.5): KneeProbe {
  return { ratePerSec, p99Ns: isMet ? 1e6 : 50e6, achieved: isMet ? 1 : 0.9, errors: 0, busy, isMet }
}

/** With a knee of 1,000 requests a second, of which every probe is sure. */
export function makeArm (arm: string, spec: Partial<SweepArm> = {}): SweepArm {
  return {
    arm,
    ...placeOnLadder(arm),
    closedPerSec: 1_400,
    probes: [makeProbe(1_000, true), makeProbe(1_020, false)],
    knee: {
      kind: 'found',
      ratePerSec: 1_000,
      brokenAtPerSec: 1_020,
      votes: { met: 4, broken: 0 },
      brokenVotes: { met: 0, broken: 4 }
    },
    points: [],
    failures: [],
    ...spec
  }
}

/** A finished sweep on a machine that no warning speaks of. */
export function makeSweep (arms: readonly SweepArm[], options: Partial<SweepOptions> = {}): SweepResult {
  const { startedAt, finishedAt, metadata } = makeResult([])
  return {
    schemaVersion: 1,
    startedAt,
    finishedAt,
    metadata: {
      ...metadata,
      machine: { ...metadata.machine, cpus: 8 },
      options: {
        mode: 'threads',
        arms: arms.map(({ arm }) => arm),
        size: 'small',
        connections: 8,
        maxConnections: 8,
        p99BoundMs: 10,
        precision: 0.03,
        ratesPerSec: null,
        points: 2,
        arrivals: 'poisson',
        durationMs: 1_000,
        warmupMs: 100,
        rounds: 2,
        server: 'auto',
        engine: 'auto',
        spinUs: 'auto',
        loadThreads: 1,
        requestTimeoutMs: 5_000,
        seed: 1,
        segment: null,
        ...options
      }
    },
    ratesPerSec: [...new Set(arms.flatMap(({ points }) => points.map(({ ratePerSec }) => ratePerSec)))],
    arms
  }
}
