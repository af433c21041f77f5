import { once } from 'node:events'
import net from 'node:net'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { createEngine } from '../../engine/create-engine.js'
import type { EngineName } from '../../engine/engine.js'
import { TunnelHost } from '../tunnel-host.js'
import { TunnelPlugin } from '../tunnel-plugin.js'
import { portOf, until } from './rig.js'
import { createTransport, type TransportName } from './transports.js'

/**
 * A tunnel that carries one connection and closes, in the main thread and then in a worker, for what it prints.
 * Arguments: engine, transport, and the path of the tunnel's socket.
 */
const args = (isMainThread ? process.argv.slice(2) : workerData) as [EngineName, TransportName, string]
const [engineName, transportName, path] = args
const parts = { engine: createEngine(engineName), tunnel: unixAddress(path), transport: createTransport(transportName) }

const origin = net.createServer((socket) => { socket.end() })
await new Promise<void>((resolve) => { origin.listen(0, '127.0.0.1', resolve) })
const host = await TunnelHost.start({ ...parts, listen: tcpAddress('127.0.0.1', 0) })
const { port } = origin.address() as net.AddressInfo
const plugin = TunnelPlugin.start({ ...parts, engine: createEngine(engineName), origin: tcpAddress('127.0.0.1', port) })
await plugin.attached()
await until(() => host.attached)
const client = net.connect(portOf(host.address), '127.0.0.1').resume()
await new Promise((resolve) => client.once('close', resolve))
await plugin.close()
await host.close()
origin.close()
if (isMainThread) await once(new Worker(new URL(import.meta.url), { workerData: args }), 'exit')
