#!/usr/bin/env node
import { formatAddress, tcpAddress } from '../src/base/address.js'
import { createNodeEngine } from '../src/engine/node/node-engine.js'
import { TunnelHost } from '../src/tunnel/tunnel-host.js'
import { runProgram } from './cli.js'
import { announce, SERVICE_FLAGS, tunnelEventPrinter, valueOf } from './service-options.js'
import { onShutdown } from './shutdown.js'

const NAME = 'http-tunnel-host'

const { transport, addr, port, host, drain, json } = SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary: 'Accepts HTTP (or any TCP protocol) and carries every connection through the tunnel to the plugin attached at --addr.',
  action: {
    flags: { transport, addr, port, host, drain, json },
    run: async (given) => {
      const json = given.json === true
      const transport = valueOf.transport(given)
      const tunnel = valueOf.addr(given)
      const listen = tcpAddress(valueOf.host(given), valueOf.port(given))
      const drainMs = valueOf.drainMs(given)
      const engine = createNodeEngine()

      const starting = TunnelHost.start({ engine, listen, tunnel, onEvent: tunnelEventPrinter(NAME, json) })
      onShutdown(NAME, drainMs, async (ms) => { await (await starting).close({ drainMs: ms }) })
      const http = `http://${formatAddress((await starting).address)}`
      announce(json, { event: 'listening', name: NAME, http, tunnel: tunnel.path, transport, engine: engine.name, pid: process.pid },
        `${NAME}: listening on ${http}, waiting for a plugin at ${tunnel.path} (${transport} transport, ${engine.name} engine)`)
      return undefined
    }
  }
})
