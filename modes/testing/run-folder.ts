import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Ajv } from 'ajv'
import { equalLoadRounds } from '../../src/analysis/equal-load.js'
import { mergeHistograms } from '../../src/analysis/statistics.js'
import { ohaFileNames } from '../../src/report/file-names.js'
import { readRunResult } from '../../src/result/read-result.js'
import type { RunResult } from '../../src/result/run-result.js'
import type { TunnelRound } from '../../src/result/tunnel-counters.js'
import { type Ended, Program } from './program.js'
import { temporaryFolder } from './temporary.js'

const SCHEMA = new URL('../../../docs/result.schema.json', import.meta.url)

export const TABLE_HEADER = '| Transport | Concurrency | RPS | p50 (ms) | p99 (ms) | RPS vs Baseline |'

/** No response of an origin has a longer head. */
const HEAD_MAX_BYTES = 512

/** A run of `tunnel-bench` with folders of its own. */
export class Bench {
  readonly program: Program
  /** Where its results folder is made. */
  readonly out: string
  /** Where it makes its sockets: empty before and after. */
  readonly temporary: string

  constructor (
    t: ExecutionContext,
    args: readonly string[],
    { ownGroup = false, temporary = temporaryFolder(t), path = process.env.PATH ?? '' } = {}
  ) {
    this.out = temporaryFolder(t)
    this.temporary = temporary
    this.program = new Program(t, 'tunnel-bench', ['run', `--out=${this.out}`, ...args], {
      env: { TMPDIR: temporary, PATH: path },
      ownGroup
    })
  }

  get folder (): string {
    const names = readdirSync(this.out)
    if (names.length !== 1) throw new Error(`There should be one results folder: ${names.join(', ')}`)
    return join(this.out, names[0]!)
  }

  get result (): RunResult {
    return readRunResult(this.read('result.json'))
  }

  read (name: string): string {
    return readFileSync(join(this.folder, name), 'utf8')
  }

  /** Checks what holds for every run that ended by itself: nothing left over, files complete and in agreement. */
  async end (t: ExecutionContext): Promise<Ended> {
    const ended = await this.program.ended
    t.deepEqual(readdirSync(this.temporary), [], 'sockets are left over')
    this.#checkFiles(t)
    return ended
  }

  #checkFiles (t: ExecutionContext): void {
    const { result } = this
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(
      JSON.parse(readFileSync(SCHEMA, 'utf8')) as object
    )
    t.true(validate(JSON.parse(this.read('result.json'))), JSON.stringify(validate.errors))
    t.deepEqual(JSON.parse(this.read('metadata.json')), JSON.parse(JSON.stringify(result.metadata)))
    const names = ohaFileNames(result.cells)
    const measured = result.cells.filter((cell) => cell.rounds.length > 0)
    t.deepEqual(
      // Whether there is a bill to draw depends on the arms.
      readdirSync(this.folder).filter((name) => !name.startsWith('bill.')).sort(),
      ['SUMMARY.md', 'metadata.json', 'result.json', ...measured.map((cell) => names.get(cell)!)].sort()
    )
    for (const cell of measured) {
      const oha = JSON.parse(this.read(names.get(cell)!)) as {
        summary: Record<string, number>
        latencyPercentiles: Record<string, number>
      }
      const seconds = cell.rounds.reduce((sum, round) => sum + round.windowMs, 0) / 1000
      const ok = cell.rounds.reduce((sum, round) => sum + round.counts.ok, 0)
      t.true(
        Math.abs(oha.summary.total! - seconds) < 1e-6 && Math.abs(oha.summary.requestsPerSec! - ok / seconds) < 0.01,
        cell.arm
      )
      const latency = mergeHistograms(cell.rounds.map((round) => round.latency))
      for (const percentile of [50, 90, 99]) {
        const expected = latency.percentileNs(percentile) / 1e9
        t.true(
          Math.abs(oha.latencyPercentiles[`p${percentile}`]! - expected) <= expected / 1000,
          `p${percentile} in seconds`
        )
      }
    }
  }
}

/** Every round of a run that had no trouble: counts add up, nothing failed, all roles' CPU is known. */
export function checkRounds (t: ExecutionContext, { cells, metadata: { options } }: RunResult): void {
  t.is(cells.length, options.arms.length * options.sizes.length * options.concurrency.length)
  for (const cell of cells) {
    t.deepEqual(cell.failures, [])
    t.deepEqual(cell.rounds.map(({ round }) => round), Array.from({ length: options.rounds }, (_, round) => round))
    // Of one window nothing is asked: 100 ms may pass without a response where the other programs of a busy machine
    // come first.
    t.true(
      cells
        .filter(({ arm }) => arm === cell.arm)
        .flatMap(({ rounds }) => rounds)
        .some(({ counts }) => counts.ok > 0),
      cell.arm
    )
    for (const { counts, latency, connect, windowMs, bodyBytes, allResponses, problems, cpu, tunnel } of cell.rounds) {
      const { sent, ok, unfinished, ...errors } = counts
      t.is(Object.values(errors).reduce((sum, count) => sum + count), 0, problems.join())
      t.is(sent, ok + unfinished)
      t.true(unfinished <= cell.concurrency && allResponses >= ok)
      t.is(bodyBytes, ok * cell.bodyBytes)
      t.is(latency.count, ok)
      t.true(connect.count >= cell.concurrency)
      t.true(windowMs >= options.durationMs * 0.9)
      t.deepEqual(
        Object.keys(cpu).sort(),
        cell.transport === 'baseline' ? ['load', 'origin'] : ['host', 'load', 'origin', 'plugin']
      )
      t.is(tunnel === null, cell.transport === 'baseline')
      if (tunnel !== null) checkTunnel(t, tunnel, allResponses, cell.bodyBytes)
      // Of this round alone: a response or two per connection were cut off at the end.
      if (tunnel !== null && !cell.arm.includes('stalled')) {
        t.true(
          tunnel.plugin.payloadBytesSent < (allResponses + 2 * cell.concurrency) * (cell.bodyBytes + HEAD_MAX_BYTES)
        )
      }
      if (process.platform === 'linux') {
        for (const [role, used] of Object.entries(cpu)) t.true(used !== null && used.userUs + used.systemUs >= 0, role)
      }
    }
  }
}

/** Every cell of a run without trouble has the same plan at equal load: what it offered was sent, or is counted. */
export function checkEqualLoad (t: ExecutionContext, { cells, metadata: { options } }: RunResult): void {
  for (const cell of cells) {
    const { ratePerSec, rounds, failures } = cell.equalLoad!
    t.deepEqual(failures, [])
    t.is(rounds.length, equalLoadRounds(options))
    for (const { counts, response, lag, offered, unsent } of rounds) {
      t.is(response!.count, counts.ok)
      t.true(lag!.count <= counts.sent)
      // What was due in the warm-up may be sent in the window, one per connection and more where the machine stalls.
      t.true(offered! > 0 && offered! <= counts.sent + unsent!)
    }
    const others = cells.filter((other) => other.size === cell.size && other.concurrency === cell.concurrency)
    for (const other of others) {
      t.deepEqual(
        [other.equalLoad!.ratePerSec, other.equalLoad!.rounds.map(({ offered }) => offered)],
        [ratePerSec, rounds.map(({ offered }) => offered)]
      )
    }
  }
}

/** What both sides counted fits what the generator saw: every byte once, in the direction it went. */
function checkTunnel (t: ExecutionContext, { host, plugin }: TunnelRound, responses: number, bodyBytes: number): void {
  for (const side of [host, plugin]) {
    t.is(side.zeroCopyBytesSent + side.copiedBytesSent, side.payloadBytesSent)
    t.is(side.zeroCopyBytesReceived + side.copiedBytesReceived, side.payloadBytesReceived)
    t.is(side.doorbellsMissed, 0)
    // On a busy machine a short round may come to nothing.
    if (responses > 0) t.true(side.framesSent > 0 && side.framesReceived > 0 && side.flushes > 0)
  }
  t.true(plugin.payloadBytesSent >= responses * bodyBytes && host.payloadBytesReceived >= responses * bodyBytes)
  // A request of the generator has at least a line and a Host header.
  t.true(host.payloadBytesSent >= responses * 20 && plugin.payloadBytesReceived >= responses * 20)
}
