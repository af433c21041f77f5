import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, tcpAddress, unixAddress } from '../src/base/address.js'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import type { LoadJob, LoadResult } from '../src/load/job.js'
import { type CpuUsage, cpuSince } from '../src/metrics/cpu.js'
import type { Mode } from '../src/report/result.js'
import { launchProcess } from './processes.js'
import { type Launch, RoleHandle } from './role-handle.js'
import { launchThread } from './threads.js'

const LOCALHOST = '127.0.0.1'
const ATTACH_TIMEOUT_MS = 10_000
const DIRECTORY_PREFIX = 'tunnel-bench-'

export interface TopologyOptions {
  readonly mode: Mode
  readonly server: 'auto' | 'uws' | 'node'
  /** Transports to set up a tunnel for; `baseline` needs none. */
  readonly transports: readonly string[]
}

interface Tunnel {
  readonly host: RoleHandle<'host'>
  readonly plugin: RoleHandle<'plugin'>
}

/** A measurement, and the CPU time that each role it touched used over it. */
export interface MeasuredLoad {
  readonly result: LoadResult
  readonly cpu: Record<string, CpuUsage | null>
}

/**
 * All roles of a run: one origin, one load generator, and a host and plugin per transport. The baseline asks the same origin
 * directly that the plugins forward to, so that the tunnel is the only difference.
 */
export class Topology {
  readonly #origin: RoleHandle<'origin'>
  readonly #load: RoleHandle<'load'>
  readonly #tunnels: ReadonlyMap<string, Tunnel>
  readonly #directory: string
  #closing: Promise<void> | null = null

  private constructor (origin: RoleHandle<'origin'>, load: RoleHandle<'load'>, tunnels: ReadonlyMap<string, Tunnel>, directory: string) {
    this.#origin = origin
    this.#load = load
    this.#tunnels = tunnels
    this.#directory = directory
  }

  /** Starts every role; on failure whatever had started is closed again. */
  static async start ({ mode, server, transports }: TopologyOptions): Promise<Topology> {
    removeLeftovers()
    const launch: Launch = mode === 'threads' ? launchThread : launchProcess
    const directory = mkdtempSync(join(tmpdir(), `${DIRECTORY_PREFIX}${process.pid}-`))
    const started: Array<{ close (): Promise<void> }> = []
    const start: typeof RoleHandle.start = async (launch, name, options) => {
      const handle = await RoleHandle.start(launch, name, options)
      started.unshift(handle)
      return handle
    }
    try {
      const origin = await start(launch, 'origin', { server, host: LOCALHOST, port: 0 })
      const tunnels = new Map<string, Tunnel>()
      for (const transport of transports) {
        if (transport === 'baseline' || tunnels.has(transport)) continue
        const tunnel = unixAddress(join(directory, `${transport}.sock`))
        const host = await start(launch, 'host', { listen: tcpAddress(LOCALHOST, 0), tunnel, ownDirectory: true })
        const plugin = await start(launch, 'plugin', { tunnel, origin: origin.ready.address, attachTimeoutMs: ATTACH_TIMEOUT_MS })
        tunnels.set(transport, { host, plugin })
      }
      const load = await start(launch, 'load', {})
      return new Topology(origin, load, tunnels, directory)
    } catch (error) {
      for (const handle of started) await handle.close()
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  get engine (): string { return this.#load.ready.engine }
  get server (): string { return this.#origin.ready.server }
  /** Why another origin than the preferred one runs, or null. */
  get serverNote (): string | null { return this.#origin.ready.note }

  /** Runs one load job against a transport's host, or the origin for `baseline`. */
  async measure (transport: string, job: Omit<LoadJob, 'target'>): Promise<MeasuredLoad> {
    const tunnel = this.#tunnels.get(transport)
    const roles: ReadonlyArray<RoleHandle<'origin' | 'host' | 'plugin' | 'load'>> = [this.#load, ...(tunnel === undefined ? [] : [tunnel.host, tunnel.plugin]), this.#origin]
    const before = await Promise.all(roles.map(async (role) => await role.sample()))
    const result = await this.#load.measure({ ...job, target: this.#targetOf(transport) })
    const after = await Promise.all(roles.map(async (role) => await role.sample()))
    const cpu = Object.fromEntries(roles.map((role, i) => [role.name, cpuSince(after[i]!.cpu, before[i]!.cpu)]))
    return { result, cpu }
  }

  /** Closes load, then hosts, then plugins, then the origin, each awaited, and removes what is on disk. */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    await this.#load.close()
    for (const { host } of this.#tunnels.values()) await host.close()
    for (const { plugin } of this.#tunnels.values()) await plugin.close()
    await this.#origin.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #targetOf (transport: string): Address {
    if (transport === 'baseline') return this.#origin.ready.address
    const tunnel = this.#tunnels.get(transport)
    if (tunnel === undefined) throw new TunnelError(ErrorCode.INTERNAL, `Cannot measure ${transport}: no tunnel was started for it`)
    return tunnel.host.ready.address
  }
}

/** A run that is killed in threads mode cannot remove its socket's folder; the next run does. */
function removeLeftovers (): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${DIRECTORY_PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
