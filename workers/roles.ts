import type { Address } from '../src/base/address.js'
import type { LoadJob, LoadResult } from '../src/load/job.js'
import type { EngineChoice, SpinChoice } from '../src/engine/create-engine.js'
import type { CpuUsage } from '../src/metrics/cpu.js'
import type { Origin, OriginOptions } from '../src/origin/origin.js'
import type { TransportChoice } from '../src/transport/transport-kinds.js'
import type { TunnelStats } from '../src/tunnel/tunnel.js'

/**
 * The roles: what each is started with, what it says when it is ready, and the jobs it takes. All of it is plain data.
 */
export interface RoleTypes {
  origin: {
    /** `path`: of a Unix socket to listen on as well. `engine` and `spin` are for `lab`. */
    options: Required<Omit<OriginOptions, 'onSocketFile'>>
    ready: { server: Origin['server']; address: Address; unixAddress: Address | null; note: string | null }
    job: never
    result: never
  }
  host: {
    options: { listen: Address; tunnel: Address; transport: TransportChoice; engine: EngineChoice; spin: SpinChoice }
    ready: { address: Address }
    job: never
    result: never
  }
  plugin: {
    /** `origin`: where to forward to, or that the plugin answers itself. */
    options: {
      tunnel: Address
      transport: TransportChoice
      engine: EngineChoice
      spin: SpinChoice
      origin: Address | 'embedded'
      attachTimeoutMs: number
    }
    ready: Record<string, never>
    job: never
    result: never
  }
  /** A hop without a tunnel. */
  relay: {
    options: { listen: Address; target: Address; engine: EngineChoice; spin: SpinChoice }
    ready: { address: Address }
    job: never
    result: never
  }
  load: {
    /** `generator`: what measures; the own one warms up in any case. */
    options: { engine: EngineChoice; generator: 'own' | 'oha' | 'wrk' }
    /** `note`: why another engine than the preferred one runs, or null. */
    ready: { engine: string; note: string | null }
    job: LoadJob
    result: LoadResult
  }
}

export type RoleName = keyof RoleTypes

export interface RoleSample {
  /** CPU time of the role so far; null where the system cannot tell. */
  readonly cpu: CpuUsage | null
  /** Resident memory of the role's process: in threads mode all roles share one. */
  readonly rssBytes: number
  /** Host and plugin only. */
  readonly stats: TunnelStats | null
}

/** A running role, as its entry point makes it. */
export interface RunningRole<N extends RoleName> {
  readonly ready: RoleTypes[N]['ready']
  stats? (): TunnelStats
  measure? (job: RoleTypes[N]['job']): Promise<RoleTypes[N]['result']>
  /** Frees everything, so that the thread or process ends by itself. */
  close (): Promise<void>
}
