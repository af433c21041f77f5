#!/usr/bin/env node
import { tcpAddress } from '../src/base/address.js'
import { createEngine } from '../src/engine/create-engine.js'
import { HelloLimit } from '../src/mux/hello.js'
import { DEFAULT_SESSION_OPTIONS } from '../src/mux/session.js'
import { type TransportChoice, transportKindOf } from '../src/transport/transport-kinds.js'
import { TunnelHost } from '../src/tunnel/tunnel-host.js'
import { runProgram } from './options/cli.js'
import type { Given } from './options/flags.js'
import { integerOf } from './options/option-values.js'
import { usageError } from './plan/usage-error.js'
import { givenSegmentFlag, SEGMENT_FLAGS, segmentSizesOf } from './options/segment-options.js'
import { SERVICE_CURES, SERVICE_FLAGS, valueOf } from './services/service-options.js'
import { announce, openOutput, tunnelEventPrinter, urlOf } from './services/service-output.js'
import { onShutdown } from './services/shutdown.js'
import { printStats } from './services/stats-printer.js'

const NAME = 'http-tunnel-host'

const [WINDOW_MIN_BYTES, WINDOW_MAX_BYTES] = HelloLimit.windowBytes
const windowFlag = {
  describe: `Bytes that may be on their way from the plugin to one client, ${WINDOW_MIN_BYTES} to ` +
    `${WINDOW_MAX_BYTES}: a response that is longer waits for credit`,
  standard: String(DEFAULT_SESSION_OPTIONS.windowBytes)
}

const { transport, engine, 'spin-us': spin, addr, port, host, 'max-connections': maxConnections, drain, stats, json } =
  SERVICE_FLAGS

await runProgram({
  name: NAME,
  summary:
    'Accepts HTTP (or any TCP protocol) and carries every connection through the tunnel to the plugin attached at ' +
    '--addr.',
  action: {
    flags: {
      transport,
      engine,
      'spin-us': spin,
      addr,
      ...SEGMENT_FLAGS,
      'window-bytes': windowFlag,
      port,
      host,
      'max-connections': maxConnections,
      drain,
      stats,
      json
    },
    cures: SERVICE_CURES,
    execute: async (given) => {
      const json = given.json === true
      openOutput(NAME, json)
      const transport = transportOf(given)
      const tunnel = valueOf.addr(given)
      const listen = tcpAddress(valueOf.host(given), valueOf.port(given))
      const windowBytes = integerOf(
        'window-bytes',
        given['window-bytes'] ?? windowFlag.standard,
        WINDOW_MIN_BYTES,
        WINDOW_MAX_BYTES
      )
      const maxChannels = valueOf.maxConnections(given)
      const drainMs = valueOf.drainMs(given)
      const statsMs = valueOf.statsMs(given)
      const engine = createEngine(valueOf.engine(given), {
        spin: valueOf.spin(given),
        onFallback: (why) => {
          if (!json) console.error(`${NAME}: ${why}`)
        }
      })

      const starting = TunnelHost.start({
        engine,
        listen,
        tunnel,
        transport: transportKindOf(transport),
        limits: { windowBytes, maxChannels },
        onEvent: tunnelEventPrinter(NAME, json, SERVICE_CURES)
      })
      onShutdown(NAME, drainMs, async (ms) => {
        await (await starting).close({ drainMs: ms })
      })
      const tunnelHost = await starting
      const { data, words } = urlOf(tunnelHost)
      announce(
        json,
        {
          event: 'listening',
          name: NAME,
          ...data,
          tunnel: tunnel.path,
          transport: transport.kind,
          engine: engine.name,
          pid: process.pid
        },
        `${NAME}: listening on ${words}, waiting for a plugin at ${tunnel.path} (${transport.kind} transport, ` +
        `${engine.name} engine)`
      )
      printStats(NAME, json, statsMs, () => tunnelHost.stats())
      return undefined
    }
  }
})

/** Throws ERR_TUNNEL_USAGE. */
function transportOf (given: Given): TransportChoice {
  const kind = valueOf.transport(given)
  if (kind === 'shm') return { kind, memory: 'memfd', sizes: segmentSizesOf(given) }
  const flag = givenSegmentFlag(given)
  if (flag !== null) throw usageError(flag, given[flag], 'is for shared memory: leave it out, or add --transport=shm')
  return { kind }
}
