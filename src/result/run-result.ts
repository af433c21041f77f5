import type { CpuUsage } from '../metrics/cpu.js'
import type { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import type { RequestCounts } from '../metrics/counts.js'
import type { TunnelRound } from './tunnel-counters.js'

/**
 * `result.json`: everything a run found, enough to render every table again years later. `docs/result.schema.json` is
 * its JSON Schema. In the file histograms are text, `Encoded<RunResult>`: `readRunResult()` decodes each once, and
 * JSON.stringify() writes the text again.
 */
export interface RunResult {
  readonly schemaVersion: 1
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly metadata: RunMetadata
  /**
   * The runs that a merged result is made of; absent where it is one run. `metadata` is then the first one's, with the
   * options of all.
   */
  readonly inputs?: readonly RunInput[]
  /** In the order of the options: sizes, then concurrency, then arms. */
  readonly cells: readonly CellResult[]
  /**
   * What speaks against the figures, worst first; a note for programs, made from the rest: reports find it anew. Absent
   * in results of earlier versions.
   */
  readonly findings?: readonly Finding[]
}

/**
 * `invalid`: the figures do not say what they seem to, and the run is refused. `warning`: they do, with a reservation.
 */
export type Severity = 'invalid' | 'warning'

/** One thing that speaks against a run or a cell of it. */
export interface Finding {
  /** Stable: `GENERATOR_SATURATED`. */
  readonly code: string
  readonly severity: Severity
  /** The cell; all null where it is about the whole run. */
  readonly arm: string | null
  readonly size: string | null
  readonly concurrency: number | null
  /** It is about the cell's rounds at equal load; absent: about its closed loops, or the run. */
  readonly isEqualLoad?: boolean
  /** Of a sweep: the rate of the curve that it is about; absent: about the arm's knee, or the sweep. */
  readonly ratePerSec?: number
  /** The round that shows it most, from 0; null where it is about all of them. */
  readonly round: number | null
  /** What was found, and what it must not pass, in `unit`; null where there is no number. */
  readonly figure: number | null
  readonly threshold: number | null
  readonly unit: string | null
  /** Plain text, one sentence or two. */
  readonly message: string
  /** What to do about it, a sentence. */
  readonly cure: string
}

/** What a run was, without its figures. */
export interface RunInput {
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly metadata: RunMetadata
}

/** `Options`: what the command was asked for. */
export interface RunMetadata<Options = RunOptions> {
  readonly program: {
    readonly name: string
    readonly version: string
    readonly commit: string | null
    readonly dirty: boolean | null
  }
  readonly machine: {
    readonly cpuModel: string
    /** Of the machine. */
    readonly cpus: number
    /**
     * Those that the program may use, by affinity and CPU quota; 1.5 with a quota. Absent, as the quota, in results
     * of earlier versions.
     */
    readonly usableCpus?: number
    /** The smallest of its control groups, in CPUs; null: none. */
    readonly cpuQuota?: number | null
    readonly memoryBytes: number
    readonly os: string
    readonly kernel: string
    readonly arch: string
  }
  readonly versions: Readonly<Record<string, string>>
  /** The engine that host, plugin and load generator really used: `epoll` or `node`. */
  readonly engine: string
  /** The origin that really answered: `uws` or `node`. */
  readonly server: string
  readonly options: Options
}

export type Mode = 'threads' | 'processes'

export type Arrivals = 'constant' | 'poisson'

export interface RunOptions {
  readonly mode: Mode
  /**
   * Arm labels in order; the first `baseline` is the reference of every ratio. A repeated arm is labelled `baseline#2`.
   */
  readonly arms: readonly string[]
  /** Size names in order: `small`, `large`. */
  readonly sizes: readonly string[]
  readonly concurrency: readonly number[]
  readonly durationMs: number
  readonly warmupMs: number
  readonly rounds: number
  readonly server: 'auto' | 'lab' | 'uws' | 'node'
  readonly engine?: 'auto' | 'epoll' | 'node'
  /** How long host and plugin look for work before they sleep, in µs. */
  readonly spinUs?: 'auto' | number
  readonly loadThreads: number
  readonly requestTimeoutMs: number
  readonly seed: number
  readonly quick: boolean
  /** Arms that are programs from outside. */
  readonly externalArms?: readonly ExternalArm[]
  /** Of the origin; absent: any free one. */
  readonly originPort?: number
  /** One more measurement of each cell, with strace attached to the roles; absent: none. */
  readonly countSystemCalls?: boolean
  /**
   * The rate of the open loops, as a fraction of the throughput that the slowest arm of a cell had in its closed loops;
   * 0: no open loops. Absent in results of earlier versions: 0.
   */
  readonly equalLoad?: number
  /**
   * What sent the load; absent in results of earlier versions: own. External programs verify no body, and `seconds`,
   * `connect`, `busy` and their CPU are not known.
   */
  readonly generator?: 'own' | 'oha' | 'wrk'
  /** How the open loops send: one request every 1/rate, or independent of each other. */
  readonly arrivals?: Arrivals
  /** Shared memory of each direction; null where no arm uses any. */
  readonly segment: SegmentOptions | null
}

/**
 * A program from outside: where it listens, and the command that starts it (null: it ran already), with their
 * placeholders.
 */
export interface ExternalArm {
  readonly name: string
  readonly url: string
  readonly start: string | null
}

/** Payload bytes of a slot, slots, descriptors of the ring, and the longest payload that travels in a descriptor. */
export interface SegmentOptions {
  readonly slotBytes: number
  readonly slots: number
  readonly ringEntries: number
  readonly inlineBytes: number
  /** Absent in results of versions before there were constants. */
  readonly constantBytes?: number
}

/** One arm at one size and concurrency, over all rounds. */
export interface CellResult {
  readonly arm: string
  /**
   * What was set up for it: its name without `-stalled` and number. An arm with a tunnel may have the path `shm`,
   * `shm-uds` or `shm-embedded`, by how the plugin reaches the origin.
   */
  readonly path: string
  /** What carries its bytes: `baseline` and `uds` (nothing), `relay`, `relay2`, `stream`, `shm`, `external`. */
  readonly transport: string
  readonly size: string
  /** Body length of a response. */
  readonly bodyBytes: number
  readonly concurrency: number
  readonly rounds: readonly RoundResult[]
  /** Why rounds are missing: what failed, in a sentence each. Empty when all went well. */
  readonly failures: readonly string[]
  /** Of one more measurement, with strace attached; by role. Absent where they were not counted. */
  readonly systemCalls?: Readonly<Record<string, SystemCalls>>
  /**
   * The arm at the rate that all arms of this size and concurrency have in common. Absent where it was not measured.
   */
  readonly equalLoad?: EqualLoadResult
}

/** The system calls of a role, by name, over a measurement in which so many responses came. */
export interface SystemCalls {
  readonly responses: number
  readonly calls: Readonly<Record<string, number>>
}

/** Open loops at one common rate: rounds of their own, compared with each other as the closed ones are. */
export interface EqualLoadResult {
  readonly ratePerSec: number
  readonly rounds: readonly RoundResult[]
  readonly failures: readonly string[]
}

export interface RoundSecond {
  /** From the start of the window. */
  readonly startMs: number
  /** 1000, but for the last second. */
  readonly lengthMs: number
  readonly sent: number
  readonly ok: number
  /** Of the verified responses to what was sent in it. */
  readonly latency: HistogramSnapshot
}

export interface RoundResult {
  /** 0-based. Ratios are taken between arms of the same round only. */
  readonly round: number
  /** Place of this arm in the round's random order, 0-based. */
  readonly position: number
  readonly startedAt: string
  readonly windowMs: number
  readonly counts: RequestCounts
  /** null where an external generator does not tell. */
  readonly bodyBytes: number | null
  /** Service times of verified responses. */
  readonly latency: HistogramSnapshot
  readonly connect: HistogramSnapshot
  /**
   * Percentiles in ns by name (`p50`), where an external generator gives these and no histogram: then `latency` is
   * empty.
   */
  readonly reportedNs?: Readonly<Record<string, number | null>>
  /**
   * Open loop: histogram of response times, from the intended start; null in a closed one, where `latency` (service
   * times) is all there is. Like the five fields that follow it is absent in results of earlier versions, which are of
   * closed loops.
   */
  readonly response?: HistogramSnapshot | null
  /** Open loop: histogram of schedule lags, intended start to sending, of every request that was sent; else null. */
  readonly lag?: HistogramSnapshot | null
  /** Open loop: requests that the plan had inside the window; else null. */
  readonly offered?: number | null
  /** Of those, how many were never sent. 0 in a closed loop. */
  readonly unsent?: number
  /**
   * The window in seconds, by the time of sending. Their histograms add up to `response` in an open loop, to `latency`
   * in a closed one.
   */
  readonly seconds?: readonly RoundSecond[]
  /**
   * How much of the window the (busiest) load thread worked: CPU time without waiting; 1 is its ceiling. null where it
   * cannot be told.
   */
  readonly busy?: number | null
  readonly problems: readonly string[]
  /**
   * CPU time per role over this measurement (connecting, warm-up and window); null where it cannot be told. Roles this
   * arm does not use are absent.
   */
  readonly cpu: Readonly<Record<string, CpuUsage | null>>
  /** Responses over the same span as `cpu` (warm-up included): the divisor for CPU per request. */
  readonly allResponses: number
  /**
   * How often the CPU quota stopped the program over the same span, and for how long, added up over CPUs; null where
   * the system does
   * not tell. Absent in results of earlier versions.
   */
  readonly throttled?: { readonly count: number, readonly us: number } | null
  /** What host and plugin counted, over the same span as `cpu`; null where the arm has no tunnel. */
  readonly tunnel: TunnelRound | null
}
