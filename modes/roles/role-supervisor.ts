import { TunnelError } from '../../src/base/errors.js'
import type { Topology } from './topology.js'

/** What measurements need of a topology. */
export type Roles = Pick<
  Topology,
  'engine' | 'engineNote' | 'server' | 'serverNote' | 'start' | 'measure' | 'countSystemCalls' | 'close' | 'closeNow'
>

/** What came of a measurement, or why nothing did. */
export type Attempt<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly reason: string }

/**
 * The roles of a run: started when they are first needed, closed after a failure, and started anew for the next
 * measurement. They are closed when `signal` is aborted, which ends a measurement that is going on.
 */
export class RoleSupervisor {
  readonly signal: AbortSignal
  readonly #create: () => Roles
  readonly #onReady: (roles: Roles) => void
  readonly #stop = (): void => { void this.#roles?.close() }
  #roles: Roles | null = null
  #hasRun = false

  /** `onReady`: all of them run, for the first time or again. */
  constructor (create: () => Roles, onReady: (roles: Roles) => void, signal: AbortSignal) {
    this.#create = create
    this.#onReady = onReady
    this.signal = signal
    signal.addEventListener('abort', this.#stop)
  }

  /** Rejects only where the roles have never run: then there is no point in going on. */
  async attempt<T> (action: (roles: Roles) => Promise<T>): Promise<Attempt<T>> {
    try {
      if (this.#roles === null) {
        this.#roles = this.#create()
        await this.#roles.start()
        this.#hasRun = true
        this.#onReady(this.#roles)
      }
      return { ok: true, value: await action(this.#roles) }
    } catch (error) {
      await this.#roles?.close()
      this.#roles = null
      if (!this.#hasRun && !this.signal.aborted) throw error
      return { ok: false, reason: error instanceof TunnelError ? error.message : String(error) }
    }
  }

  async close (): Promise<void> {
    this.signal.removeEventListener('abort', this.#stop)
    await this.#roles?.close()
  }

  /** Closes all roles at the same time. */
  async closeNow (): Promise<void> {
    await this.#roles?.closeNow()
  }
}
