#!/usr/bin/env node
import { startOrigin } from '../src/origin/start-origin.js'
import { runProgram } from './options/cli.js'
import {
  announce,
  openOutput,
  SERVICE_CURES,
  SERVICE_FLAGS,
  tunnelEventPrinter,
  urlOf,
  valueOf
} from './services/service-options.js'
import { usage } from './plan/usage.js'
import { onShutdown } from './services/shutdown.js'

const NAME = 'http-baseline'

const { port, host, server, engine, 'spin-us': spin, drain, json } = SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary: 'The origin without a tunnel: what direct HTTP costs. Serves /small /large /health /bytes/N and POST /echo.',
  action: {
    flags: {
      port,
      host,
      addr: { describe: 'Path of a Unix socket to listen on as well, with mode 0600', standard: 'none' },
      server,
      engine,
      'spin-us': spin,
      drain,
      json
    },
    cures: SERVICE_CURES,
    run: async (given) => {
      const drainMs = valueOf.drainMs(given)
      const json = given.json === true
      openOutput(NAME, json)
      const path = given.addr === undefined ? null : valueOf.addr(given).path
      const server = valueOf.server(given)
      for (const flag of ['engine', 'spin-us']) {
        if (server === 'lab' || given[flag] === undefined) continue
        throw usage(flag, given[flag], 'is for --server=lab: leave it out, or --server')
      }
      const lab = { engine: valueOf.engine(given), spin: valueOf.spin(given) }
      const places = { host: valueOf.host(given), port: valueOf.port(given), path }
      const onSocketFile = tunnelEventPrinter(NAME, json, SERVICE_CURES)
      const starting = startOrigin({ server, ...lab, ...places, onSocketFile })
      onShutdown(NAME, drainMs, async (ms) => { await (await starting).close({ drainMs: ms }) })
      const origin = await starting
      const { data, words } = urlOf(origin)
      if (origin.note !== undefined && !json) console.error(`${NAME}: ${origin.note}`)
      announce(
        json,
        {
          event: 'listening',
          name: NAME,
          ...data,
          ...(path === null ? {} : { unix: path }),
          server: origin.server,
          pid: process.pid
        },
        `${NAME}: listening on ${words}${path === null ? '' : ` and ${path}`} (${origin.server} origin)`
      )
      return undefined
    }
  }
})
