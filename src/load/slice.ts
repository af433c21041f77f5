import { nowNs, SECOND_NS } from '../base/clock.js'
import { Histogram } from '../metrics/histogram.js'
import { BusyMeter } from './record/busy-meter.js'
import { ClosedLoop } from './loop/closed-loop.js'
import type { ConnectionSettings } from './http/connection.js'
import type { LoadJob, LoadResult } from './job.js'
import type { Loop, SliceState } from './loop/loop.js'
import { OpenLoop } from './loop/open-loop.js'
import type { LoadProgress } from './record/progress.js'
import { StalledReader } from './loop/stalled-reader.js'
import { Tally } from './record/tally.js'

/**
 * Timeouts are found, and connections tried again, at this interval: a timeout comes up to this much late (and as much
 * later as the thread is busy), never early. One timer for all connections costs nothing per request.
 */
export const SWEEP_MS = 10
export interface SliceEvents {
  /** As many requests are settled as were asked for. */
  onFinished (): void
  /** A second of the window has passed. Telling of it takes about a millisecond. */
  onProgress: ((progress: LoadProgress) => void) | undefined
}

/** All connections of one thread: opened together, started together, stopped together. */
export class Slice implements SliceState {
  readonly settings: ConnectionSettings
  readonly tally: Tally
  isRunning = false

  readonly #job: LoadJob
  readonly #loops: Loop[] = []
  #openLoop: OpenLoop | null = null
  readonly #stalledReaders: StalledReader[] = []
  readonly #busy = new BusyMeter()
  #toBegin: number
  #toSettle: number
  readonly #events: SliceEvents
  #secondsTold = 0
  #pendingAttempts = 0
  #openSockets = 0
  #onConnected: (() => void) | null = null
  #onAllClosed: (() => void) | null = null
  #sweepTimer: NodeJS.Timeout | undefined

  constructor (job: LoadJob, settings: ConnectionSettings, events: SliceEvents) {
    this.#job = job
    this.settings = settings
    this.tally = new Tally(job.pace.kind === 'open')
    this.#toBegin = this.#toSettle = job.requests ?? Infinity
    this.#events = events
  }

  /**
   * Opens every connection. Resolves when each has connected or failed; the failed ones are tried again from `start()`
   * on.
   */
  async open (stalledRequest: Buffer): Promise<void> {
    const { concurrency, pace, stalledReaders, connectTimeoutMs, target } = this.#job
    this.#pendingAttempts = concurrency + stalledReaders
    const connected = new Promise<void>((resolve) => { this.#onConnected = resolve })
    const events = {
      onSettled: () => this.onFirstAttempt(),
      onProblem: (problem: string) => this.tally.addProblem(problem),
      onClose: () => this.onClose()
    }
    for (let i = 0; i < stalledReaders; i++) {
      this.onOpen()
      this.#stalledReaders.push(
        new StalledReader(this.settings.engine, target, connectTimeoutMs, stalledRequest, events)
      )
    }
    if (pace.kind === 'open') {
      this.#openLoop = new OpenLoop(this, pace, concurrency, this.#job.requests)
      this.#loops.push(this.#openLoop)
    } else for (let i = 0; i < concurrency; i++) this.#loops.push(new ClosedLoop(this))
    this.#sweepTimer = setInterval(() => { this.#sweep() }, SWEEP_MS)
    await connected
  }

  /** Begins to send; the window opens `warmupMs` after `startNs`. */
  start (startNs: number): void {
    const windowStartNs = startNs + this.#job.warmupMs * 1e6
    this.tally.setWindow(windowStartNs, windowStartNs + this.#job.durationMs * 1e6)
    this.isRunning = true
    if (this.#openLoop !== null) this.#openLoop.start(startNs)
    else for (const loop of this.#loops) loop.start(nowNs())
  }

  /** Closes the books, cuts every connection off, and resolves when all are gone. */
  async stop (): Promise<void> {
    this.isRunning = false
    clearInterval(this.#sweepTimer)
    const now = nowNs()
    if (this.#busy.hasBegun) this.#busy.read(now, this.#idleNs)
    this.tally.cutWindow(now)
    for (const loop of this.#loops) loop.stop()
    for (const reader of this.#stalledReaders) reader.stop()
    if (this.#openSockets > 0) await new Promise<void>((resolve) => { this.#onAllClosed = resolve })
  }

  result (cpu: LoadResult['cpu']): LoadResult {
    return this.tally.result(cpu, this.#busy.share())
  }

  tryBegin (): boolean {
    if (this.#toBegin <= 0) return false
    this.#toBegin--
    return true
  }

  onSettled (nowNs: number): void {
    if (--this.#toSettle !== 0) return
    // Not a nanosecond later: this outcome still counts.
    this.tally.cutWindow(nowNs)
    this.#events.onFinished()
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

  get #idleNs (): number { return this.#openLoop?.idleNs ?? 0 }

  #sweep (): void {
    const now = nowNs()
    const timeoutNs = this.#job.requestTimeoutMs * 1e6
    for (const loop of this.#loops) loop.sweep(now, timeoutNs)
    if (!this.isRunning) return
    if (now >= this.tally.startNs && !this.#busy.hasBegun) this.#busy.read(now, this.#idleNs)
    this.tally.seal(now - timeoutNs - SWEEP_MS * 1e6)
    if (this.#events.onProgress !== undefined) this.#tellSeconds(now, this.#events.onProgress)
  }

  #tellSeconds (now: number, tell: (progress: LoadProgress) => void): void {
    const { startNs } = this.tally
    for (; now - startNs >= (this.#secondsTold + 1) * SECOND_NS; this.#secondsTold++) {
      const latency = this.tally.peek(startNs + this.#secondsTold * SECOND_NS) ?? new Histogram()
      tell({ second: this.#secondsTold + 1, counts: this.tally.counts, latency: latency.encode() })
    }
  }
}
