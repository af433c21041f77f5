#!/usr/bin/env node
import { type Address, formatAddress, tcpAddress, unixAddress } from '../src/base/address.js'
import { createEngine } from '../src/engine/create-engine.js'
import type { EngineName } from '../src/engine/engine.js'
import { labServer } from '../src/origin/embedded/lab-link.js'
import { DEFAULT_SEGMENT_SIZES } from '../src/shm/segment-sizes.js'
import { transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'
import { type Given, reportError, runProgram } from './options/cli.js'
import { portOf } from './options/option-values.js'
import { usage } from './plan/usage-error.js'
import {
  announce,
  openOutput,
  SERVICE_CURES,
  SERVICE_FLAGS,
  tunnelEventPrinter,
  valueOf
} from './services/service-options.js'
import { RoleHandle } from './roles/role-handle.js'
import { onShutdown } from './services/shutdown.js'
import { printStats } from './services/stats-printer.js'
import { launchThread } from './roles/threads.js'

const NAME = 'http-tunnel-plugin'
const ORIGIN_HOST = '127.0.0.1'
const ORIGIN_PORT = '9876'
/** How long an exit that nobody planned waits for the origin's thread. */
const CLOSE_AT_EXIT_MS = 500
/** The port is that of its origin. */
const CURES = { ...SERVICE_CURES, port: '--origin-port=0 takes any free one' }
const UNIX_PREFIX = 'unix:'

const { transport, engine, 'spin-us': spin, addr, server, 'max-connections': maxConnections, drain, stats, json } =
  SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary:
    'Attaches to the host at --addr and forwards every connection to an origin: its own one, or the one at --origin; ' +
    'or answers it itself (--origin=embedded).',
  action: {
    flags: {
      transport,
      engine,
      addr,
      origin: {
        describe:
          'Forward to this URL, for example http://127.0.0.1:3000, or to a Unix socket, unix:/run/app.sock, instead ' +
          'of starting an origin; embedded: answer inside this plugin, without a second connection',
        standard: 'none'
      },
      'origin-port': {
        describe: 'TCP port of the origin that is started; 0 takes any free one, which is printed',
        standard: ORIGIN_PORT
      },
      server,
      'spin-us': spin,
      'max-connections': maxConnections,
      drain,
      stats,
      json
    },
    cures: CURES,
    run: async (given) => {
      await start(given)
      return undefined
    }
  }
})

async function start (given: Given): Promise<void> {
  for (const flag of ['origin-port', 'server']) {
    if (given.origin !== undefined && given[flag] !== undefined) {
      throw usage(flag, given[flag], 'is for an origin that is started: leave it out, or --origin')
    }
  }
  const json = given.json === true
  openOutput(NAME, json)
  const transport = valueOf.transport(given)
  // The host's sizes count: this side is told them.
  const transportKind = transportKindOf(
    transport === 'shm' ? { kind: transport, memory: 'memfd', sizes: DEFAULT_SEGMENT_SIZES } : { kind: transport }
  )
  const tunnel = valueOf.addr(given)
  const maxChannels = valueOf.maxConnections(given)
  const drainMs = valueOf.drainMs(given)
  const statsMs = valueOf.statsMs(given)
  const engine = createEngine(valueOf.engine(given), {
    spin: valueOf.spin(given),
    onFallback: (why) => {
      if (!json) console.error(`${NAME}: ${why}`)
    }
  })
  // Before an origin is started that would keep this process alive.
  transportKind.check()
  const print = tunnelEventPrinter(NAME, json, CURES)

  const isEmbedded = given.origin === 'embedded'
  const external = given.origin === undefined || isEmbedded ? null : parseOriginUrl(String(given.origin))
  const starting = external === null && !isEmbedded ? startOrigin(given, engine.name) : null
  let plugin: TunnelPlugin | null = null
  let isOriginClosing = false
  let isFailed = false
  const close = async (ms: number): Promise<void> => {
    const own = await starting
    await plugin?.close({ drainMs: ms })
    isOriginClosing = true
    await own?.close()
  }
  onShutdown(NAME, drainMs, close)
  const own = await starting
  const fail = (error: unknown): void => {
    if (isFailed) return
    isFailed = true
    reportError(NAME, error, CURES)
    void close(0).finally(() => process.exit(1))
  }
  own?.died.catch((error: unknown) => { if (!isOriginClosing) fail(error) })
  const origin = external ?? own?.ready.address
  plugin = TunnelPlugin.start({
    engine,
    tunnel,
    ...(origin === undefined ? { serve: labServer() } : { origin }),
    transport: transportKind,
    limits: { maxChannels },
    // Why it gives up is said once, as an error.
    onEvent: (event) => { if (json || event.kind !== 'refused') print(event) },
    onFatal: fail
  })
  const ready = own?.ready
  if (typeof ready?.note === 'string' && !json) console.error(`${NAME}: ${ready.note}`)
  const url = ready === undefined ? given.origin : `http://${formatAddress(ready.address)}`
  const kind = isEmbedded ? 'embedded' : ready?.server ?? 'external'
  announce(
    json,
    {
      event: 'started',
      name: NAME,
      origin: url,
      server: kind,
      tunnel: tunnel.path,
      transport,
      engine: engine.name,
      pid: process.pid
    },
    `${NAME}: ${isEmbedded ? `answering on ${tunnel.path}` : `forwarding ${tunnel.path} to ${url}`} (${kind} origin, ` +
    `${transport} transport, ${engine.name} engine)`
  )
  const running = plugin
  printStats(NAME, json, statsMs, () => running.stats())
}

/** In a thread of its own: plugin and origin work at the same time. It drives its sockets as the plugin does. */
async function startOrigin (given: Given, engine: EngineName): Promise<RoleHandle<'origin'>> {
  const port = portOf('origin-port', given['origin-port'] ?? ORIGIN_PORT)
  const server = valueOf.server(given)
  const options = { server, engine, spin: valueOf.spin(given), host: ORIGIN_HOST, port, path: null }
  const origin = await RoleHandle.start(launchThread, 'origin', options)
  if (origin.ready.server === 'uws') closeAtExit(origin)
  return origin
}

/** An open app of uWebSockets.js in another thread aborts a process that ends: the thread gets time to close it. */
function closeAtExit (origin: RoleHandle<'origin'>): void {
  let isOpen = true
  origin.died.catch(() => { isOpen = false })
  process.once('exit', () => {
    if (!isOpen) return
    void origin.close()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CLOSE_AT_EXIT_MS)
  })
}

/** The tunnel carries bytes, so of a URL only its host and port matter; https is passed through, not ended here. */
function parseOriginUrl (text: string): Address {
  if (text.startsWith(UNIX_PREFIX)) return unixAddress(text.slice(UNIX_PREFIX.length))
  const fail = (rule: string): never => { throw usage('origin', text, rule) }
  let url: URL
  try {
    url = new URL(String(text))
  } catch {
    return fail(
      'must be embedded, or a URL with a port up to 65535, for example http://127.0.0.1:3000, or unix: and the path ' +
      'of a socket'
    )
  }
  const standardPort =
    { 'http:': 80, 'https:': 443 }[url.protocol] ?? fail('must begin with http://, https:// or unix:')
  if (url.href !== `${url.protocol}//${url.host}/`) fail('must name a host and a port only: paths come from the client')
  if (url.port === '0') fail('must name a port from 1 to 65535')
  return tcpAddress(url.hostname, url.port === '' ? standardPort : Number(url.port))
}
