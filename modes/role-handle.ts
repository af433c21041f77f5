import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { type MessageChannelLike, RoleControl } from '../workers/control.js'
import type { RoleName, RoleSample, RoleTypes } from '../workers/roles.js'

/** A thread or process that has been started and runs a role's entry point: what the two modes have to supply. */
export interface Vessel {
  readonly channel: MessageChannelLike
  /** Resolves when it has ended, with how ("exited with code 1", and the last words of its standard error). */
  readonly ended: Promise<string>
  /** Ends it at once. A last resort: an open uWebSockets.js app aborts a whole process when its thread is ended. */
  kill (): void
}

export type Launch = (name: RoleName) => Vessel

/** A role that takes longer than this to start or to close is given up. */
const ANSWER_TIMEOUT_MS = 15_000

/** A running role as the orchestrator sees it. A call to a role that dies in the middle rejects with ERR_TUNNEL_ROLE_FAILED. */
export class RoleHandle<N extends RoleName> {
  readonly name: N
  readonly ready: RoleTypes[N]['ready']
  readonly #vessel: Vessel
  readonly #control: RoleControl<N>
  readonly #died: Promise<never>
  #closing = false

  private constructor (name: N, vessel: Vessel, control: RoleControl<N>, died: Promise<never>, ready: RoleTypes[N]['ready']) {
    this.name = name
    this.ready = ready
    this.#vessel = vessel
    this.#control = control
    this.#died = died
  }

  static async start<N extends RoleName> (launch: Launch, name: N, options: RoleTypes[N]['options']): Promise<RoleHandle<N>> {
    const vessel = launch(name)
    const control = new RoleControl<N>(vessel.channel)
    const died = vessel.ended.then((how) => {
      throw new TunnelError(ErrorCode.ROLE_FAILED, `The ${name} role ended unexpectedly: it ${how}`)
    })
    died.catch(() => {}) // a role may die while nobody waits for it: the next call tells
    try {
      const ready = await within(Promise.race([control.start(options), died]), `start the ${name} role`)
      return new RoleHandle(name, vessel, control, died, ready)
    } catch (error) {
      await endOf(vessel, control)
      throw error
    }
  }

  async sample (): Promise<RoleSample> {
    return await Promise.race([this.#control.sample(), this.#died])
  }

  async measure (job: RoleTypes[N]['job']): Promise<RoleTypes[N]['result']> {
    return await Promise.race([this.#control.measure(job), this.#died])
  }

  /** Closes the role and waits until its thread or process has ended; kills it if it does not. Never rejects. */
  async close (): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await endOf(this.#vessel, this.#control)
  }

  kill (): void {
    this.#vessel.kill()
  }
}

async function endOf<N extends RoleName> (vessel: Vessel, control: RoleControl<N>): Promise<void> {
  try {
    await within(Promise.race([control.close(), vessel.ended]), 'close a role')
    await within(vessel.ended, 'end a role')
  } catch {
    vessel.kill()
    await vessel.ended
  } finally {
    control.release()
  }
}

async function within<T> (promise: Promise<T>, action: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([promise, new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => { reject(new TunnelError(ErrorCode.ROLE_FAILED, `Cannot ${action}: no answer within ${ANSWER_TIMEOUT_MS} ms`)) }, ANSWER_TIMEOUT_MS)
    })])
  } finally {
    clearTimeout(timer)
  }
}
