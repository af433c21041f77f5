import type { CpuUsage } from '../metrics/cpu.js'
import type { RequestCounts } from '../metrics/counts.js'
import type { TunnelRound } from './tunnel-counters.js'

/** `result.json`: everything a run found, enough to render every table again years later. `docs/result.schema.json` is its JSON Schema. */
export interface RunResult {
  readonly schemaVersion: 1
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly metadata: RunMetadata
  /** In the order of the options: sizes, then concurrency, then arms. */
  readonly cells: readonly CellResult[]
}

export interface RunMetadata {
  readonly program: { readonly name: string, readonly version: string, readonly commit: string | null, readonly dirty: boolean | null }
  readonly machine: { readonly cpuModel: string, readonly cpus: number, readonly memoryBytes: number, readonly os: string, readonly kernel: string, readonly arch: string }
  readonly versions: Readonly<Record<string, string>>
  /** The engine that host, plugin and load generator really used: `epoll` or `node`. */
  readonly engine: string
  /** The origin that really answered: `uws` or `node`. */
  readonly server: string
  readonly options: RunOptions
}

export type Mode = 'threads' | 'processes'

export interface RunOptions {
  readonly mode: Mode
  /** Arm labels in order; the first `baseline` is the reference of every ratio. A repeated arm is labelled `baseline#2`. */
  readonly arms: readonly string[]
  /** Size names in order: `small`, `large`. */
  readonly sizes: readonly string[]
  readonly concurrency: readonly number[]
  readonly durationMs: number
  readonly warmupMs: number
  readonly rounds: number
  readonly server: 'auto' | 'uws' | 'node'
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
  /** Shared memory of each direction; null where no arm uses any. */
  readonly segment: SegmentOptions | null
}

/** A program from outside: where it listens, and the command that starts it (null: it ran already), with their placeholders. */
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
}

/** One arm at one size and concurrency, over all rounds. */
export interface CellResult {
  readonly arm: string
  /** What carries the arm's bytes: `baseline` and `uds` (nothing), `relay`, `relay2`, `stream`, `shm`, `external`. */
  readonly transport: string
  readonly size: string
  /** Body length of a response. */
  readonly bodyBytes: number
  readonly concurrency: number
  readonly rounds: readonly RoundResult[]
  /** Why rounds are missing: what failed, in a sentence each. Empty when all went well. */
  readonly failures: readonly string[]
}

export interface RoundResult {
  /** 0-based. Ratios are taken between arms of the same round only. */
  readonly round: number
  /** Place of this arm in the round's random order, 0-based. */
  readonly position: number
  readonly startedAt: string
  readonly windowMs: number
  readonly counts: RequestCounts
  readonly bodyBytes: number
  /** Encoded histograms (HdrHistogram V2, compressed, base64; nanoseconds). */
  readonly latency: string
  readonly connect: string
  readonly problems: readonly string[]
  /** CPU time per role over this measurement (connecting, warm-up and window); null where it cannot be told. Roles this arm does not use are absent. */
  readonly cpu: Readonly<Record<string, CpuUsage | null>>
  /** Responses over the same span as `cpu` (warm-up included): the divisor for CPU per request. */
  readonly allResponses: number
  /** What host and plugin counted, over the same span as `cpu`; null where the arm has no tunnel. */
  readonly tunnel: TunnelRound | null
}
