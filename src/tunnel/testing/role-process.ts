import { readdirSync, readFileSync } from 'node:fs'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { createEngine } from '../../engine/create-engine.js'
import type { EngineName } from '../../engine/engine.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { TunnelHost } from '../tunnel-host.js'
import { TunnelPlugin } from '../tunnel-plugin.js'
import { portOf } from './rig.js'
import { createTransport, type TransportName } from './transports.js'

/** What a role in a process of its own says about itself. */
export interface RoleState {
  readonly sockets: number
  readonly channels: number
  /** Opened and not closed, by the counters. */
  readonly openChannels: number
  readonly payloadBytesSent: number
  readonly doorbellsSent: number
  readonly doorbellsMissed: number
  /** Descriptors of the process. */
  readonly openFiles: number
  /** Shared segments that the process maps. */
  readonly segments: number
  readonly cpuUs: number
}

/**
 * A host or a plugin in a process of its own, to be killed. Arguments: transport (and engine), role, socket path, and
 * for a plugin the origin's port. Says its port when it is up (a plugin: attached, or at once with `unattached` as the
 * last argument), and its state whenever it is asked.
 */
const [transportAndEngine, role, path, originPort, unattached] = process.argv.slice(2)
const [transportName, engineName] = transportAndEngine!.split('/')
const engine = engineName === undefined ? createTestEngine() : createEngine(engineName as EngineName)
const tunnel = unixAddress(path!)
const transport = createTransport(transportName as TransportName)

let stats
let port = 0
if (role === 'host') {
  const host = await TunnelHost.start({ engine, tunnel, transport, listen: tcpAddress('127.0.0.1', 0) })
  port = portOf(host.address)
  stats = () => host.stats()
} else {
  const plugin = TunnelPlugin.start({ engine, tunnel, transport, origin: tcpAddress('127.0.0.1', Number(originPort)) })
  if (unattached === undefined) await plugin.attached()
  stats = () => plugin.stats()
}

process.on('message', () => {
  const { sockets, channels, counters, transport } = stats()
  const { user, system } = process.cpuUsage()
  const state: RoleState = {
    sockets,
    channels,
    openChannels: counters.channelsOpened - counters.channelsClosed,
    payloadBytesSent: transport.payloadBytesSent,
    doorbellsSent: transport.doorbellsSent,
    doorbellsMissed: transport.doorbellsMissed,
    // Linux only, as all that asks for it.
    openFiles: filesIn('/proc/self/fd'),
    segments: mappedSegments(),
    cpuUs: user + system
  }
  process.send!({ state })
})
process.send!({ port })
// A test that is over takes its processes with it.
process.on('disconnect', () => { process.exit() })

function filesIn (path: string): number {
  try {
    return readdirSync(path).length
  } catch {
    return 0
  }
}

function mappedSegments (): number {
  try {
    return readFileSync('/proc/self/maps', 'latin1').split('memfd:http-tunnel-segment').length - 1
  } catch {
    return 0
  }
}
