import { type Address, formatAddress, tcpAddress, unixAddress } from '../../src/base/address.js'
import { createEngine, type EngineChoice, type SpinChoice } from '../../src/engine/create-engine.js'
import type { ExternalArm, Mode, SegmentOptions } from '../../src/result/run-result.js'
import type { TransportChoice } from '../../src/transport/transport-kinds.js'
import type { RoleName, RoleTypes } from '../../workers/roles.js'
import type { Arm } from '../plan/arms.js'
import { commandOf, targetOf } from '../plan/external-arm.js'
import { transportChoiceOf } from '../plan/transport-choice.js'
import type { ExternalOptions, ExternalProcess } from './external-process.js'
import type { RoleHandle } from './role-handle.js'

const LOCALHOST = '127.0.0.1'
const ATTACH_TIMEOUT_MS = 10_000

export interface PathOptions {
  readonly mode: Mode
  readonly engine: EngineChoice
  /** Of host and plugin. */
  readonly spin: SpinChoice
  /** What the arms with transport `external` are. */
  readonly externalArms: readonly ExternalArm[]
  /** Sizes of the shared memory; null: the defaults. */
  readonly segment: SegmentOptions | null
}

export type PathArm = Pick<Arm, 'path' | 'transport' | 'secondHop'>

type Measured = Pick<RoleHandle<RoleName>, 'sample' | 'pids'>

/** A way to the origin. */
export interface ArmPath {
  readonly target: Address
  /** Whose CPU time counts, by the name it has in the result. */
  readonly roles: Readonly<Record<string, Measured>>
}

/** What a path is built with. */
export interface PathBuilder {
  readonly origin: RoleTypes['origin']['ready']
  startRole<N extends RoleName>(name: N, options: RoleTypes[N]['options']): Promise<RoleHandle<N>>
  startExternal (options: Omit<ExternalOptions, 'isInterrupted'>): Promise<ExternalProcess>
  /** Where a Unix socket of this name is. */
  socketPath (name: string): string
}

/** Starts what is between the load generator and the origin in one arm: nothing, relays, a program, or a tunnel. */
export async function startPath (arm: PathArm, options: PathOptions, builder: PathBuilder): Promise<ArmPath> {
  const { path, transport, secondHop } = arm
  const { address, unixAddress: unix } = builder.origin
  const anyPort = tcpAddress(LOCALHOST, 0)
  const startRelay = async (listen: Address, target: Address): Promise<RoleHandle<'relay'>> => {
    const { engine, spin } = options
    return await builder.startRole('relay', { listen, target, engine, spin })
  }
  switch (transport) {
    case 'baseline':
      return { target: address, roles: {} }
    case 'uds':
      return { target: unix!, roles: {} }
    case 'relay': {
      const relay = await startRelay(anyPort, address)
      return { target: relay.ready.address, roles: { relay } }
    }
    case 'relay2': {
      const middle = unixAddress(builder.socketPath('relay2.sock'))
      const front = await startRelay(anyPort, middle)
      const back = await startRelay(middle, address)
      return { target: front.ready.address, roles: { front, back } }
    }
    case 'external':
      return await startExternalPath(options.externalArms.find(({ name }) => name === path)!, options, builder)
    default: {
      const origin = secondHop === 'embedded' ? secondHop : secondHop === 'unix' ? unix! : address
      return await startTunnelPath(path, origin, transportChoiceOf(transport, options), options, builder)
    }
  }
}

async function startExternalPath (arm: ExternalArm, { engine }: PathOptions, builder: PathBuilder): Promise<ArmPath> {
  const port = await freePort()
  const target = targetOf(arm, port)
  const command = arm.start === null ? null : commandOf(arm.start, formatAddress(builder.origin.address), port)
  const external = await builder.startExternal({ name: arm.name, command, target, engine })
  return { target, roles: { external } }
}

async function startTunnelPath (
  path: string,
  origin: Address | 'embedded',
  transport: TransportChoice,
  { engine, spin }: PathOptions,
  builder: PathBuilder
): Promise<ArmPath> {
  const tunnel = unixAddress(builder.socketPath(`${path}.sock`))
  const listen = tcpAddress(LOCALHOST, 0)
  const host = await builder.startRole('host', { listen, tunnel, transport, engine, spin })
  const attachTimeoutMs = ATTACH_TIMEOUT_MS
  const plugin = await builder.startRole('plugin', { tunnel, transport, engine, spin, origin, attachTimeoutMs })
  return { target: host.ready.address, roles: { host, plugin } }
}

/**
 * A TCP port that nothing listens on. Another program may take it before it is used; then whoever wanted it says so.
 */
async function freePort (): Promise<number> {
  const listener = await createEngine('node').listen(tcpAddress(LOCALHOST, 0), (socket) => { socket.abort() })
  await listener.close()
  return listener.address.kind === 'tcp' ? listener.address.port : 0
}
