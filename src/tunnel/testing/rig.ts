import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Address, tcpAddress, unixAddress } from '../../base/address.js'
import { createEngine } from '../../engine/create-engine.js'
import type { Engine, EngineName } from '../../engine/engine.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { streamTransport } from '../../transport/stream/stream-transport.js'
import type { TransportKind } from '../../transport/transport.js'
import type { ChannelServer } from '../channel-server.js'
import { TunnelHost, type TunnelHostOptions } from '../tunnel-host.js'
import { TunnelPlugin, type TunnelPluginOptions } from '../tunnel-plugin.js'
import type { TunnelEvent } from '../tunnel.js'

/** A handshake may take longer on a busy machine than the usual 2 s. Tests of this time limit say another one. */
const PATIENT = { helloTimeoutMs: 60_000 }

/** Events of one host or plugin, which tests can wait for. */
export class Events {
  readonly all: TunnelEvent[] = []
  readonly #waiters = new Set<() => void>()

  readonly note = (event: TunnelEvent): void => {
    this.all.push(event)
    for (const check of [...this.#waiters]) check()
  }

  count (kind: TunnelEvent['kind']): number {
    return this.all.filter((event) => event.kind === kind).length
  }

  /** The `nth` (from 1) event of a kind, as soon as it was there. */
  until<K extends TunnelEvent['kind']> (kind: K, nth = 1): Promise<Extract<TunnelEvent, { kind: K }>> {
    return new Promise((resolve) => {
      const check = () => {
        const event = this.all.filter((one) => one.kind === kind)[nth - 1]
        if (event === undefined) return
        this.#waiters.delete(check)
        resolve(event as Extract<TunnelEvent, { kind: K }>)
      }
      this.#waiters.add(check)
      check()
    })
  }
}

export interface HostRig {
  readonly host: TunnelHost
  readonly engine: Engine
  readonly events: Events
  /** TCP port for clients; 0 where they come over a Unix socket. */
  readonly port: number
}

export interface PluginRig {
  readonly plugin: TunnelPlugin
  readonly engine: Engine
  readonly events: Events
}

/** Hosts and plugins of one test, on a socket path of its own, each on an engine of its own as in two processes. */
export class TunnelRig {
  readonly directory: string
  readonly tunnel: Address
  readonly transport: TransportKind
  readonly #t: ExecutionContext
  readonly #createEngine: () => Engine
  readonly #hosts: HostRig[] = []
  readonly #plugins: PluginRig[] = []

  constructor (t: ExecutionContext, transport: TransportKind = streamTransport, engine?: EngineName) {
    this.#t = t
    this.#createEngine = engine === undefined ? createTestEngine : () => createEngine(engine)
    this.transport = transport
    this.directory = mkdtempSync(join(tmpdir(), 'tunnel-'))
    this.tunnel = unixAddress(join(this.directory, 't.sock'))
    t.teardown(() => {
      rmSync(this.directory, { recursive: true })
    })
  }

  get path (): string {
    return join(this.directory, 't.sock')
  }

  async startHost (options: Partial<TunnelHostOptions> = {}): Promise<HostRig> {
    const engine = this.#createEngine()
    const events = new Events()
    const host = await TunnelHost.start({
      engine,
      listen: tcpAddress('127.0.0.1', 0),
      tunnel: this.tunnel,
      transport: this.transport,
      onEvent: events.note,
      ...options,
      limits: { ...PATIENT, ...options.limits }
    })
    this.#t.teardown(() => host.close({ drainMs: 0 }))
    const rig = { host, engine, events, port: host.address.kind === 'tcp' ? host.address.port : 0 }
    this.#hosts.push(rig)
    return rig
  }

  startPlugin (origin: Address, options: Partial<TunnelPluginOptions> = {}): PluginRig {
    return this.#startPlugin({ origin, ...options })
  }

  startServingPlugin (serve: ChannelServer, options: Partial<TunnelPluginOptions> = {}): PluginRig {
    return this.#startPlugin({ serve, ...options })
  }

  #startPlugin (options: Partial<TunnelPluginOptions>): PluginRig {
    const engine = this.#createEngine()
    const events = new Events()
    const plugin = TunnelPlugin.start({
      engine,
      tunnel: this.tunnel,
      transport: this.transport,
      onEvent: events.note,
      ...options,
      limits: { ...PATIENT, ...options.limits }
    })
    this.#t.teardown(() => plugin.close({ drainMs: 0 }))
    const rig = { plugin, engine, events }
    this.#plugins.push(rig)
    return rig
  }

  /** A host with a plugin attached. */
  async start (
    origin: Address,
    limits: TunnelHostOptions['limits'] = {}
  ): Promise<HostRig & PluginRig & { readonly hostRig: HostRig; readonly pluginRig: PluginRig }> {
    const hostRig = await this.startHost({ limits })
    const pluginRig = this.startPlugin(origin, { limits })
    await Promise.all([pluginRig.plugin.attached(), hostRig.events.until('attached')])
    return { ...hostRig, ...pluginRig, hostRig, pluginRig }
  }

  /**
   * Ends everything, and checks that nothing is left: no channel, no socket, no file; and that no doorbell was missed.
   */
  async verify (): Promise<void> {
    const t = this.#t
    for (const { plugin } of this.#plugins) await plugin.close({ drainMs: 0 })
    for (const { host } of this.#hosts) await host.close({ drainMs: 0 })
    for (const one of [
      ...this.#hosts.map(({ host, engine }) => ({ stats: host.stats(), engine })),
      ...this.#plugins.map(({ plugin, engine }) => ({ stats: plugin.stats(), engine }))
    ]) {
      t.is(one.stats.channels, 0)
      t.is(one.stats.sockets, 0)
      t.is(one.stats.counters.channelsOpened, one.stats.counters.channelsClosed)
      t.is(one.stats.transport.doorbellsMissed, 0)
      t.is(one.engine.counters.socketsOpened, one.engine.counters.socketsClosed)
    }
    t.false(existsSync(this.path))
    t.deepEqual(readdirSync(this.directory), [])
  }
}

export function portOf (address: Address): number {
  if (address.kind !== 'tcp') throw new Error('a Unix socket has no port')
  return address.port
}

/** Resolves when `condition` holds, looking once in every turn of the loop. */
export async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => { setImmediate(resolve) })
}
