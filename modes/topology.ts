import { tcpAddress, unixAddress, type Address } from '../src/base/address.js'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import type { EngineChoice } from '../src/engine/create-engine.js'
import type { LoadJob, LoadResult } from '../src/load/job.js'
import { type CpuUsage, cpuSince } from '../src/metrics/cpu.js'
import type { Mode, SegmentOptions } from '../src/report/result.js'
import { countersSince, type TunnelCounters, type TunnelRound } from '../src/report/tunnel-counters.js'
import { DEFAULT_SEGMENT_SIZES } from '../src/shm/segment-sizes.js'
import { type TransportChoice, transportKindOf, type TransportName } from '../src/transport/transport-kinds.js'
import { countersOf } from '../src/tunnel/tunnel.js'
import type { RoleName, RoleTypes } from '../workers/roles.js'
import { launchProcess } from './processes.js'
import { type Launch, RoleHandle } from './role-handle.js'
import { SocketFolder } from './socket-folder.js'
import { launchThread } from './threads.js'

const LOCALHOST = '127.0.0.1'
const ATTACH_TIMEOUT_MS = 10_000

const CLOSING_ORDER: readonly RoleName[] = ['load', 'host', 'plugin', 'origin']

export interface TopologyOptions {
  readonly mode: Mode
  readonly server: 'auto' | 'uws' | 'node'
  readonly engine: EngineChoice
  /** What sends the load; default own. */
  readonly generator?: 'own' | 'oha' | 'wrk'
  /** Transports to set up a tunnel for; `baseline` needs none. */
  readonly transports: ReadonlyArray<TransportName | 'baseline'>
  /** Sizes of the shared memory; null: the defaults. */
  readonly segment: SegmentOptions | null
}

interface Tunnel {
  readonly host: RoleHandle<'host'>
  readonly plugin: RoleHandle<'plugin'>
}

/** A measurement, and what the roles it touched did over it. */
export interface MeasuredLoad {
  readonly result: LoadResult
  readonly cpu: Record<string, CpuUsage | null>
  /** null without a tunnel. */
  readonly tunnel: TunnelRound | null
}

type AnyRole = RoleHandle<RoleName>

/**
 * All roles of a run, started and closed together: one origin, one load generator, and a host and plugin per transport. The baseline
 * asks the same origin directly that the plugins forward to, so that the tunnel is the only difference.
 */
export class Topology {
  readonly #options: TopologyOptions
  readonly #launch: Launch
  readonly #choices: readonly TransportChoice[]
  readonly #folder: SocketFolder
  readonly #started: AnyRole[] = []
  readonly #tunnels = new Map<string, Tunnel>()
  #origin!: RoleHandle<'origin'>
  #load!: RoleHandle<'load'>
  #starting: Promise<void> | null = null
  #closing: Promise<void> | null = null

  /**
   * Starts nothing yet. Throws ERR_TUNNEL_UNAVAILABLE where this system cannot have one of the transports, and ERR_TUNNEL_ADDRESS_DENIED
   * where no folder can be made for the sockets.
   */
  constructor (options: TopologyOptions) {
    this.#options = options
    this.#launch = options.mode === 'threads' ? launchThread : launchProcess
    this.#choices = [...new Set(options.transports)].flatMap((name) => name === 'baseline' ? [] : [choiceOf(name, options)])
    for (const choice of this.#choices) transportKindOf(choice).check()
    this.#folder = new SocketFolder()
  }

  /** Starts every role. Rejects where one fails, and with ERR_TUNNEL_INTERRUPTED after `close()`, which is to be called in any case. */
  async start (): Promise<void> {
    this.#starting = this.#start()
    await this.#starting
  }

  get engine (): string { return this.#load.ready.engine }
  /** Why another engine than the preferred one runs, or null. */
  get engineNote (): string | null { return this.#load.ready.note }
  get server (): string { return this.#origin.ready.server }
  /** Why another origin than the preferred one runs, or null. */
  get serverNote (): string | null { return this.#origin.ready.note }

  /** Runs one load job against a transport's host, or the origin for `baseline`. */
  async measure (transport: string, job: Omit<LoadJob, 'target'>): Promise<MeasuredLoad> {
    const tunnel = this.#tunnels.get(transport)
    const roles: AnyRole[] = [this.#load, ...(tunnel === undefined ? [] : [tunnel.host, tunnel.plugin]), this.#origin]
    const before = await Promise.all(roles.map(async (role) => await role.sample()))
    const expectedMs = job.connectTimeoutMs + job.warmupMs + job.durationMs
    const result = await this.#load.measure({ ...job, target: this.#targetOf(transport) }, expectedMs)
    const after = await Promise.all(roles.map(async (role) => await role.sample()))
    const cpu = Object.fromEntries(roles.map((role, i) => [role.name, cpuSince(after[i]!.cpu, before[i]!.cpu)]))
    const countedBy = (role: AnyRole): TunnelCounters => {
      const i = roles.indexOf(role)
      return countersSince(countersOf(after[i]!.stats!), countersOf(before[i]!.stats!))
    }
    return { result, cpu, tunnel: tunnel === undefined ? null : { host: countedBy(tunnel.host), plugin: countedBy(tunnel.plugin) } }
  }

  /**
   * Closes load, then hosts, then plugins, then the origin, each awaited, and removes what is on disk. Ends a start that is going on
   * before its next role. Never rejects.
   */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes all roles at the same time. Never rejects. */
  async closeNow (): Promise<void> {
    void this.close()
    await Promise.all(this.#started.map(async (role) => { await role.close() }))
    this.#folder.remove()
  }

  async #start (): Promise<void> {
    const { engine } = this.#options
    this.#origin = await this.#startRole('origin', { server: this.#options.server, host: LOCALHOST, port: 0 })
    for (const transport of this.#choices) {
      const tunnel = unixAddress(this.#folder.pathOf(`${transport.kind}.sock`))
      const host = await this.#startRole('host', { listen: tcpAddress(LOCALHOST, 0), tunnel, transport, engine, ownDirectory: true })
      const plugin = await this.#startRole('plugin', { tunnel, transport, engine, origin: this.#origin.ready.address, attachTimeoutMs: ATTACH_TIMEOUT_MS })
      this.#tunnels.set(transport.kind, { host, plugin })
    }
    this.#load = await this.#startRole('load', { engine, generator: this.#options.generator ?? 'own' })
  }

  async #startRole<N extends RoleName> (name: N, options: RoleTypes[N]['options']): Promise<RoleHandle<N>> {
    if (this.#closing !== null) throw new TunnelError(ErrorCode.INTERRUPTED, `Interrupted before the ${name} role was started`)
    const role = await RoleHandle.start(this.#launch, name, options)
    this.#started.push(role as unknown as AnyRole)
    return role
  }

  async #close (): Promise<void> {
    await this.#starting?.catch(() => {}) // who started it is told
    for (const name of CLOSING_ORDER) {
      for (const role of this.#started) {
        if (role.name === name) await role.close()
      }
    }
    this.#folder.remove()
  }

  #targetOf (transport: string): Address {
    if (transport === 'baseline') return this.#origin.ready.address
    const tunnel = this.#tunnels.get(transport)
    if (tunnel === undefined) throw new TunnelError(ErrorCode.INTERNAL, `Cannot measure ${transport}: no tunnel was started for it`)
    return tunnel.host.ready.address
  }
}

/** Threads share memory as they are; processes need memory that the system shares. */
function choiceOf (kind: TransportName, { mode, segment }: TopologyOptions): TransportChoice {
  if (kind === 'stream') return { kind }
  return { kind, memory: mode === 'threads' ? 'shared-array-buffer' : 'memfd', sizes: segment ?? DEFAULT_SEGMENT_SIZES }
}
