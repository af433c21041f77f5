import { type ChildProcess, spawn } from 'node:child_process'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { parseStraceSummary } from './strace-summary.js'

const ATTACH_LIMIT_MS = 5000
const DETACH_LIMIT_MS = 5000

/** What a strace says beside its table is short, but one line for each thread that it lets go. */
const OUTPUT_CHARACTERS = 100_000

/**
 * Counts the system calls of roles with `strace -c`, one strace for each role, attached to all its processes with all
 * their threads and children. While it is attached the roles are many times slower: what is measured meanwhile has no
 * time.
 */
export class SystemCallCounter {
  readonly #traces: ReadonlyMap<string, Trace>

  private constructor (traces: ReadonlyMap<string, Trace>) {
    this.#traces = traces
  }

  /**
   * `processes`: ids by role. Rejects with ERR_TUNNEL_UNAVAILABLE where strace is missing or may not attach; then none
   * is attached.
   */
  static async attach (processes: Readonly<Record<string, readonly number[]>>): Promise<SystemCallCounter> {
    const counter = new SystemCallCounter(
      new Map(Object.entries(processes).map(([role, pids]) => [role, new Trace(pids)]))
    )
    try {
      await Promise.all([...counter.#traces.values()].map(async (trace) => { await trace.attached() }))
      return counter
    } catch (error) {
      await counter.close()
      throw error
    }
  }

  /**
   * Ends all straces. Calls since they were attached, by role and name; rejects with ERR_TUNNEL_UNAVAILABLE where one
   * did not tell.
   */
  async detach (): Promise<Record<string, Record<string, number>>> {
    return Object.fromEntries(
      await Promise.all([...this.#traces].map(async ([role, trace]) => [role, await trace.detach()] as const))
    )
  }

  /** Ends what has not been ended. Never rejects. */
  async close (): Promise<void> {
    await Promise.all([...this.#traces.values()].map(async (trace) => { await trace.end() }))
  }
}

class Trace {
  readonly #pids: readonly number[]
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #killAtExit = (): void => { this.#child.kill('SIGKILL') }
  #output = ''
  /** Why it is of no use, or null. */
  #fault: string | null = null
  #hasEnded = false
  #onChange = (): void => {}

  constructor (pids: readonly number[]) {
    this.#pids = pids
    // In a process group of its own: Ctrl-C is for the orchestrator, which ends it in good order.
    this.#child = spawn('strace', ['-c', '-f', ...pids.flatMap((pid) => ['-p', String(pid)])], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' }
    })
    process.on('exit', this.#killAtExit)
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS)
      this.#onChange()
    })
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true
        process.off('exit', this.#killAtExit)
        this.#onChange()
        resolve()
      }
      this.#child.on('close', (_code, signal) => {
        if (signal === 'SIGKILL') this.#fault ??= 'it did not let go in time'
        end()
      })
      this.#child.on('error', (error: NodeJS.ErrnoException) => {
        this.#fault = error.code === 'ENOENT' ? 'strace is not installed' : error.message
        if (this.#child.pid === undefined) end()
      })
    })
  }

  /** Resolves when every process and thread is attached. */
  async attached (): Promise<void> {
    const isAttached = (): boolean =>
      this.#pids.every((pid) => new RegExp(`\\bProcess ${pid} attached\\b`).test(this.#output))
    const timer = setTimeout(() => {
      this.#fault ??= `it was not attached within ${ATTACH_LIMIT_MS} ms`
      this.#onChange()
    }, ATTACH_LIMIT_MS)
    await new Promise<void>((resolve) => {
      this.#onChange = () => { if (this.#fault !== null || this.#hasEnded || isAttached()) resolve() }
      this.#onChange()
    })
    clearTimeout(timer)
    if (this.#fault !== null || !isAttached()) throw this.#unavailable()
  }

  async detach (): Promise<Record<string, number>> {
    await this.end()
    const calls = this.#fault === null ? parseStraceSummary(this.#output) : null
    if (calls === null) throw this.#unavailable()
    return calls
  }

  /** SIGINT makes strace let go, print its table and end. */
  async end (): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGINT')
    const timer = setTimeout(() => { this.#child.kill('SIGKILL') }, DETACH_LIMIT_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #unavailable (): TunnelError {
    const words = this.#fault ?? (/^strace: (.*)$/m.exec(this.#output)?.[1] ?? 'it printed no table that adds up')
    return new TunnelError(
      ErrorCode.UNAVAILABLE,
      `Cannot count system calls of process ${this.#pids.join(', ')}: ${words}`
    )
  }
}
