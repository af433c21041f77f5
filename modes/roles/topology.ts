import type { Address } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { LoadJob, LoadResult } from '../../src/load/job.js'
import { type CpuUsage, cpuSince } from '../../src/metrics/cpu.js'
import type { ServerChoice } from '../../src/origin/origin.js'
import { countersSince, type TunnelCounters, type TunnelRound } from '../../src/result/tunnel-counters.js'
import { countersOf } from '../../src/tunnel/tunnel.js'
import type { RoleName, RoleSample, RoleTypes } from '../../workers/roles.js'
import { startGuard } from '../system/guard.js'
import { SystemCallCounter } from '../system/system-call-counter.js'
import { type ArmPath, type PathArm, type PathOptions, startPath } from './arm-path.js'
import { type ExternalOptions, ExternalProcess } from './external-process.js'
import { launchProcess } from './processes.js'
import { type Launch, RoleHandle } from './role-handle.js'
import { SocketFolder } from './socket-folder.js'
import { launchThread } from './threads.js'

const LOCALHOST = '127.0.0.1'

const CLOSING_ORDER: readonly RoleName[] = ['load', 'relay', 'host', 'plugin', 'origin']

export interface TopologyOptions extends PathOptions {
  readonly server: ServerChoice
  /** What sends the load; default own. */
  readonly generator?: 'own' | 'oha' | 'wrk'
  /** What to set up a way to the origin for: one for each path. */
  readonly arms: readonly PathArm[]
  readonly originPort: number
  /** Told what runs that were killed have left behind. */
  readonly onNote: (sentence: string) => void
}

/** A measurement, and what the roles it touched did over it. */
export interface MeasuredLoad {
  readonly result: LoadResult
  readonly cpu: Record<string, CpuUsage | null>
  /** null without a tunnel. */
  readonly tunnel: TunnelRound | null
}

/**
 * All roles of a run, started and closed together: one origin, one load generator, and what lies between them for each
 * arm. The baseline asks the same origin directly that the plugins forward to, so that the tunnel is the only
 * difference.
 */
export class Topology {
  readonly #options: TopologyOptions
  readonly #launch: Launch
  readonly #arms: readonly PathArm[]
  readonly #started: Array<RoleHandle<RoleName>> = []
  readonly #externals: ExternalProcess[] = []
  readonly #paths = new Map<string, ArmPath>()
  #folder: SocketFolder | null = null
  #origin!: RoleHandle<'origin'>
  #load!: RoleHandle<'load'>
  #starting: Promise<void> | null = null
  #closing: Promise<void> | null = null

  /** Starts nothing yet. */
  constructor (options: TopologyOptions) {
    this.#options = options
    this.#launch = options.mode === 'threads' ? launchThread : launchProcess
    this.#arms = options.arms.filter(({ path }, at) => options.arms.findIndex((arm) => arm.path === path) === at)
  }

  /**
   * Starts every role. Rejects where one fails, and with ERR_TUNNEL_INTERRUPTED after `close()`, which is to be called
   * in any case.
   */
  async start (): Promise<void> {
    this.#starting = this.#start()
    await this.#starting
  }

  get engine (): string {
    return this.#load.ready.engine
  }

  /** Why another engine than the preferred one runs, or null. */
  get engineNote (): string | null {
    return this.#load.ready.note
  }

  get server (): string {
    return this.#origin.ready.server
  }

  /** Why another origin than the preferred one runs, or null. */
  get serverNote (): string | null {
    return this.#origin.ready.note
  }

  /** Runs one load job over the path of an arm. */
  async measure (name: string, job: Omit<LoadJob, 'target'>): Promise<MeasuredLoad> {
    const path = this.#pathOf(name)
    const roles: ArmPath['roles'] = { load: this.#load, ...path.roles, origin: this.#origin }
    const before = await samplesOf(roles)
    const result = await this.#runLoad(job, path.target)
    const after = await samplesOf(roles)
    const cpu = Object.fromEntries(
      Object.keys(roles).map((role) => [role, cpuSince(after[role]!.cpu, before[role]!.cpu)])
    )
    const countedBy = (role: 'host' | 'plugin'): TunnelCounters =>
      countersSince(countersOf(after[role]!.stats!), countersOf(before[role]!.stats!))
    const hasTunnel = 'plugin' in path.roles
    return { result, cpu, tunnel: hasTunnel ? { host: countedBy('host'), plugin: countedBy('plugin') } : null }
  }

  /**
   * Runs one load job over the path of an arm, with strace attached to its roles but the generator, which makes them
   * many times slower: system calls by role and name over as many responses. Rejects with ERR_TUNNEL_UNAVAILABLE where
   * strace is missing or may not attach.
   */
  async countSystemCalls (
    name: string,
    job: Omit<LoadJob, 'target'>
  ): Promise<{ responses: number; calls: Record<string, Record<string, number>> }> {
    const path = this.#pathOf(name)
    const processes = Object.entries({ ...path.roles, origin: this.#origin }).map(
      ([role, handle]) => [role, handle.pids()] as const
    )
    const counter = await SystemCallCounter.attach(Object.fromEntries(processes.filter(([, pids]) => pids.length > 0)))
    try {
      const { allResponses } = await this.#runLoad(job, path.target)
      return { responses: allResponses, calls: await counter.detach() }
    } finally {
      await counter.close()
    }
  }

  /**
   * Closes load, then programs from outside and relays, then hosts, then plugins, then the origin, each awaited, and
   * removes what is on disk. Ends a start that is going on before its next role. Never rejects.
   */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes all roles at the same time. Never rejects. */
  async closeNow (): Promise<void> {
    void this.close()
    await Promise.all(
      [...this.#started, ...this.#externals].map(async (role) => {
        await role.close()
      })
    )
    this.#folder?.remove()
  }

  #pathOf (name: string): ArmPath {
    const path = this.#paths.get(name)
    if (path === undefined) {
      throw new TunnelError(ErrorCode.INTERNAL, `Cannot measure ${name}: nothing was started for it`)
    }
    return path
  }

  async #runLoad (job: Omit<LoadJob, 'target'>, target: Address): Promise<LoadResult> {
    return await this.#load.measure({ ...job, target }, job.connectTimeoutMs + job.warmupMs + job.durationMs)
  }

  #socketPath (name: string): string {
    return this.#folder!.pathOf(name)
  }

  async #start (): Promise<void> {
    const { mode, generator = 'own', externalArms, onNote } = this.#options
    if (mode === 'processes' || generator !== 'own' || externalArms.length > 0) startGuard()
    this.#folder = await SocketFolder.make(onNote)
    const needsUnix = this.#arms.some(({ transport, secondHop }) => transport === 'uds' || secondHop === 'unix')
    const path = needsUnix ? this.#socketPath('origin.sock') : null
    const { server, engine, spin, originPort: port } = this.#options
    this.#origin = await this.#startRole('origin', { server, engine, spin, host: LOCALHOST, port, path })
    const builder = {
      origin: this.#origin.ready,
      startRole: this.#startRole.bind(this),
      startExternal: this.#startExternal.bind(this),
      socketPath: (name: string) => this.#socketPath(name)
    }
    for (const arm of this.#arms) this.#paths.set(arm.path, await startPath(arm, this.#options, builder))
    this.#load = await this.#startRole('load', {
      engine: this.#options.engine,
      generator: this.#options.generator ?? 'own'
    })
  }

  async #startRole<N extends RoleName>(name: N, options: RoleTypes[N]['options']): Promise<RoleHandle<N>> {
    if (this.#closing !== null) {
      throw new TunnelError(ErrorCode.INTERRUPTED, `Interrupted before the ${name} role was started`)
    }
    const role = await RoleHandle.start(this.#launch, name, options)
    this.#started.push(role as unknown as RoleHandle<RoleName>)
    return role
  }

  async #startExternal (options: Omit<ExternalOptions, 'isInterrupted'>): Promise<ExternalProcess> {
    const external = await ExternalProcess.start({ ...options, isInterrupted: () => this.#closing !== null })
    this.#externals.push(external)
    return external
  }

  async #close (): Promise<void> {
    await this.#starting?.catch(() => {}) // who started it is told
    for (const name of CLOSING_ORDER) {
      for (const role of this.#started) {
        if (role.name === name) await role.close()
      }
      // They are where relays and hosts are.
      if (name === 'load') {
        await Promise.all(
          this.#externals.map(async (external) => {
            await external.close()
          })
        )
      }
    }
    this.#folder?.remove()
  }
}

async function samplesOf (roles: ArmPath['roles']): Promise<Record<string, RoleSample>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(roles).map(async ([name, role]) => [name, await role.sample()]))
  )
}
