#!/usr/bin/env node
import { startOrigin } from '../src/origin/origin.js'
import { runProgram } from './cli.js'
import { announce, SERVICE_FLAGS, tunnelEventPrinter, urlOf, valueOf } from './service-options.js'
import { onShutdown } from './shutdown.js'

const NAME = 'http-baseline'

const { port, host, server, drain, json } = SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary: 'The origin without a tunnel: what direct HTTP costs. Serves /small /large /health /bytes/N and POST /echo.',
  action: {
    flags: { port, host, addr: { describe: 'Path of a Unix socket to listen on as well, with mode 0600', standard: 'none' }, server, drain, json },
    run: async (given) => {
      const drainMs = valueOf.drainMs(given)
      const path = given.addr === undefined ? null : valueOf.addr(given).path
      const json = given.json === true
      const onSocketFile = tunnelEventPrinter(NAME, json)
      const starting = startOrigin({ server: valueOf.server(given), host: valueOf.host(given), port: valueOf.port(given), path, onSocketFile })
      onShutdown(NAME, drainMs, async (ms) => { await (await starting).close({ drainMs: ms }) })
      const origin = await starting
      const { data, words } = urlOf(origin)
      if (origin.note !== undefined && !json) console.error(`${NAME}: ${origin.note}`)
      announce(json, { event: 'listening', name: NAME, ...data, ...(path === null ? {} : { unix: path }), server: origin.server, pid: process.pid },
        `${NAME}: listening on ${words}${path === null ? '' : ` and ${path}`} (${origin.server} origin)`)
      return undefined
    }
  }
})
