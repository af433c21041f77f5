#!/usr/bin/env node
import { formatAddress } from '../src/base/address.js'
import { startOrigin } from '../src/origin/origin.js'
import { runCommand } from './cli.js'
import { announce, hostOption, jsonOption, portOption, serverOption } from './service-options.js'
import { onShutdown } from './shutdown.js'

await runCommand({
  name: 'http-baseline',
  summary: 'The origin without a tunnel: what direct HTTP costs. Serves /small /large /health /bytes/N and POST /echo.',
  build: (cli) => cli
    .options({ port: portOption(4000, 'port'), host: hostOption, server: serverOption, json: jsonOption })
    .command('$0', false, {}, async (argv) => {
      const { port, host, server, json } = argv as unknown as { port: number, host: string, server: 'auto' | 'uws' | 'node', json: boolean }
      const origin = await startOrigin({ server, host, port })
      const http = `http://${formatAddress(origin.address)}`
      onShutdown(async () => { await origin.close() }, async () => { await origin.close() })
      if (origin.note !== undefined && !json) console.error(`http-baseline: ${origin.note}`)
      announce(json, { event: 'listening', name: 'http-baseline', http, server: origin.server, pid: process.pid },
        `http-baseline: listening on ${http} (${origin.server} origin)`)
    })
})
