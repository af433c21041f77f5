#!/usr/bin/env node
import { type Address, formatAddress, tcpAddress, unixAddress } from '../src/base/address.js'
import { createNodeEngine } from '../src/engine/node/node-engine.js'
import { startOrigin } from '../src/origin/origin.js'
import { TunnelPlugin } from '../src/tunnel/tunnel-plugin.js'
import { usage } from './arms.js'
import { reportError, runCommand } from './cli.js'
import { addrOption, announce, drainOption, jsonOption, portOption, serverOption, transportOption, tunnelEventPrinter } from './service-options.js'
import { onShutdown } from './shutdown.js'

const NAME = 'http-tunnel-plugin'

interface Options {
  transport: string
  addr: string
  origin?: string
  'origin-port': number
  server: 'auto' | 'uws' | 'node'
  'drain-ms': number
  json: boolean
}

await runCommand({
  name: NAME,
  summary: 'Attaches to the host at --addr and forwards every connection to an origin: its own one, or the one at --origin.',
  build: (cli) => cli
    .options({
      transport: transportOption,
      addr: addrOption,
      origin: { type: 'string', describe: 'Forward to this URL, for example http://127.0.0.1:3000, instead of starting an origin', conflicts: [] },
      'origin-port': { ...portOption(9876, 'origin-port'), describe: 'Port of the origin that is started' },
      server: serverOption,
      'drain-ms': drainOption,
      json: jsonOption
    })
    .command('$0', false, {}, async (argv) => { await start(argv as unknown as Options) })
})

async function start (options: Options): Promise<void> {
  const { transport, addr, json, server, 'drain-ms': drainMs } = options
  const own = options.origin === undefined ? await startOrigin({ server, host: '127.0.0.1', port: options['origin-port'] }) : null
  const origin = own?.address ?? parseOriginUrl(options.origin!)
  const engine = createNodeEngine()
  const close = async (ms: number): Promise<void> => {
    await plugin.close({ drainMs: ms })
    await own?.close()
  }
  const plugin = TunnelPlugin.start({
    engine,
    tunnel: unixAddress(addr),
    origin,
    onEvent: tunnelEventPrinter(NAME, json),
    onFatal: (error) => {
      if (!json) reportError(NAME, error)
      void close(0).finally(() => process.exit(1))
    }
  })
  onShutdown(async () => { await close(drainMs) }, async () => { await close(0) })
  if (own?.note !== undefined && !json) console.error(`${NAME}: ${own.note}`)
  const url = options.origin ?? `http://${formatAddress(origin)}`
  announce(json, { event: 'started', name: NAME, origin: url, server: own?.server ?? 'external', tunnel: addr, transport, engine: engine.name, pid: process.pid },
    `${NAME}: forwarding ${addr} to ${url} (${own === null ? 'external' : own.server} origin, ${transport} transport, ${engine.name} engine)`)
}

/** The tunnel carries bytes, so of a URL only its host and port matter; https is passed through, not ended here. */
function parseOriginUrl (text: string): Address {
  const fail = (rule: string): never => { throw usage('origin', text, rule) }
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return fail('must be a URL, for example http://127.0.0.1:3000')
  }
  const defaultPort = { 'http:': 80, 'https:': 443 }[url.protocol] ?? fail('must begin with http:// or https://')
  if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.username !== '') fail('must name a host and a port only: paths come from the client')
  return tcpAddress(url.hostname.replace(/^\[|\]$/g, ''), url.port === '' ? defaultPort : Number(url.port))
}
