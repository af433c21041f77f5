#!/usr/bin/env node
import { formatAddress, tcpAddress, unixAddress } from '../src/base/address.js'
import { createNodeEngine } from '../src/engine/node/node-engine.js'
import { TunnelHost } from '../src/tunnel/tunnel-host.js'
import { runCommand } from './cli.js'
import { addrOption, announce, drainOption, hostOption, jsonOption, portOption, transportOption, tunnelEventPrinter } from './service-options.js'
import { onShutdown } from './shutdown.js'

const NAME = 'http-tunnel-host'

await runCommand({
  name: NAME,
  summary: 'Accepts HTTP (or any TCP protocol) and carries every connection through the tunnel to the plugin attached at --addr.',
  build: (cli) => cli
    .options({ transport: transportOption, addr: addrOption, port: portOption(4000, 'port'), host: hostOption, 'drain-ms': drainOption, json: jsonOption })
    .command('$0', false, {}, async (argv) => {
      const { transport, addr, port, host: hostName, json, 'drain-ms': drainMs } = argv as unknown as { transport: string, addr: string, port: number, host: string, json: boolean, 'drain-ms': number }
      const engine = createNodeEngine()
      const host = await TunnelHost.start({ engine, listen: tcpAddress(hostName, port), tunnel: unixAddress(addr), onEvent: tunnelEventPrinter(NAME, json) })
      onShutdown(async () => { await host.close({ drainMs }) }, async () => { await host.close({ drainMs: 0 }) })
      const http = `http://${formatAddress(host.address)}`
      announce(json, { event: 'listening', name: NAME, http, tunnel: addr, transport, engine: engine.name, pid: process.pid },
        `${NAME}: listening on ${http}, waiting for a plugin at ${addr} (${transport} transport, ${engine.name} engine)`)
    })
})
