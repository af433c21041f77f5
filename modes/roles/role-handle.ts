import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { type MessageChannelLike, RoleControl } from '../../workers/control.js'
import type { RoleName, RoleSample, RoleTypes } from '../../workers/roles.js'

/** A thread or process that has been started and runs a role's entry point: what the two modes have to supply. */
export interface RoleRunner {
  readonly channel: MessageChannelLike
  /** null for a thread, and for a process that could not be started. */
  readonly pid: number | null
  /** Resolves when it has ended, with how ("exited with code 1", and the last words of its standard error). */
  readonly ended: Promise<string>
  /** Ends it at once. A last resort: an open uWebSockets.js app aborts a whole process when its thread is ended. */
  kill (): void
}

export type Launch = (name: RoleName) => RoleRunner

/** How long a role may take to start, to answer and to close, before it is given up. */
export interface RoleTimeouts {
  answerMs: number
}

const STANDARD_TIMEOUTS: RoleTimeouts = { answerMs: 15_000 }

/**
 * A running role as the orchestrator sees it. A call to a role that dies or does not answer in time rejects with
 * ERR_TUNNEL_ROLE_FAILED.
 */
export class RoleHandle<N extends RoleName> {
  readonly name: N
  readonly ready: RoleTypes[N]['ready']
  readonly #connection: RoleConnection<N>

  private constructor (name: N, connection: RoleConnection<N>, ready: RoleTypes[N]['ready']) {
    this.name = name
    this.#connection = connection
    this.ready = ready
  }

  static async start<N extends RoleName>(
    launch: Launch,
    name: N,
    options: RoleTypes[N]['options'],
    timeouts = STANDARD_TIMEOUTS
  ): Promise<RoleHandle<N>> {
    const connection = new RoleConnection(name, launch(name), timeouts)
    try {
      return new RoleHandle(name, connection, await connection.answerOf(connection.control.start(options), 'start'))
    } catch (error) {
      await connection.end()
      throw error
    }
  }

  /** Rejects with ERR_TUNNEL_ROLE_FAILED when the role has ended, even where it was closed. */
  get died (): Promise<never> {
    return this.#connection.died
  }

  /** The role's process; none where it is a thread. */
  pids (): readonly number[] {
    return this.#connection.pid === null ? [] : [this.#connection.pid]
  }

  async sample (): Promise<RoleSample> {
    return await this.#connection.answerOf(this.#connection.control.sample(), 'sample')
  }

  /** `expectedMs` is how long the job should take. */
  async measure (job: RoleTypes[N]['job'], expectedMs: number): Promise<RoleTypes[N]['result']> {
    return await this.#connection.answerOf(this.#connection.control.measure(job), 'run a job of', expectedMs)
  }

  /** Closes the role and waits until its thread or process has ended; kills it if it does not. Never rejects. */
  async close (): Promise<void> {
    await this.#connection.end()
  }
}

/** Ties the calls to a role to its life: none outlives it, none waits for ever. */
class RoleConnection<N extends RoleName> {
  readonly control: RoleControl<N>
  readonly #name: N
  readonly #runner: RoleRunner
  readonly #timeouts: RoleTimeouts
  readonly died: Promise<never>
  #ending: Promise<void> | null = null

  constructor (name: N, runner: RoleRunner, timeouts: RoleTimeouts) {
    this.#name = name
    this.#runner = runner
    this.#timeouts = timeouts
    this.control = new RoleControl<N>(runner.channel)
    this.died = runner.ended.then((how) => {
      throw new TunnelError(ErrorCode.ROLE_FAILED, `The ${name} role ended unexpectedly: it ${how}`)
    })
    this.died.catch(() => {}) // it may die while nobody waits for it: the next call tells
  }

  get pid (): number | null { return this.#runner.pid }

  async answerOf<T> (answer: Promise<T>, action: string, expectedMs = 0): Promise<T> {
    return await this.#within(Promise.race([answer, this.died]), action, expectedMs)
  }

  async end (): Promise<void> {
    this.#ending ??= this.#end()
    await this.#ending
  }

  async #end (): Promise<void> {
    const { ended } = this.#runner
    try {
      await this.#within(Promise.race([this.control.close(), ended]), 'close', 0)
      await this.#within(ended, 'end', 0)
    } catch {
      this.#runner.kill()
      await this.#within(ended, 'kill', 0).catch(() => {})
    } finally {
      this.control.release()
    }
  }

  async #within<T> (promise: Promise<T>, action: string, expectedMs: number): Promise<T> {
    const limitMs = expectedMs + this.#timeouts.answerMs
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new TunnelError(
            ErrorCode.ROLE_FAILED,
            `Cannot ${action} the ${this.#name} role: no answer within ${limitMs} ms`
          )
        )
      }, limitMs)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
