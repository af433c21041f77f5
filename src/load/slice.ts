import { nowNs } from '../base/clock.js'
import { ClosedLoop, type SliceState } from './closed-loop.js'
import type { ConnectionSettings } from './connection.js'
import type { LoadJob } from './job.js'
import { StalledReader } from './stalled-reader.js'
import { Tally } from './tally.js'

/**
 * Timeouts are found, and connections tried again, at this interval: a timeout comes up to this much late (and as much later as
 * the thread is busy), never early. One timer for all connections costs nothing per request.
 */
export const SWEEP_MS = 10

/** All connections of one thread: opened together, started together, stopped together. */
export class Slice implements SliceState {
  readonly settings: ConnectionSettings
  readonly tally = new Tally()
  isRunning = false

  readonly #job: LoadJob
  readonly #loops: ClosedLoop[] = []
  readonly #stalledReaders: StalledReader[] = []
  #pendingAttempts = 0
  #openSockets = 0
  #onConnected: (() => void) | null = null
  #onAllClosed: (() => void) | null = null
  #sweepTimer: NodeJS.Timeout | undefined

  constructor (job: LoadJob, settings: ConnectionSettings) {
    this.#job = job
    this.settings = settings
  }

  /** Opens every connection. Resolves when each has connected or failed; the failed ones are tried again from `start()` on. */
  async open (stalledRequest: Buffer): Promise<void> {
    const { concurrency, stalledReaders, connectTimeoutMs, requestTimeoutMs, target } = this.#job
    this.#pendingAttempts = concurrency + stalledReaders
    const connected = new Promise<void>((resolve) => { this.#onConnected = resolve })
    const events = { onSettled: () => this.onFirstAttempt(), onProblem: (problem: string) => this.tally.addProblem(problem), onClose: () => this.onClose() }
    for (let i = 0; i < stalledReaders; i++) {
      this.onOpen()
      this.#stalledReaders.push(new StalledReader(this.settings.engine, target, connectTimeoutMs, stalledRequest, events))
    }
    for (let i = 0; i < concurrency; i++) this.#loops.push(new ClosedLoop(this))
    this.#sweepTimer = setInterval(() => {
      const now = nowNs()
      for (const loop of this.#loops) loop.sweep(now, requestTimeoutMs * 1e6)
    }, SWEEP_MS)
    await connected
  }

  /** Begins to send; the window opens `warmupMs` after `startNs`. */
  start (startNs: number): void {
    const windowStartNs = startNs + this.#job.warmupMs * 1e6
    this.tally.setWindow(windowStartNs, windowStartNs + this.#job.durationMs * 1e6)
    this.isRunning = true
    for (const loop of this.#loops) loop.start(nowNs())
  }

  /** Closes the books, cuts every connection off, and resolves when all are gone. */
  async stop (): Promise<void> {
    this.isRunning = false
    clearInterval(this.#sweepTimer)
    this.tally.cutWindow(nowNs())
    for (const loop of this.#loops) loop.stop()
    for (const reader of this.#stalledReaders) reader.stop()
    if (this.#openSockets > 0) await new Promise<void>((resolve) => { this.#onAllClosed = resolve })
  }

  onFirstAttempt (): void {
    this.#pendingAttempts--
    if (this.#pendingAttempts === 0) this.#onConnected?.()
  }

  onOpen (): void {
    this.#openSockets++
  }

  onClose (): void {
    this.#openSockets--
    if (this.#openSockets === 0) this.#onAllClosed?.()
  }
}
