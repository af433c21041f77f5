import { formatAddress, tcpAddress, unixAddress, type Address } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { createEngine, type EngineChoice, type SpinChoice } from '../../src/engine/create-engine.js'
import type { LoadJob, LoadResult } from '../../src/load/job.js'
import { type CpuUsage, cpuSince } from '../../src/metrics/cpu.js'
import type { ExternalArm, Mode, SegmentOptions } from '../../src/result/run-result.js'
import { countersSince, type TunnelCounters, type TunnelRound } from '../../src/result/tunnel-counters.js'
import type { ServerChoice } from '../../src/origin/origin.js'
import { DEFAULT_SEGMENT_SIZES } from '../../src/shm/segment-sizes.js'
import type { TransportChoice, TransportName } from '../../src/transport/transport-kinds.js'
import { countersOf } from '../../src/tunnel/tunnel.js'
import type { RoleName, RoleSample, RoleTypes } from '../../workers/roles.js'
import type { Arm, ArmTransport } from '../plan/arms.js'
import { commandOf, targetOf } from '../plan/external-arm.js'
import { ExternalProcess } from './external-process.js'
import { startGuard } from '../system/guard.js'
import { launchProcess } from './processes.js'
import { type Launch, RoleHandle } from './role-handle.js'
import { SocketFolder } from './socket-folder.js'
import { SystemCallCounter } from '../system/system-call-counter.js'
import { launchThread } from './threads.js'

const LOCALHOST = '127.0.0.1'
const ATTACH_TIMEOUT_MS = 10_000

const CLOSING_ORDER: readonly RoleName[] = ['load', 'relay', 'host', 'plugin', 'origin']

export interface TopologyOptions {
  readonly mode: Mode
  readonly server: ServerChoice
  readonly engine: EngineChoice
  /** What sends the load; default own. */
  readonly generator?: 'own' | 'oha' | 'wrk'
  /** Of host and plugin. */
  readonly spin: SpinChoice
  /** What to set up a way to the origin for: one for each path. */
  readonly arms: ReadonlyArray<Pick<Arm, 'path' | 'transport' | 'secondHop'>>
  /** What the arms with transport `external` are. */
  readonly externalArms: readonly ExternalArm[]
  readonly originPort: number
  /** Sizes of the shared memory; null: the defaults. */
  readonly segment: SegmentOptions | null
  /** Told what runs that were killed have left behind. */
  readonly onNote: (sentence: string) => void
}

/** A way to the origin. */
interface Path {
  readonly target: Address
  /** Whose CPU time counts, by the name it has in the result. */
  readonly roles: Readonly<Record<string, Sampled>>
  readonly tunnel: Tunnel | null
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
type Sampled = Pick<AnyRole, 'sample' | 'pids'>

/**
 * All roles of a run, started and closed together: one origin, one load generator, and what lies between them for each
 * arm. The baseline asks the same origin directly that the plugins forward to, so that the tunnel is the only
 * difference.
 */
export class Topology {
  readonly #options: TopologyOptions
  readonly #launch: Launch
  readonly #arms: TopologyOptions['arms']
  readonly #started: AnyRole[] = []
  readonly #externals: ExternalProcess[] = []
  readonly #paths = new Map<string, Path>()
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
    const { target, tunnel } = path
    const roles: Readonly<Record<string, Sampled>> = { load: this.#load, ...path.roles, origin: this.#origin }
    const before = await samplesOf(roles)
    const result = await this.#runLoad(job, target)
    const after = await samplesOf(roles)
    const cpu = Object.fromEntries(
      Object.keys(roles).map((role) => [role, cpuSince(after[role]!.cpu, before[role]!.cpu)])
    )
    const countedBy = (role: 'host' | 'plugin'): TunnelCounters =>
      countersSince(countersOf(after[role]!.stats!), countersOf(before[role]!.stats!))
    return { result, cpu, tunnel: tunnel === null ? null : { host: countedBy('host'), plugin: countedBy('plugin') } }
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

  #pathOf (name: string): Path {
    const path = this.#paths.get(name)
    if (path === undefined) {
      throw new TunnelError(ErrorCode.INTERNAL, `Cannot measure ${name}: nothing was started for it`)
    }
    return path
  }

  async #runLoad (job: Omit<LoadJob, 'target'>, target: Address): Promise<LoadResult> {
    return await this.#load.measure({ ...job, target }, job.connectTimeoutMs + job.warmupMs + job.durationMs)
  }

  #pathIn (name: string): string {
    return this.#folder!.pathOf(name)
  }

  async #start (): Promise<void> {
    const { mode, generator = 'own', externalArms, onNote } = this.#options
    if (mode === 'processes' || generator !== 'own' || externalArms.length > 0) startGuard()
    this.#folder = await SocketFolder.make(onNote)
    const needsUnix = this.#arms.some(({ transport, secondHop }) => transport === 'uds' || secondHop === 'unix')
    const path = needsUnix ? this.#pathIn('origin.sock') : null
    const { server, engine, spin, originPort: port } = this.#options
    this.#origin = await this.#startRole('origin', { server, engine, spin, host: LOCALHOST, port, path })
    for (const arm of this.#arms) this.#paths.set(arm.path, await this.#startPath(arm))
    this.#load = await this.#startRole('load', {
      engine: this.#options.engine,
      generator: this.#options.generator ?? 'own'
    })
  }

  async #startPath ({ path, transport, secondHop }: TopologyOptions['arms'][number]): Promise<Path> {
    const { address, unixAddress: unix } = this.#origin.ready
    switch (transport) {
      case 'baseline':
        return { target: address, roles: {}, tunnel: null }
      case 'uds':
        return { target: unix!, roles: {}, tunnel: null }
      case 'relay': {
        const relay = await this.#startRelay(tcpAddress(LOCALHOST, 0), address)
        return { target: relay.ready.address, roles: { relay }, tunnel: null }
      }
      case 'relay2': {
        const middle = unixAddress(this.#pathIn('relay2.sock'))
        const front = await this.#startRelay(tcpAddress(LOCALHOST, 0), middle)
        const back = await this.#startRelay(middle, address)
        return { target: front.ready.address, roles: { front, back }, tunnel: null }
      }
      case 'external':
        return await this.#startExternal(this.#options.externalArms.find(({ name }) => name === path)!)
      default:
        return await this.#startTunnel(
          path,
          choiceOf(transport, this.#options),
          secondHop === 'embedded' ? secondHop : secondHop === 'unix' ? unix! : address
        )
    }
  }

  async #startRelay (listen: Address, target: Address): Promise<RoleHandle<'relay'>> {
    const { engine, spin } = this.#options
    return await this.#startRole('relay', { listen, target, engine, spin })
  }

  async #startExternal (arm: ExternalArm): Promise<Path> {
    const port = await freePort()
    const target = targetOf(arm, port)
    const command = arm.start === null ? null : commandOf(arm.start, formatAddress(this.#origin.ready.address), port)
    const external = await ExternalProcess.start({
      name: arm.name,
      command,
      target,
      engine: this.#options.engine,
      isInterrupted: () => this.#closing !== null
    })
    this.#externals.push(external)
    return { target, roles: { external }, tunnel: null }
  }

  async #startTunnel (path: string, transport: TransportChoice, origin: Address | 'embedded'): Promise<Path> {
    const { engine, spin } = this.#options
    const tunnel = unixAddress(this.#pathIn(`${path}.sock`))
    const host = await this.#startRole('host', { listen: tcpAddress(LOCALHOST, 0), tunnel, transport, engine, spin })
    const plugin = await this.#startRole('plugin', {
      tunnel,
      transport,
      engine,
      spin,
      origin,
      attachTimeoutMs: ATTACH_TIMEOUT_MS
    })
    return { target: host.ready.address, roles: { host, plugin }, tunnel: { host, plugin } }
  }

  async #startRole<N extends RoleName>(name: N, options: RoleTypes[N]['options']): Promise<RoleHandle<N>> {
    if (this.#closing !== null) {
      throw new TunnelError(ErrorCode.INTERRUPTED, `Interrupted before the ${name} role was started`)
    }
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
      // They stand where relays and hosts do.
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

/**
 * A TCP port that nothing listens on. Another program may take it before it is used; then whoever wanted it says so.
 */
async function freePort (): Promise<number> {
  const listener = await createEngine('node').listen(tcpAddress(LOCALHOST, 0), (socket) => { socket.abort() })
  await listener.close()
  return listener.address.kind === 'tcp' ? listener.address.port : 0
}

async function samplesOf (roles: Readonly<Record<string, Sampled>>): Promise<Record<string, RoleSample>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(roles).map(async ([name, role]) => [name, await role.sample()]))
  )
}

export function isTransport (transport: ArmTransport): transport is TransportName {
  return transport === 'stream' || transport === 'shm'
}

type Memory = Pick<TopologyOptions, 'mode' | 'segment'>

/** Threads share memory as they are; processes need memory that the system shares. */
export function choiceOf (kind: TransportName, { mode, segment }: Memory): TransportChoice {
  if (kind === 'stream') return { kind }
  return {
    kind,
    memory: mode === 'threads' ? 'shared-array-buffer' : 'memfd',
    sizes: { ...DEFAULT_SEGMENT_SIZES, ...segment }
  }
}
