#!/usr/bin/env node
import { formatAddress } from '../src/base/address.js'
import { createEngine } from '../src/engine/create-engine.js'
import { labServer } from '../src/origin/embedded/lab-link.js'
import { DEFAULT_SEGMENT_SIZES } from '../src/shm/segment-sizes.js'
import { transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'
import type { RoleTypes } from '../workers/roles.js'
import { runProgram } from './options/cli.js'
import { reportError } from './options/cures.js'
import type { Given } from './options/flags.js'
import { usageError } from './plan/usage-error.js'
import { ORIGIN_PORT, parseOriginUrl, startOwnOrigin } from './services/plugin-origin.js'
import { SERVICE_CURES, SERVICE_FLAGS, valueOf } from './services/service-options.js'
import { announce, openOutput, tunnelEventPrinter } from './services/service-output.js'
import { onShutdown } from './services/shutdown.js'
import { printStats } from './services/stats-printer.js'

const NAME = 'http-tunnel-plugin'
/** The port is that of its origin. */
const CURES = { ...SERVICE_CURES, port: '--origin-port=0 takes any free one' }

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
    execute: async (given) => {
      await start(given)
      return undefined
    }
  }
})

async function start (given: Given): Promise<void> {
  for (const flag of ['origin-port', 'server']) {
    if (given.origin !== undefined && given[flag] !== undefined) {
      throw usageError(flag, given[flag], 'is for an origin that is started: leave it out, or --origin')
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
  const starting = external === null && !isEmbedded ? startOwnOrigin(given, engine.name) : null
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
  announceStart({ given, json, transport, engineName: engine.name, tunnelPath: tunnel.path, ownOrigin: own?.ready })
  const running = plugin
  printStats(NAME, json, statsMs, () => running.stats())
}

interface Started {
  readonly given: Given
  readonly json: boolean
  readonly transport: string
  readonly engineName: string
  readonly tunnelPath: string
  readonly ownOrigin: RoleTypes['origin']['ready'] | undefined
}

function announceStart ({ given, json, transport, engineName, tunnelPath, ownOrigin }: Started): void {
  if (typeof ownOrigin?.note === 'string' && !json) console.error(`${NAME}: ${ownOrigin.note}`)
  const origin = ownOrigin === undefined ? given.origin : `http://${formatAddress(ownOrigin.address)}`
  const isEmbedded = origin === 'embedded'
  const server = isEmbedded ? 'embedded' : ownOrigin?.server ?? 'external'
  const { pid } = process
  announce(
    json,
    { event: 'started', name: NAME, origin, server, tunnel: tunnelPath, transport, engine: engineName, pid },
    `${NAME}: ${isEmbedded ? `answering on ${tunnelPath}` : `forwarding ${tunnelPath} to ${origin}`} ` +
    `(${server} origin, ${transport} transport, ${engineName} engine)`
  )
}
