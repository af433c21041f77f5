import type { TunnelError } from '../../base/errors.js'
import type { Reader } from '../engine.js'
import type { Random } from './random.js'

export interface TestReaderOptions {
  readonly claimReserves?: boolean
  /** Memory of the next claim, or null to pause. Default: 64 KiB of its own. */
  readonly memory?: (bytes: number | undefined) => Uint8Array | null
  readonly onCommit?: (bytes: Uint8Array) => void
  readonly onEnd?: () => void
  readonly onConnect?: () => void
}

/**
 * A reader that keeps all it is given, lets a test wait for what comes, and notes every call that breaks the Reader
 * contract.
 */
export class TestReader implements Reader {
  readonly claimReserves: boolean
  readonly violations: string[] = []
  /** The call that led to each callback must be over when the callback comes: tests raise this around a call. */
  isInsideCall = false
  hasConnected = false
  /** Bytes of every commit, copied. */
  readonly commits: Uint8Array[] = []
  receivedBytes = 0
  claims = 0
  /** From a refused claim to `Rig.resume()`: the engine must not ask again in between. */
  isPaused = false
  /** What `close()` was called with. */
  closeError: TunnelError | null | undefined
  private readonly options: TestReaderOptions
  private claimed: Uint8Array | null = null
  private hasEnded = false
  private waiters: Array<{ isMet: () => boolean, resolve: () => void }> = []

  constructor (options: TestReaderOptions = {}) {
    this.options = options
    this.claimReserves = options.claimReserves ?? false
  }

  claim (bytes?: number): Uint8Array | null {
    this.note('claim()', this.hasEnded)
    if (bytes !== undefined && bytes < 1) this.violations.push(`claim(${bytes})`)
    if (this.isPaused) this.violations.push('claim() while paused')
    this.claims++
    this.claimed = this.options.memory === undefined ? new Uint8Array(65_536) : this.options.memory(bytes)
    this.isPaused = this.claimed === null
    return this.claimed
  }

  commit (bytes: number): void {
    this.note('commit()', this.hasEnded)
    if (this.claimed === null) this.violations.push('commit() without a claim')
    else if (!Number.isInteger(bytes) || bytes < 1 || bytes > this.claimed.length) {
      this.violations.push(`commit(${bytes}) of ${this.claimed.length}`)
    }
    const view = this.claimed?.subarray(0, bytes) ?? new Uint8Array(0)
    this.claimed = null
    this.commits.push(view.slice())
    this.receivedBytes += bytes
    this.options.onCommit?.(view)
    this.wake()
  }

  end (): void {
    this.note('end()', this.hasEnded)
    this.hasEnded = true
    this.options.onEnd?.()
    this.wake()
  }

  connect (): void {
    this.note('connect()', false)
    this.hasConnected = true
    this.options.onConnect?.()
    this.wake()
  }

  close (error: TunnelError | null): void {
    this.note('close()', false)
    this.closeError = error
    this.wake()
  }

  get isEnded (): boolean {
    return this.hasEnded
  }

  get isClosed (): boolean {
    return this.closeError !== undefined
  }

  /** True while memory is claimed into which nothing was committed yet. */
  get holdsClaim (): boolean {
    return this.claimed !== null
  }

  received (): Uint8Array {
    return Buffer.concat(this.commits)
  }

  /**
   * Resolves as soon as the condition holds; it is looked at after every callback. Also resolves at the close: check
   * afterwards.
   */
  until (isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiters.push({ isMet: () => isMet() || this.isClosed, resolve })
      this.wake()
    })
  }

  untilBytes (bytes: number): Promise<void> {
    return this.until(() => this.receivedBytes >= bytes)
  }

  untilEnd (): Promise<void> {
    return this.until(() => this.hasEnded)
  }

  untilConnect (): Promise<void> {
    return this.until(() => this.hasConnected)
  }

  async untilClose (): Promise<TunnelError | null> {
    await this.until(() => false)
    return this.closeError ?? null
  }

  private note (call: string, isTooLate: boolean): void {
    if (this.isClosed) this.violations.push(`${call} after close()`)
    else if (isTooLate) this.violations.push(`${call} after end()`)
    if (this.isInsideCall) this.violations.push(`${call} inside the call that caused it`)
  }

  private wake (): void {
    const met = this.waiters.filter((waiter) => waiter.isMet())
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter))
    for (const waiter of met) waiter.resolve()
  }
}

/**
 * Claims of random lengths, small and large, in plain and shared memory; about one in eight is refused, and `onRefusal`
 * called.
 */
export function randomMemory (random: Random, onRefusal: () => void): () => Uint8Array | null {
  return () => {
    if (random.below(8) === 0) {
      onRefusal()
      return null
    }
    const bytes = 1 + random.below([64, 5000, 70_000][random.below(3)]!)
    return random.below(2) === 0 ? new Uint8Array(bytes) : new Uint8Array(new SharedArrayBuffer(bytes))
  }
}
