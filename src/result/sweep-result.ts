import type { Arrivals, Finding, Mode, RoundResult, RunMetadata, SegmentOptions } from './run-result.js'

/** What an open loop at one rate came to, measured against a bound of p99. */
export interface KneeProbe {
  readonly ratePerSec: number
  /** p99 of response times in ns; null: too few responses. */
  readonly p99Ns: number | null
  /** Requests answered right as a share of those offered, 0 to 1: see `probeOf()`. */
  readonly achieved: number
  readonly errors: number
  /** How much of the window the (busiest) load thread worked, 0 to 1; null where it cannot be told. */
  readonly busy: number | null
  readonly isMet: boolean
}

/** How many probes of a rate met the bound and how many broke it, over the whole search. */
export interface Votes {
  readonly met: number
  readonly broken: number
}

/**
 * `found`: between two rates. `below`: not even the lowest rate met the bound. `above`: even the highest did. `votes`
 * are those of the rate that is named first, `brokenVotes` those of `brokenAtPerSec`; absent in results of earlier
 * versions.
 */
export type Knee =
  | {
    readonly kind: 'found'
    readonly ratePerSec: number
    readonly brokenAtPerSec: number
    readonly votes?: Votes
    readonly brokenVotes?: Votes
  }
  | { readonly kind: 'below'; readonly lowestPerSec: number; readonly votes?: Votes }
  | { readonly kind: 'above'; readonly highestPerSec: number; readonly votes?: Votes }

/** `sweep.json`: everything a sweep found. `docs/sweep.schema.json` is its JSON Schema. */
export interface SweepResult {
  readonly schemaVersion: 1
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly metadata: RunMetadata<SweepOptions>
  /** The rates that all arms have in common, ascending; empty while the knees are searched. */
  readonly ratesPerSec: readonly number[]
  /** In the order of the options. */
  readonly arms: readonly SweepArm[]
  /**
   * What speaks against the figures, worst first; a note for programs, made from the rest: reports find it anew. Absent
   * in results of earlier versions.
   */
  readonly findings?: readonly Finding[]
}

export interface SweepOptions {
  readonly mode: Mode
  readonly arms: readonly string[]
  readonly size: string
  /** Connections that are opened first. */
  readonly connections: number
  /** And the most that are opened. */
  readonly maxConnections: number
  /** A rate is carried where p99 of its response times is at most this. */
  readonly p99BoundMs: number
  /** How near the search comes to the knee: 0.03 is 3 %. */
  readonly precision: number
  /** Rates of the curve; null: chosen from the knees. */
  readonly ratesPerSec: readonly number[] | null
  /** How many rates are chosen. */
  readonly points: number
  readonly arrivals: Arrivals
  readonly durationMs: number
  readonly warmupMs: number
  readonly rounds: number
  readonly server: 'auto' | 'lab' | 'uws' | 'node'
  readonly engine: 'auto' | 'epoll' | 'node'
  /** How long host and plugin look for work before they sleep, in µs. */
  readonly spinUs?: 'auto' | number
  readonly loadThreads: number
  readonly requestTimeoutMs: number
  readonly seed: number
  readonly segment: SegmentOptions | null
}

export interface SweepArm {
  readonly arm: string
  /** As in a cell of a run. */
  readonly path: string
  readonly transport: string
  /** Requests per second in a closed loop of all connections: where the search began. null: it failed. */
  readonly closedPerSec: number | null
  /** In the order in which they were made. */
  readonly probes: readonly KneeProbe[]
  /** null: the search did not come to its end. */
  readonly knee: Knee | null
  /** In the order of the rates. */
  readonly points: readonly SweepPoint[]
  /** What failed while the knee was searched, in a sentence each. */
  readonly failures: readonly string[]
}

/** An arm at one of the common rates. */
export interface SweepPoint {
  readonly ratePerSec: number
  readonly rounds: readonly RoundResult[]
  readonly failures: readonly string[]
}
