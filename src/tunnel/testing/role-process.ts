import { tcpAddress, unixAddress } from '../../base/address.js'
import { createNodeEngine } from '../../engine/node/node-engine.js'
import { TunnelHost } from '../tunnel-host.js'
import { TunnelPlugin } from '../tunnel-plugin.js'
import { portOf } from './rig.js'
import { createTransport, type TransportName } from './transports.js'

/** A host or a plugin in a process of its own, to be killed. Arguments: transport, role, socket path, and for a plugin the origin's port. */
const [transportName, role, path, originPort] = process.argv.slice(2)
const engine = createNodeEngine()
const tunnel = unixAddress(path!)
const transport = createTransport(transportName as TransportName)

if (role === 'host') {
  const host = await TunnelHost.start({ engine, tunnel, transport, listen: tcpAddress('127.0.0.1', 0) })
  process.send!({ port: portOf(host.address) })
} else {
  const plugin = TunnelPlugin.start({ engine, tunnel, transport, origin: tcpAddress('127.0.0.1', Number(originPort)) })
  await plugin.attached()
  process.send!({ port: 0 })
}
// A test that is over takes its processes with it.
process.on('disconnect', () => { process.exit() })
