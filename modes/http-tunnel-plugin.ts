#!/usr/bin/env node
import { type Address, formatAddress, tcpAddress, unixAddress } from '../src/base/address.js'
import { createEngine } from '../src/engine/create-engine.js'
import { labServer } from '../src/origin/embedded/lab-link.js'
import { startOrigin } from '../src/origin/origin.js'
import { DEFAULT_SEGMENT_SIZES } from '../src/shm/segment-sizes.js'
import { transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'
import { type Given, reportError, runProgram } from './cli.js'
import { portOf, usage } from './option-values.js'
import { announce, SERVICE_FLAGS, tunnelEventPrinter, valueOf } from './service-options.js'
import { onShutdown } from './shutdown.js'
import { printStats } from './stats-printer.js'

const NAME = 'http-tunnel-plugin'
const ORIGIN_PORT = '9876'
const UNIX_PREFIX = 'unix:'

const { transport, engine, 'spin-us': spin, addr, server, drain, stats, json } = SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary: 'Attaches to the host at --addr and forwards every connection to an origin: its own one, or the one at --origin; or answers it itself (--origin=embedded).',
  action: {
    flags: {
      transport,
      engine,
      addr,
      origin: { describe: 'Forward to this URL, for example http://127.0.0.1:3000, or to a Unix socket, unix:/run/app.sock, instead of starting an origin; embedded: answer inside this plugin, without a second connection', standard: 'none' },
      'origin-port': { describe: 'TCP port of the origin that is started; 0 takes any free one, which is printed', standard: ORIGIN_PORT },
      server,
      'spin-us': spin,
      drain,
      stats,
      json
    },
    run: async (given) => {
      await start(given)
      return undefined
    }
  }
})

async function start (given: Given): Promise<void> {
  for (const flag of ['origin-port', 'server']) {
    if (given.origin !== undefined && given[flag] !== undefined) throw usage(flag, given[flag], 'is for an origin that is started: leave it out, or --origin')
  }
  const json = given.json === true
  const transport = valueOf.transport(given)
  // The host's sizes count: this side is told them.
  const transportKind = transportKindOf(transport === 'shm' ? { kind: transport, memory: 'memfd', sizes: DEFAULT_SEGMENT_SIZES } : { kind: transport })
  const tunnel = valueOf.addr(given)
  const drainMs = valueOf.drainMs(given)
  const statsMs = valueOf.statsMs(given)
  const engine = createEngine(valueOf.engine(given), { spin: valueOf.spin(given), onFallback: (why) => { if (!json) console.error(`${NAME}: ${why}`) } })
  // Before an origin is started that would keep this process alive.
  transportKind.check()
  const print = tunnelEventPrinter(NAME, json)

  const isEmbedded = given.origin === 'embedded'
  const external = given.origin === undefined || isEmbedded ? null : parseOriginUrl(String(given.origin))
  const starting = external === null && !isEmbedded ? startOrigin({ server: valueOf.server(given), port: portOf('origin-port', given['origin-port'] ?? ORIGIN_PORT) }) : null
  let plugin: TunnelPlugin | null = null
  const close = async (ms: number): Promise<void> => {
    const own = await starting
    await plugin?.close({ drainMs: ms })
    await own?.close()
  }
  onShutdown(NAME, drainMs, close)
  const own = await starting
  const origin = external ?? own?.address
  plugin = TunnelPlugin.start({
    engine,
    tunnel,
    ...(origin === undefined ? { serve: labServer() } : { origin }),
    transport: transportKind,
    // Why it gives up is said once, as an error.
    onEvent: (event) => { if (json || event.kind !== 'refused') print(event) },
    onFatal: (error) => {
      reportError(NAME, error)
      void close(0).finally(() => process.exit(1))
    }
  })
  if (own?.note !== undefined && !json) console.error(`${NAME}: ${own.note}`)
  const url = own === null ? given.origin : `http://${formatAddress(own.address)}`
  const kind = isEmbedded ? 'embedded' : own?.server ?? 'external'
  announce(json, { event: 'started', name: NAME, origin: url, server: kind, tunnel: tunnel.path, transport, engine: engine.name, pid: process.pid },
    `${NAME}: ${isEmbedded ? `answering on ${tunnel.path}` : `forwarding ${tunnel.path} to ${url}`} (${kind} origin, ${transport} transport, ${engine.name} engine)`)
  const running = plugin
  printStats(NAME, json, statsMs, () => running.stats())
}

/** The tunnel carries bytes, so of a URL only its host and port matter; https is passed through, not ended here. */
function parseOriginUrl (text: string): Address {
  if (text.startsWith(UNIX_PREFIX)) return unixAddress(text.slice(UNIX_PREFIX.length))
  const fail = (rule: string): never => { throw usage('origin', text, rule) }
  let url: URL
  try {
    url = new URL(String(text))
  } catch {
    return fail('must be embedded, or a URL with a port up to 65535, for example http://127.0.0.1:3000, or unix: and the path of a socket')
  }
  const standardPort = { 'http:': 80, 'https:': 443 }[url.protocol] ?? fail('must begin with http://, https:// or unix:')
  if (url.href !== `${url.protocol}//${url.host}/`) fail('must name a host and a port only: paths come from the client')
  if (url.port === '0') fail('must name a port from 1 to 65535')
  return tcpAddress(url.hostname, url.port === '' ? standardPort : Number(url.port))
}
