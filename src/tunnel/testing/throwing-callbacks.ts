import net from 'node:net'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { createEngine } from '../../engine/create-engine.js'
import type { EngineName } from '../../engine/engine.js'
import type { ChannelHandler } from '../../mux/channel.js'
import type { ChannelServer } from '../channel-server.js'
import { TunnelHost } from '../tunnel-host.js'
import { TunnelPlugin } from '../tunnel-plugin.js'
import { portOf, until } from './rig.js'
import { createTransport, type TransportName } from './transports.js'

/**
 * A host and plugins whose every callback throws, in a process of its own, where what ends up uncaught can be counted.
 * Arguments: engine, transport, and the path of the tunnel's socket.
 * Sends what was uncaught, and what the clients got that came afterwards.
 */
const [engineName, transportName, path] = process.argv.slice(2) as [EngineName, TransportName, string]
const uncaught: string[] = []
process.on('uncaughtException', (error) => { uncaught.push(error.message) })

const tunnel = unixAddress(path)
const transport = createTransport(transportName)
const fail = (what: string): never => { throw new Error(what) }

const host = await TunnelHost.start({
  engine: createEngine(engineName),
  tunnel,
  transport,
  listen: tcpAddress('127.0.0.1', 0),
  onEvent: ({ kind }) => fail(`host ${kind}`)
})
let attempts = 0
let channels = 0
const serve: ChannelServer = {
  attach () {
    if (attempts++ === 0) fail('attach')
    return {
      onChannel (channel) {
        const number = ++channels
        if (number === 1) fail('onChannel')
        channel.accept()
        const handler: ChannelHandler = {
          onData (view, release) {
            if (number === 2) fail('onData')
            const claim = channel.claim(view.length)!
            claim.set(view)
            channel.commit(view.length)
            release()
          },
          onEnd () { channel.end() },
          onReset () { fail(`onReset ${number}`) },
          onClaimable () {}
        }
        return handler
      },
      drain () { fail('drain') },
      close () { fail('close') }
    }
  }
}
const plugin = TunnelPlugin.start({
  engine: createEngine(engineName),
  tunnel,
  transport,
  serve,
  onEvent: ({ kind }) => fail(`plugin ${kind}`)
})
await plugin.attached()

/** What a client gets back for `hello`, or the code of its error. */
function ask (end: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port: portOf(host.address), allowHalfOpen: true })
    let text = ''
    socket.on('data', (data) => {
      text += String(data)
      if (!end) resolve(text)
    })
    socket.on('end', () => { socket.end() })
    socket.on('error', (error: NodeJS.ErrnoException) => { resolve(error.code!) })
    socket.on('close', () => { resolve(text) })
    if (end) socket.end('hello')
    else socket.write('hello')
  })
}

const answers = [await ask(false), await ask(false), await ask(true), await ask(true), await ask(false)]
await until(() => host.stats().counters.channelsOpened === 5)
const other = TunnelPlugin.start({
  engine: createEngine(engineName),
  tunnel,
  transport: createTransport(transportName === 'stream' ? 'shared-array-buffer' : 'stream'),
  serve,
  onEvent: ({ kind }) => fail(`other ${kind}`),
  onFatal: () => fail('onFatal')
})
await other.attached().catch(() => {})
await other.close()
const reset = until(() => uncaught.includes('onReset 5'))
await plugin.close({ drainMs: 0 })
await host.close({ drainMs: 0 })
await reset
process.send!({ answers, uncaught, channels: host.stats().channels + plugin.stats().channels }, () => {
  process.exit()
})
