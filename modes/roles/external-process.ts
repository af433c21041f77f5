import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { type Address, formatAddress } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { createEngine, type EngineChoice } from '../../src/engine/create-engine.js'
import { runLoadSlice } from '../../src/load/generator.js'
import type { LoadJob } from '../../src/load/job.js'
import type { RoleSample } from '../../workers/roles.js'
import { forgetGroup, guardGroup } from '../system/guard.js'
import { treeCpu, treeOf } from '../system/process-tree.js'

const LAST_WORDS_CHARACTERS = 2000
const LOOK_INTERVAL_MS = 50
const LOOK_LIMIT_MS = 1000
const SILENCE = 'it did not answer'

export interface ExternalOptions {
  readonly name: string
  /** For /bin/sh; null: the program runs already, and is left alone. */
  readonly command: string | null
  readonly target: Address
  /** What asks whether it is ready. Default auto. */
  readonly engine?: EngineChoice
  /** True: give up. */
  readonly isInterrupted: () => boolean
  /** How long it may take until /health is answered. Default 10,000. */
  readonly readyMs?: number
  /** How long it may take to end after SIGTERM. Default 3,000. */
  readonly endMs?: number
}

/** One request for /health, on a connection like those of the measurement. */
function healthJob (target: Address, limitMs: number): LoadJob {
  return {
    target,
    path: '/health',
    expect: { kind: 'response', status: 200, sha256: null },
    pace: { kind: 'closed' },
    concurrency: 1,
    requests: 1,
    warmupMs: 0,
    durationMs: limitMs,
    requestTimeoutMs: limitMs,
    connectTimeoutMs: limitMs,
    threads: 1,
    stalledReaders: 0,
    stalledPath: '/health'
  }
}

/**
 * A program from outside that carries an arm: started in a process group of its own, and stopped with everything it
 * started.
 */
export class ExternalProcess {
  readonly #options: ExternalOptions
  readonly #child: ChildProcess | null
  readonly #killAtExit = (): void => { this.#signal('SIGKILL') }
  #lastWords = ''
  #ended: string | null = null
  #closing: Promise<void> | null = null

  private constructor (options: ExternalOptions) {
    this.#options = options
    this.#child =
      options.command === null
        ? null
        : spawn('/bin/sh', ['-c', options.command], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
    if (this.#child === null) return
    process.on('exit', this.#killAtExit)
    if (this.#child.pid !== undefined) guardGroup(this.#child.pid)
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_CHARACTERS)
    })
    this.#child.on('error', (error) => { this.#ended = `could not be started: ${error.message}` })
    this.#child.on('exit', (code, signal) => {
      this.#ended = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    })
  }

  /**
   * Resolves when the program answers /health as the origin does. Else it is stopped, and this rejects with
   * ERR_TUNNEL_ROLE_FAILED or ERR_TUNNEL_INTERRUPTED.
   */
  static async start (options: ExternalOptions): Promise<ExternalProcess> {
    const external = new ExternalProcess(options)
    try {
      await external.#untilReady()
      return external
    } catch (error) {
      await external.close()
      throw error
    }
  }

  /** Rejects with ERR_TUNNEL_ROLE_FAILED where the program has ended. */
  async sample (): Promise<RoleSample> {
    this.#checkAlive()
    return { cpu: this.#child === null ? null : treeCpu(this.#child.pid!), rssBytes: 0, stats: null }
  }

  /** All that was started and still runs; none where the run has not started it. */
  pids (): readonly number[] {
    return this.#child?.pid === undefined ? [] : (treeOf(this.#child.pid) ?? []).map(({ pid }) => pid)
  }

  /** SIGTERM to all that was started, then SIGKILL to what is left. Never rejects. */
  async close (): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #untilReady (): Promise<void> {
    const { name, target, isInterrupted, readyMs = 10_000 } = this.#options
    const url = `http://${formatAddress(target)}/health`
    const engine = createEngine(this.#options.engine ?? 'auto', { spin: 0 })
    const endsAt = performance.now() + readyMs
    let last = SILENCE
    while (performance.now() < endsAt) {
      if (isInterrupted()) throw new TunnelError(ErrorCode.INTERRUPTED, `Interrupted before ${name} was ready`)
      this.#checkAlive()
      const limitMs = Math.ceil(Math.min(LOOK_LIMIT_MS, endsAt - performance.now()))
      const { counts, problems } = await runLoadSlice(engine, healthJob(target, limitMs))
      if (counts.ok > 0) return
      // A look that the end cuts short tells only that; an earlier one knows why.
      if (limitMs === LOOK_LIMIT_MS || last === SILENCE) last = problems[0] ?? last
      await delay(LOOK_INTERVAL_MS)
    }
    throw this.#failed(
      `${url} was not answered with status 200 within ${readyMs} ms (${last}): check that it listens there and ` +
      'forwards to the origin'
    )
  }

  #checkAlive (): void {
    if (this.#ended !== null) {
      throw this.#failed(`its command ${this.#ended}: it has to stay in the foreground for as long as it serves`)
    }
  }

  #failed (what: string): TunnelError {
    const words = this.#lastWords.replace(/\s+/g, ' ').trim()
    return new TunnelError(
      ErrorCode.ROLE_FAILED,
      `Cannot use the arm ${this.#options.name}: ${what}${words === '' ? '' : `; it said: ${words}`}`
    )
  }

  async #close (): Promise<void> {
    if (this.#child?.pid === undefined) return
    const { endMs = 3000 } = this.#options
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      this.#signal(signal)
      const endsAt = performance.now() + endMs
      while (this.#isAlive() && performance.now() < endsAt) await delay(LOOK_INTERVAL_MS)
      if (!this.#isAlive()) break
    }
    process.off('exit', this.#killAtExit)
    if (!this.#isAlive()) forgetGroup(this.#child.pid)
  }

  /** To the whole group, and to descendants that have left it. */
  #signal (signal: NodeJS.Signals): void {
    const group = this.#child?.pid
    if (group === undefined) return
    for (const pid of [...(treeOf(group) ?? []).filter((one) => one.group !== group).map((one) => one.pid), -group]) {
      try {
        process.kill(pid, signal)
      } catch {} // it has ended
    }
  }

  #isAlive (): boolean {
    const tree = treeOf(this.#child!.pid!)
    if (tree !== null) return tree.length > 0
    try {
      return process.kill(-this.#child!.pid!, 0)
    } catch {
      return false
    }
  }
}
