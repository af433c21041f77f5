import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { encodeHeader } from '../../src/frame/header.js'
import { FrameType, HEADER_BYTES } from '../../src/frame/layout.js'
import { encodeHello, Role } from '../../src/mux/hello.js'
import { loadUws } from '../../src/origin/uws-origin.js'
import { get } from '../testing/client.js'
import { Program, runToEnd } from '../testing/program.js'
import { startBaseline, startHost, startPlugin, startTunnel, urlOf } from '../testing/services.js'
import { temporaryFolder } from '../testing/temporary.js'

const VERSION_OFFSET = 4

function frame (type: FrameType, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  encodeHeader(bytes, 0, { type, channelId: 0, payloadBytes: payload.length, flags: 0, argument: 0 })
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

function hello (role: Role, version = 1): Buffer {
  const payload = encodeHello({
    role,
    transport: 'stream',
    maxPayloadBytes: 65_536,
    windowBytes: 65_536,
    maxChannels: 8
  })
  payload[VERSION_OFFSET] = version
  return frame(FrameType.HELLO, payload)
}

/** Sends `bytes` to the tunnel's socket and waits until the host has closed the link. */
async function send (t: ExecutionContext, addr: string, bytes: Uint8Array): Promise<void> {
  const socket = net.connect({ path: addr, allowHalfOpen: true })
  t.teardown(() => { socket.destroy() })
  socket.on('error', () => {})
  socket.resume()
  socket.write(bytes)
  await Promise.race([once(socket, 'end'), once(socket, 'close')])
  socket.destroy()
}

const uwsLoads = await loadUws().then(() => true, () => false)

/** The system says one or the other of a process that was killed, depending on what was on its way. */
const GONE = /^ERR_TUNNEL_(PEER_CLOSED|SOCKET_RESET)$/

const PROTOCOL = 'ERR_TUNNEL_PROTOCOL'

const intruders: Array<[what: string, bytes: Uint8Array, code: string, message: RegExp]> = [
  ['random bytes', Buffer.from('c3a1f4509be2771d08ffae63915c2b40e8d7', 'hex'), PROTOCOL, /^Cannot decode frame header/],
  [
    'an HTTP request',
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    PROTOCOL,
    /^Cannot decode frame header/
  ],
  [
    'another protocol version',
    hello(Role.PLUGIN, 2),
    'ERR_TUNNEL_VERSION',
    /this side speaks protocol version 1 and the peer version 2: run the same version of http-tunnel-bench on both sides$/
  ],
  ['a plugin that speaks before HELLO', frame(FrameType.PING), PROTOCOL, /the first frame must be HELLO: it is PING$/],
  ['a host', hello(Role.HOST), PROTOCOL, /the peer must be a plugin: it says it is a host/],
  [
    'a HELLO without magic',
    frame(FrameType.HELLO, new Uint8Array(20)),
    PROTOCOL,
    /must begin with the magic HTUN: whatever connected does not speak this protocol$/
  ]
]

test.serial(
  'the host turns away whatever is not a plugin of its version, in a sentence each, and goes on',
  async (t) => {
    const addr = join(temporaryFolder(t), 's')
    const host = startHost(t, addr)
    await host.event('listening')
    for (const [i, [what, bytes, code, message]] of intruders.entries()) {
      await send(t, addr, bytes)
      const refused = await host.event('refused', i + 1)
      t.is(refused.code, code, what)
      t.regex(String(refused.message), message, what)
    }
    const plugin = startPlugin(t, addr)
    await plugin.event('attached')
    await host.event('attached')
    // Also beside a plugin that serves.
    for (const [, bytes] of intruders) await send(t, addr, bytes)
    t.is(String((await get(t, `${await urlOf(host)}/health`)).body), 'ok')
  }
)

test.serial('the host says in a sentence why it turned a link away', async (t) => {
  const addr = join(temporaryFolder(t), 's')
  const host = new Program(t, 'http-tunnel-host', [`--addr=${addr}`, '--port=0'])
  await host.output(/listening/)
  await send(t, addr, hello(Role.PLUGIN, 9))
  await host.output(
    /\nhttp-tunnel-host: link refused: Cannot shake hands: this side speaks protocol version 1 and the peer version 9: run the same version [^\n]*\n$/
  )
  t.is(host.stderr, '')
})

for (const json of [false, true]) {
  test.serial(
    'the plugin gives up in a sentence where the host is of another ' +
    `version${json ? ', and in an event with --json' : ''}`,
    async (t) => {
      const addr = join(temporaryFolder(t), 's')
      const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.resume()
        socket.write(hello(Role.HOST, 2))
      })
      t.teardown(() => {
        server.close()
      })
      await once(server.listen(addr), 'listening')
      const plugin = new Program(t, 'http-tunnel-plugin', [
        `--addr=${addr}`,
        '--origin-port=0',
        ...(json ? ['--json'] : [])
      ])
      const { code, stderr, stdout } = await plugin.ended
      t.is(code, 1)
      t.regex(
        stderr,
        /^http-tunnel-plugin: Cannot shake hands: this side speaks protocol version 1 and the peer version 2: run the same version of http-tunnel-bench on both sides \(ERR_TUNNEL_VERSION\)\n$/
      )
      if (json) t.like(plugin.events.at(-1), { event: 'refused', code: 'ERR_TUNNEL_VERSION' })
      else t.notRegex(stdout, /refused/)
    }
  )
}

test.serial('a second plugin waits until the first one is gone', async (t) => {
  const { addr, host, plugin } = await startTunnel(t)
  const second = startPlugin(t, addr)
  t.is((await second.event('waiting')).code, 'ERR_TUNNEL_PEER_BUSY')
  t.is((await host.event('refused')).code, 'ERR_TUNNEL_PEER_BUSY')
  plugin.kill('SIGTERM')
  await second.event('attached')
  t.is(String((await get(t, `${await urlOf(host)}/small`)).body), 'ok')
})

/** Asks again and again, one request after the other on each of several connections, until it is told to stop. */
function startLoad (t: ExecutionContext, url: string): { failures: () => number, stop: () => Promise<void> } {
  const stopping = new AbortController()
  let failures = 0
  const loops = Array.from({ length: 4 }, async () => {
    while (!stopping.signal.aborted) await get(t, `${url}/large`).catch(() => { failures++ })
  })
  const stop = async (): Promise<void> => {
    stopping.abort()
    await Promise.all(loops)
  }
  t.teardown(stop)
  return { failures: () => failures, stop }
}

test.serial('a plugin that is killed under load leaves a host that serves with the next one', async (t) => {
  const { addr, host, plugin, url } = await startTunnel(t)
  const load = startLoad(t, url)
  await get(t, `${url}/large`)
  plugin.kill('SIGKILL')
  t.regex(String((await host.event('detached')).code), GONE)
  const next = startPlugin(t, addr)
  await next.event('attached')
  await host.event('attached', 2)
  await load.stop()
  t.true(load.failures() > 0)
  t.is((await get(t, `${url}/large`)).body.length, 262_144)
})

test.serial(
  'a host that is killed under load leaves a plugin that serves the next one, at the same address',
  async (t) => {
    const { addr, host, plugin, url } = await startTunnel(t)
    const load = startLoad(t, url)
    await get(t, `${url}/large`)
    host.kill('SIGKILL')
    t.regex(String((await plugin.event('detached')).code), GONE)
    await load.stop()
    t.true(existsSync(addr), 'the killed host left its socket')
    const next = startHost(t, addr)
    await next.event('attached')
    t.is((await get(t, `${await urlOf(next)}/large`)).body.length, 262_144)
    next.kill('SIGTERM')
    t.is((await next.ended).code, 0)
    t.false(existsSync(addr))
  }
)

test.serial('a host leaves alone what it cannot replace: a live host, a file, a folder', async (t) => {
  const { addr, url } = await startTunnel(t)
  const file = join(dirname(addr), 'file')
  writeFileSync(file, 'mine')
  for (const [path, rule] of [
    [addr, 'another host is listening there'],
    [file, 'it exists and is not a socket'],
    [dirname(addr), 'it exists and is not a socket']
  ] as const) {
    const { code, stderr, stdout } = await runToEnd(t, 'http-tunnel-host', [`--addr=${path}`, '--port=0'])
    t.is(code, 1)
    t.true(stderr.startsWith(`http-tunnel-host: Cannot listen on ${path}: ${rule}`), stderr)
    t.regex(stderr, /^[^\n]* \(ERR_TUNNEL_ADDRESS_IN_USE\)\n$/)
    t.is(stdout, '')
  }
  t.deepEqual(readdirSync(dirname(addr)).sort(), ['file', 's'])
  t.is(String((await get(t, `${url}/small`)).body), 'ok')
})

test.serial('a port that is taken ends every service in a sentence', async (t) => {
  const port = new URL(await urlOf(startBaseline(t))).port
  const folder = temporaryFolder(t)
  const commands: Array<[name: string, args: string[]]> = [
    ['http-baseline', [`--port=${port}`]],
    ['http-baseline', [`--port=${port}`, '--server=node']],
    ['http-tunnel-host', [`--addr=${join(folder, 's')}`, `--port=${port}`]],
    ['http-tunnel-plugin', [`--addr=${join(folder, 's')}`, `--origin-port=${port}`]],
    ['http-tunnel-plugin', [`--addr=${join(folder, 's')}`, `--origin-port=${port}`, '--server=node']]
  ]
  for (const [name, args] of commands) {
    const { code, stderr } = await runToEnd(t, name, args)
    t.is(code, 1)
    t.regex(
      stderr,
      new RegExp(
        `^${name}: Cannot listen on 127\\.0\\.0\\.1:${port}: the port is taken[^\\n]* ` +
        '\\(ERR_TUNNEL_ADDRESS_IN_USE\\)\\n$'
      )
    )
  }
  t.deepEqual(readdirSync(folder), [])
})

test.serial('a plugin whose origin dies says so and ends', async (t) => {
  const bug = join(temporaryFolder(t), 'bug.mjs')
  writeFileSync(bug, `
    import { subscribe } from 'node:diagnostics_channel'
    import { isMainThread } from 'node:worker_threads'
    if (!isMainThread) subscribe('http.server.request.start', () => { throw new Error('struck by a bug') })`)
  const addr = join(temporaryFolder(t), 's')
  const host = startHost(t, addr)
  const env = { NODE_OPTIONS: `--import=${bug}` }
  const args = [`--addr=${addr}`, '--origin-port=0', '--server=node', '--json']
  const plugin = new Program(t, 'http-tunnel-plugin', args, { env })
  await host.event('attached')
  await get(t, `${await urlOf(host)}/small`).catch(() => {})
  const { code, stderr } = await plugin.ended
  t.is(code, 1)
  t.is(stderr, 'http-tunnel-plugin: The origin role ended unexpectedly: it exited with code 1: struck by a bug ' +
    '(ERR_TUNNEL_ROLE_FAILED)\n')
})

for (const server of ['lab', 'node', ...(uwsLoads ? ['uws'] : [])]) {
  test.serial(`a plugin that dies of a bug says so and ends with code 1, with its origin on ${server}`, async (t) => {
    const bug = join(temporaryFolder(t), 'bug.mjs')
    writeFileSync(bug, "process.on('SIGUSR2', () => { throw new Error('struck by a bug') })")
    const args = [`--addr=${join(temporaryFolder(t), 's')}`, '--origin-port=0', `--server=${server}`, '--json']
    const plugin = new Program(t, 'http-tunnel-plugin', args, { env: { NODE_OPTIONS: `--import=${bug}` } })
    await plugin.event('started')
    plugin.kill('SIGUSR2')
    const { code, signal, stderr } = await plugin.ended
    t.deepEqual([code, signal], [1, null])
    t.regex(stderr, /Error: struck by a bug\n/)
  })
}

test.serial('a service lives on when nobody reads its output any more', async (t) => {
  const { addr, host, plugin, url } = await startTunnel(t)
  host.child.stdout!.destroy()
  host.child.stderr!.destroy()
  for (let i = 0; i < 3; i++) await send(t, addr, Buffer.alloc(64, 0xff))
  plugin.kill('SIGKILL')
  await plugin.ended
  await startPlugin(t, addr).event('attached')
  t.is(String((await get(t, `${url}/small`)).body), 'ok')
})

test.serial(
  'clients beyond --max-connections are turned away in a sentence, and an origin that is gone has one, too',
  async (t) => {
    const addr = join(temporaryFolder(t), 's')
    const host = new Program(t, 'http-tunnel-host', [
      '--transport=stream',
      `--addr=${addr}`,
      '--port=0',
      '--max-connections=1'
    ])
    const [, port] = await host.output(/listening on http:\/\/127\.0\.0\.1:(\d+)/)
    const connectClient = (): { socket: net.Socket; closed: Promise<void> } => {
      const socket = net.connect({ host: '127.0.0.1', port: Number(port) })
      t.teardown(() => {
        socket.destroy()
      })
      socket.on('error', () => {})
      return {
        socket,
        closed: new Promise((resolve) => {
          socket.on('close', () => {
            resolve()
          })
        })
      }
    }
    await connectClient().closed
    await host.output(
      /\nhttp-tunnel-host: client turned away: Cannot carry a client: no plugin is attached at [^\n]*: start one\n/
    )
    const origin = net.createServer()
    t.teardown(() => {
      origin.close()
    })
    await once(origin.listen(0, '127.0.0.1'), 'listening')
    const plugin = new Program(t, 'http-tunnel-plugin', [
      '--transport=stream',
      `--addr=${addr}`,
      `--origin=http://127.0.0.1:${(origin.address() as net.AddressInfo).port}`
    ])
    await host.output(/\nhttp-tunnel-host: attached\n/)
    const accepted = once(origin, 'connection')
    const first = connectClient()
    await accepted
    await connectClient().closed
    await host.output(
      /client turned away: Cannot carry one more client: as many connections are open as host and plugin allow \(maxChannels: 1\): raise both limits \(--max-connections of both\)\n/
    )
    first.socket.destroy()
    origin.close()
    const unreachable = plugin.output(
      /\nhttp-tunnel-plugin: origin unreachable: Cannot connect to 127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\)[^\n]*\n/
    )
    // As long as the first connection is still open others are turned away by the host.
    while (!plugin.stdout.includes('origin unreachable')) await connectClient().closed
    await unreachable
    t.is([...plugin.stdout.matchAll(/origin unreachable/g)].length, 1)
  }
)
