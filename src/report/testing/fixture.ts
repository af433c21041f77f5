import { emptyCounts, type RequestCounts } from '../../metrics/counts.js'
import type { CpuUsage } from '../../metrics/cpu.js'
import { HistogramSnapshot } from '../../metrics/histogram-snapshot.js'
import { Histogram } from '../../metrics/histogram.js'
import type { CellResult, RoundResult, RunOptions, RunResult } from '../../result/run-result.js'
import {
  LATER_TUNNEL_COUNTERS,
  TUNNEL_COUNTERS,
  type TunnelCounters,
  type TunnelRound
} from '../../result/tunnel-counters.js'

/** With `count` samples of each value. */
export function timesNs (valuesNs: readonly number[], count = 1): HistogramSnapshot {
  const histogram = new Histogram()
  if (count > 0) for (const valueNs of valuesNs) histogram.recordNs(valueNs, count)
  return snapshotOf(histogram)
}

export function snapshotOf (histogram: Histogram): HistogramSnapshot {
  return new HistogramSnapshot(histogram.encode())
}

export interface RoundSpec extends Partial<Omit<RoundResult, 'counts'>> {
  /** Verified responses; the window is one second unless told otherwise, so this is also the RPS. Default 2,000. */
  readonly ok?: number
  readonly counts?: Partial<RequestCounts>
  /** Every request took this long. Default 1 ms. */
  readonly latencyNs?: number
}

/** One round in which every response took the same time. */
export function makeRound (spec: RoundSpec = {}): RoundResult {
  const { ok = 2_000, latencyNs = 1_000_000, counts: partialCounts, ...rest } = spec
  const counts = { ...emptyCounts(), ok, ...partialCounts }
  const sent =
    counts.ok + counts.badStatus + counts.mismatch + counts.timeout + counts.reset + counts.refused + counts.unfinished
  return {
    round: 0,
    position: 0,
    startedAt: '2026-01-02T03:04:05.000Z',
    windowMs: 1_000,
    counts: { ...counts, sent },
    bodyBytes: counts.ok * 2,
    latency: timesNs([latencyNs], counts.ok),
    connect: timesNs([200_000]),
    response: null,
    lag: null,
    offered: null,
    unsent: 0,
    seconds: [],
    busy: 0.5,
    problems: [],
    cpu: { load: { userUs: 4_000, systemUs: 8_000 }, origin: { userUs: 4_000, systemUs: 16_000 } },
    allResponses: counts.ok,
    tunnel: null,
    ...rest
  }
}

/** Rounds 0, 1, … with these RPS. */
export function makeRounds (rps: readonly number[], spec: RoundSpec = {}): RoundResult[] {
  return rps.map((ok, round) => makeRound({ ...spec, ok, round }))
}

/** Counters that are 0 but for these. */
export function makeCounters (counts: Partial<TunnelCounters> = {}): TunnelCounters {
  return {
    ...(Object.fromEntries([...TUNNEL_COUNTERS, ...LATER_TUNNEL_COUNTERS].map((name) => [name, 0])) as TunnelCounters),
    ...counts
  }
}

/** Its path, and the transport of that. */
export function placeOnLadder (arm: string): Pick<CellResult, 'path' | 'transport'> {
  const path = arm.replace(/(-stalled)?(#.*)?$/, '')
  return { path, transport: path.replace(/-(uds|embedded)$/, '') }
}

export function makeCell (arm: string, spec: Partial<CellResult> = {}): CellResult {
  return {
    arm,
    ...placeOnLadder(arm),
    size: 'small',
    bodyBytes: spec.size === 'large' ? 262_144 : 2,
    concurrency: 8,
    rounds: [makeRound()],
    failures: [],
    ...spec
  }
}

/** A finished run of these cells; its options ask for exactly what the cells have, in order of first appearance. */
export function makeResult (cells: readonly CellResult[], options: Partial<RunOptions> = {}): RunResult {
  return {
    schemaVersion: 1,
    startedAt: '2026-01-02T03:04:05.000Z',
    finishedAt: '2026-01-02T03:14:05.000Z',
    metadata: {
      program: { name: 'http-tunnel-bench', version: '0.1.0', commit: '0123456789abcdef', dirty: false },
      machine: {
        cpuModel: 'Example CPU',
        cpus: 2,
        memoryBytes: 4_294_967_296,
        os: 'Linux',
        kernel: '6.1.0',
        arch: 'x64'
      },
      versions: { node: '20.20.2', v8: '11.3', 'uWebSockets.js': '20.51.0' },
      engine: 'node',
      server: 'uws',
      options: {
        mode: 'threads',
        arms: [...new Set(cells.map((cell) => cell.arm))],
        sizes: [...new Set(cells.map((cell) => cell.size))],
        concurrency: [...new Set(cells.map((cell) => cell.concurrency))],
        durationMs: 1_000,
        warmupMs: 500,
        rounds: Math.max(1, ...cells.map((cell) => cell.rounds.length)),
        server: 'auto',
        engine: 'auto',
        loadThreads: 1,
        requestTimeoutMs: 5_000,
        seed: 1,
        quick: false,
        segment: null,
        ...options
      }
    },
    cells
  }
}

/** Throughput of direct HTTP and the shares the tunnels keep, about as measured on two cores. */
const REALISTIC = [
  { size: 'small', concurrency: 1, rps: 8_900, shares: { stream: 0.31, shm: 0.48 } },
  { size: 'small', concurrency: 8, rps: 41_000, shares: { stream: 0.22, shm: 0.31 } },
  { size: 'small', concurrency: 64, rps: 52_000, shares: { stream: 0.29, shm: 0.42 } },
  { size: 'small', concurrency: 256, rps: 49_000, shares: { stream: 0.31, shm: 0.46 } },
  { size: 'large', concurrency: 1, rps: 3_100, shares: { stream: 0.26, shm: 0.44 } },
  { size: 'large', concurrency: 8, rps: 6_800, shares: { stream: 0.25, shm: 0.45 } },
  { size: 'large', concurrency: 64, rps: 6_100, shares: { stream: 0.25, shm: 0.54 } },
  { size: 'large', concurrency: 256, rps: 5_200, shares: { stream: 0.27, shm: 0.61 } }
] as const

/**
 * A whole matrix with every kind of event in it: an A/A arm, errors, a failed cell, a partial one, too few samples, a
 * wide spread, an origin that fell back, a dirty commit. The same on every call.
 */
export function realisticResult (): RunResult {
  const rounds = 3
  const cells = REALISTIC.flatMap(({ size, concurrency, rps, shares }) => {
    const arms = { baseline: 1, 'baseline#2': 1.01, ...shares }
    return Object.entries(arms).map(([arm, share], place) =>
      realisticCell({ arm, size, concurrency, rps: rps * share, rounds, place })
    )
  })
  const result = makeResult(cells, { rounds, durationMs: 5_000, warmupMs: 1_000 })
  const metadata = { ...result.metadata, server: 'node', program: { ...result.metadata.program, dirty: true } }
  return { ...result, metadata }
}

interface RealisticSpec { arm: string, size: string, concurrency: number, rps: number, rounds: number, place: number }

function realisticCell ({ arm, size, concurrency, rps, rounds, place }: RealisticSpec): CellResult {
  const tunnel = !arm.startsWith('baseline')
  if (arm === 'shm' && size === 'large' && concurrency === 256) {
    return makeCell(arm, {
      size,
      concurrency,
      rounds: [],
      failures: ['The host ended with exit code 1 | see its log\nsecond line']
    })
  }
  const results: RoundResult[] = []
  for (let round = 0; round < rounds; round++) {
    if (arm === 'stream' && size === 'large' && concurrency === 64 && round === 1) continue
    // The machine drifts by a few percent from round to round, and all arms of a round drift with it.
    const drift = 1 + 0.04 * Math.sin(round + concurrency) + 0.01 * Math.sin(7 * place + round)
    const slow = arm === 'stream' && size === 'large' && concurrency === 256 && round === 2
    const ok = Math.round(rps * drift * 5 * (slow ? 0.55 : 1))
    const meanNs = concurrency / (ok / 5) * 1e9
    const latency = new Histogram()
    const samples = size === 'large' && concurrency === 1 && tunnel ? 250 : 2_000
    for (let i = 0; i < samples; i++) latency.recordNs(meanNs * (0.7 - 0.3 * Math.log(1 - (i + 0.5) / samples)))
    const failed = arm === 'stream' && concurrency === 256 && size === 'small'
    const cpu: Record<string, CpuUsage | null> = {
      load: { userUs: ok * 2.3, systemUs: ok * 9.4 },
      origin: { userUs: ok * 2.1, systemUs: ok * 8.4 }
    }
    if (tunnel) {
      Object.assign(cpu, {
        host: { userUs: ok * 9.2, systemUs: ok * 11.1 },
        plugin: round === 0 && arm === 'shm' ? null : { userUs: ok * 8.8, systemUs: ok * 10.7 }
      })
    }
    results.push(makeRound({
      round,
      position: (place + round) % 4,
      ok: 0,
      counts: { ok, unfinished: concurrency, ...(failed ? { reset: 12, timeout: 3 } : {}) },
      windowMs: 5_000,
      bodyBytes: ok * (size === 'large' ? 262_144 : 2),
      latency: snapshotOf(latency),
      connect: timesNs([180_000, 220_000, 260_000], concurrency),
      problems: failed ? ['Cannot read the response: the connection was reset'] : [],
      cpu,
      allResponses: ok,
      tunnel: tunnel ? realisticTunnel(arm, ok, size === 'large' ? 262_144 + 200 : 190) : null
    }))
  }
  return makeCell(arm, {
    size,
    concurrency,
    rounds: results,
    failures: results.length < rounds ? ['Round 2: the load generator could not connect within 5s'] : []
  })
}

/** Responses in whole slots and requests in descriptors; a host on the stream copies what it accepts. */
function realisticTunnel (arm: string, requests: number, responseBytes: number): TunnelRound {
  const [requestBytes, bytes] = [requests * 80, requests * responseBytes]
  const bulk = arm === 'shm' && responseBytes > 1_024
  const sent = (payloadBytesSent: number, zero: boolean): Partial<TunnelCounters> => ({
    framesSent: requests,
    payloadBytesSent,
    zeroCopyBytesSent: zero ? payloadBytesSent : 0,
    copiedBytesSent: zero ? 0 : payloadBytesSent
  })
  const received = (payloadBytesReceived: number, zero: boolean): Partial<TunnelCounters> => ({
    framesReceived: requests,
    payloadBytesReceived,
    zeroCopyBytesReceived: zero ? payloadBytesReceived : 0,
    copiedBytesReceived: zero ? 0 : payloadBytesReceived
  })
  const bells =
    arm === 'shm' ? { doorbellsSent: Math.round(requests / 9), doorbellsSaved: Math.round(requests / 3) } : {}
  return {
    host: makeCounters({
      ...sent(requestBytes, false),
      ...received(bytes, bulk),
      ...bells,
      flushes: requests,
      creditStalls: 3
    }),
    plugin: makeCounters({
      ...sent(bytes, bulk),
      ...received(requestBytes, false),
      ...bells,
      flushes: requests,
      exhausted: 5,
      parkedReads: 2
    })
  }
}
