import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isReaderGone } from '../system/standard-output.js'

/** What is kept for a reader that is slow or has stopped. */
const KEPT_BYTES = 256 * 1024
const LOOK_INTERVAL_MS = 50
/** How long the end of the process waits for a reader. */
const FLUSH_MS = 500

export interface LineOutputOptions {
  /** The line that says how many were dropped. */
  readonly dropped: (lines: number) => string
  /**
   * Called once, when a line cannot be written for another reason than that the reader has gone. `lines`: how many
   * were written.
   */
  readonly onError: (error: NodeJS.ErrnoException, lines: number) => void
  readonly keptBytes?: number
}

/**
 * Lines to a descriptor that never wait for its reader: a terminal that was stopped by Ctrl-S, or a pipe that nobody
 * reads, would
 * else stop the whole process, or fill its memory. Lines beyond `keptBytes` are dropped until the others have been
 * read; then
 * one line says how many.
 */
export class LineOutput {
  readonly #options: LineOutputOptions
  readonly #descriptor: number
  readonly #kept: Buffer[] = []
  #keptBytes = 0
  #written = 0
  #dropped = 0
  #hasFailed = false
  #timer: NodeJS.Timeout | null = null

  constructor (descriptor: number, options: LineOutputOptions) {
    this.#options = options
    this.#descriptor = withoutWaiting(descriptor)
  }

  line (text: string): void {
    if (this.#hasFailed) return
    const bytes = Buffer.from(`${text}\n`)
    const isFull = this.#kept.length > 0 && this.#keptBytes + bytes.length > (this.#options.keptBytes ?? KEPT_BYTES)
    if (this.#dropped > 0 || isFull) this.#dropped++
    else this.#keep(bytes)
    this.#flush()
  }

  /**
   * Writes what is kept, as far as there is somebody to read it within half a second. For the end of the process: it
   * waits.
   */
  end (): void {
    const endsAt = performance.now() + FLUSH_MS
    const clock = new Int32Array(new SharedArrayBuffer(4))
    for (this.#flush(); this.#kept.length > 0 && performance.now() < endsAt; this.#flush()) Atomics.wait(clock, 0, 0, 5)
  }

  #keep (bytes: Buffer): void {
    this.#kept.push(bytes)
    this.#keptBytes += bytes.length
  }

  #flush (): void {
    try {
      while (this.#kept.length > 0) {
        const [bytes] = this.#kept as [Buffer]
        const count = writeSync(this.#descriptor, bytes)
        this.#keptBytes -= count
        if (count < bytes.length) this.#kept[0] = bytes.subarray(count)
        else this.#kept.shift()
        if (count === bytes.length) this.#written++
        if (this.#kept.length === 0 && this.#dropped > 0) {
          this.#keep(Buffer.from(`${this.#options.dropped(this.#dropped)}\n`))
          this.#dropped = 0
        }
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return this.#fail(error as NodeJS.ErrnoException)
    }
    if (this.#kept.length === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#flush()
    }, LOOK_INTERVAL_MS).unref()
  }

  #fail (error: NodeJS.ErrnoException): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#kept.length = 0
    this.#keptBytes = 0
    if (!isReaderGone(error)) this.#options.onError(error, this.#written)
  }
}

/**
 * A terminal or a pipe, opened once more so that writing never waits and nobody else finds it changed. A file never
 * makes anybody wait, and Node has
 * done the same with a socket. The descriptor as it is where the system has no /proc, or does not allow it.
 */
function withoutWaiting (descriptor: number): number {
  const stat = fstatSync(descriptor)
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return descriptor
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return descriptor
  }
}
