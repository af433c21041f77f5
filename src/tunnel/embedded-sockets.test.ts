import { once } from 'node:events'
import http, { createServer, type IncomingMessage, type Server } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { WebSocket, WebSocketServer } from 'ws'
import { unixAddress } from '../base/address.js'
import { contentBytes } from '../base/content.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { encodeHeader } from '../frame/header.js'
import { FrameType, HEADER_BYTES, Reason } from '../frame/layout.js'
import { encodeHello, Role } from '../mux/hello.js'
import { serveHttp } from '../origin/embedded/http-server.js'
import { labServer } from '../origin/embedded/lab-link.js'
import { requestHead } from '../origin/testing/raw-client.js'
import type { ChannelServer } from './channel-server.js'
import type { TunnelPlugin } from './tunnel-plugin.js'
import { request, sha256 } from './testing/http.js'
import { TunnelRig, until } from './testing/rig.js'
import { testEach as testEachTransport } from './testing/test-each.js'

function testEach (title: string, body: (t: ExecutionContext, rig: TunnelRig) => Promise<void>): void {
  testEachTransport(title, body, { engines: ENGINES_HERE })
}

async function startServing (rig: TunnelRig, serve: ChannelServer): Promise<{ port: number, plugin: TunnelPlugin }> {
  const { port } = await rig.startHost()
  const { plugin } = rig.startServingPlugin(serve)
  await plugin.attached()
  return { port, plugin }
}

async function connect (t: ExecutionContext, port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return socket
}

interface Outcome {
  readonly bytes: Buffer
  /** `end` or the code of an error. */
  readonly end: string
}

/** All that comes. */
async function readAll (socket: Socket, isSlow = false): Promise<Outcome> {
  const pieces: Buffer[] = []
  let end = 'end'
  socket.on('error', (error: NodeJS.ErrnoException) => { end = error.code ?? error.message })
  let isOver = false
  const over = new Promise<void>((resolve) => {
    for (const event of ['end', 'close'] as const) {
      socket.once(event, () => {
        isOver = true
        resolve()
      })
    }
  })
  if (!isSlow) socket.on('data', (piece: Buffer) => { pieces.push(piece) })
  else {
    socket.on('readable', () => {})
    const reader = setInterval(() => {
      const piece = socket.read() as Buffer | null
      if (piece !== null) pieces.push(piece)
      if (isOver) clearInterval(reader)
    }, 5)
  }
  await over
  return { bytes: Buffer.concat(pieces), end }
}

/** At most 64 KiB every 5 ms: much slower than the limits of these tests, which count from what it has taken. */
async function readSlowly (socket: Socket): Promise<Outcome> {
  return await readAll(socket, true)
}

function bodyOf ({ bytes }: Outcome): Buffer {
  return bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)
}

function statuses ({ bytes }: Outcome): number[] {
  return [...bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status))
}

// --- The end of a connection

/** More than the buffers of two systems hold. */
const big = contentBytes(7_000_000)

for (const [title, ...headers] of [['that is closed', 'Connection: close'], ['that then idles too long']] as const) {
  testEach(`a slow client gets the whole of a response without a length, on a connection ${title}`, async (t, rig) => {
    const server = createServer({ keepAliveTimeout: 1 }, (_req, res) => {
      res.flushHeaders()
      res.end(big)
    })
    const { port } = await startServing(rig, serveHttp(server, { lingerMs: 20 }))
    const client = await connect(t, port)
    client.write(requestHead('GET', '/', ...headers).replace('HTTP/1.1', 'HTTP/1.0'))
    const outcome = await readSlowly(client)
    t.is(sha256(bodyOf(outcome)), sha256(big))
    t.is(outcome.end, 'end')
    await rig.verify()
  })
}

testEach('a slow client gets the whole of the last response of the lab\'s own server', async (t, rig) => {
  const limits = { headTicks: 1e6, bodyTicks: 1e6, idleTicks: 1e6, lingerTicks: 4, stalledTicks: 1e6 }
  // A clock whose seconds have 5 ms.
  let second = 0
  const { port } = await startServing(rig, labServer(limits, () => 1000 * second++ + 995))
  const client = await connect(t, port)
  client.write(requestHead('GET', '/bytes/7000000', 'Connection: close'))
  const outcome = await readSlowly(client)
  t.is(sha256(bodyOf(outcome)), sha256(big))
  t.is(outcome.end, 'end')
  await rig.verify()
})

const half = contentBytes(3_000_000)

/** Ends a connection in ways of its own, and of Node's. */
function endings (options: http.ServerOptions = {}): Server {
  return createServer(options, (req, res) => {
    switch (req.url) {
      case '/quick': return res.end('quick')
      case '/end-destroy':
        res.end(half)
        return req.socket.destroy()
      case '/end-destroy-error':
        req.socket.on('error', () => {})
        res.end('ended')
        return req.socket.destroy(new Error('of the program'))
      case '/write-destroy':
        res.write('begun')
        res.write('more')
        return req.socket.destroy()
      case '/early': return res.writeHead(413, { Connection: 'close' }).end('too large')
      case '/early-destroy':
        res.writeHead(413).end('too large')
        return req.destroy()
      case '/reset': return req.socket.resetAndDestroy()
    }
  })
}

interface Ending {
  readonly title: string
  readonly sent: ReadonlyArray<string | Uint8Array>
  readonly statuses: number[]
  readonly bodyBytes?: number
  readonly end?: string
  /** The system resets what is closed with bytes unread, and Node drops what it has corked. Here neither is lost. */
  readonly isBetterThanTcp?: boolean
}

const uploadTo = (path: string): Ending['sent'] => [requestHead('POST', path, 'Content-Length: 3000000'), half]
const chunked = requestHead('POST', '/unanswered', 'Transfer-Encoding: chunked')
const tooMuch = 'x'.repeat(20_000)
const IDLE = { keepAliveTimeout: 50 }
const LIMITS = { headersTimeout: 50, requestTimeout: 50, connectionsCheckingInterval: 10 }

const ENDINGS: Ending[] = [
  { title: '400', sent: ['GARBAGE\r\n\r\n'], statuses: [400] },
  { title: '431', sent: [`GET / HTTP/1.1\r\nHost: a\r\nX: ${tooMuch}`], statuses: [431] },
  { title: '413', sent: [chunked, `1;${tooMuch}`], statuses: [413] },
  { title: 'garbage behind', sent: [`${requestHead('GET', '/quick')}GARBAGE\r\n\r\n`], statuses: [200], bodyBytes: 5 },
  { title: 'end, destroy', sent: [requestHead('GET', '/end-destroy')], statuses: [200], bodyBytes: half.length },
  { title: 'end, destroy(error)', sent: [requestHead('GET', '/end-destroy-error')], statuses: [200], bodyBytes: 5 },
  { title: 'write, destroy', sent: [requestHead('GET', '/write-destroy')], statuses: [200], isBetterThanTcp: true },
  { title: 'early', sent: uploadTo('/early'), statuses: [413], bodyBytes: 19, isBetterThanTcp: true },
  { title: 'early, destroy', sent: uploadTo('/early-destroy'), statuses: [413], bodyBytes: 19, isBetterThanTcp: true },
  { title: 'idle', sent: [requestHead('GET', '/quick')], statuses: [200], bodyBytes: 5 },
  { title: 'reset', sent: [requestHead('GET', '/reset')], statuses: [], end: 'ECONNRESET' }
]
const TIMED_ENDINGS: Ending[] = [{ title: '408', sent: ['GET / HTTP/1.1\r\nHost:'], statuses: [408] }]

async function checkEndings (t: ExecutionContext, port: number, all: readonly Ending[]): Promise<void> {
  await Promise.all(all.map(async ({ title, sent, statuses: expected, bodyBytes, end = 'end' }) => {
    const client = await connect(t, port)
    for (const piece of sent) client.write(piece)
    const outcome = await readAll(client)
    t.deepEqual([statuses(outcome), outcome.end], [expected, end], title)
    if (bodyBytes !== undefined) t.is(bodyOf(outcome).length, bodyBytes, title)
  }))
}

testEach('a connection that its server ends gets what was written, and then the end', async (t, rig) => {
  const { port } = await startServing(rig, serveHttp(endings(IDLE)))
  await checkEndings(t, port, ENDINGS)
  await rig.verify()
})

testEach('a connection that times out gets what node:http says to that, and then the end', async (t, rig) => {
  const { port } = await startServing(rig, serveHttp(endings(LIMITS)))
  await checkEndings(t, port, TIMED_ENDINGS)
  await rig.verify()
})

test('over TCP the same connections end in the same way', async (t) => {
  for (const [options, all] of [[IDLE, ENDINGS], [LIMITS, TIMED_ENDINGS]] as const) {
    const server = endings(options).listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await checkEndings(t, port, all.filter(({ isBetterThanTcp }) => isBetterThanTcp !== true))
  }
})

// --- Addresses

testEach('a program sees both ends of the client\'s connection', async (t, rig) => {
  const { port } = await startServing(rig, serveHttp(({ socket }, res) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, readyState } = socket
    const ends = { remoteAddress, remotePort, remoteFamily, localAddress, localPort, readyState }
    res.end(JSON.stringify({ ...ends, address: socket.address() }))
  }))
  const client = await connect(t, port)
  client.write(requestHead('GET', '/', 'Connection: close'))
  t.deepEqual(JSON.parse(bodyOf(await readAll(client)).toString()), {
    remoteAddress: '127.0.0.1',
    remotePort: client.localPort,
    remoteFamily: 'IPv4',
    localAddress: '127.0.0.1',
    localPort: port,
    readyState: 'open',
    address: { address: '127.0.0.1', family: 'IPv4', port }
  })
  await rig.verify()
})

testEach('a client on a Unix socket has the address 0.0.0.0', async (t, rig) => {
  const path = join(rig.directory, 'clients.sock')
  await rig.startHost({ listen: unixAddress(path) })
  const { plugin } = rig.startServingPlugin(serveHttp(({ socket }, res) => {
    res.end(JSON.stringify([socket.remoteAddress, socket.remotePort, socket.remoteFamily, socket.address()]))
  }))
  await plugin.attached()
  const { body } = await request(path, '/')
  t.deepEqual(JSON.parse(body.toString()), ['0.0.0.0', 0, 'IPv4', { address: '0.0.0.0', family: 'IPv4', port: 0 }])
  await rig.verify()
})

// --- Drain

testEach('close() waits for WebSockets, CONNECT, expectations, pipelined requests and half a head', async (t, rig) => {
  let answerHeld!: () => void
  const server = createServer((req, res) => {
    if (req.url === '/held') answerHeld = () => { res.end('held') }
    else res.end(req.url)
  })
  let continued!: IncomingMessage
  let finish!: () => void
  server.on('checkContinue', (req, res) => {
    continued = req
    res.writeContinue()
    req.resume().on('end', () => { res.end('continued') })
  })
  server.on('checkExpectation', (_req, res) => { finish = () => { res.end('expected') } })
  server.on('connect', (_req, socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.pipe(socket)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => { socket.on('message', (data) => { socket.send(`you said ${String(data)}`) }) })
  const { port, plugin } = await startServing(rig, serveHttp(server))

  const webSocket = new WebSocket(`ws://127.0.0.1:${port}`)
  t.teardown(() => { webSocket.terminate() })
  const opened = once(webSocket, 'open')
  const closed = once(webSocket, 'close') as Promise<[number]>
  const tunnelled = await connect(t, port)
  const connected = once(tunnelled, 'data')
  tunnelled.write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
  const continuing = await connect(t, port)
  const invited = once(continuing, 'data')
  continuing.write(requestHead('POST', '/', 'Content-Length: 4', 'Expect: 100-continue'))
  const expecting = await connect(t, port)
  expecting.write(requestHead('POST', '/', 'Content-Length: 0', 'Expect: more', 'Connection: close'))
  const begun = await connect(t, port)
  begun.write('GET /begun HTTP/1.1\r\nHost:')
  const pipelined = await connect(t, port)
  const first = once(pipelined, 'data')
  pipelined.write(requestHead('GET', '/first') + requestHead('GET', '/held'))
  await Promise.all([opened, connected, invited, first])
  await until(() => finish !== undefined && answerHeld !== undefined)
  // What the client of half a head sent is there, since what is sent behind it has been answered.
  t.is((await request(port, '/behind')).body.toString(), '/behind')

  const drained = plugin.close({ drainMs: 60_000 })
  const said = once(webSocket, 'message') as Promise<[Buffer]>
  webSocket.send('hello')
  t.is(String((await said)[0]), 'you said hello')
  const echoed = once(tunnelled, 'data') as Promise<[Buffer]>
  tunnelled.write('echo')
  t.is(String((await echoed)[0]), 'echo')
  begun.write(' a\r\n\r\n')
  t.deepEqual(statuses(await readAll(begun)), [200])
  begun.end()
  const continuedAnswer = readAll(continuing)
  t.false(continued.complete)
  continuing.end('body')
  t.regex((await continuedAnswer).bytes.toString(), /continued/)
  const heldAnswer = readAll(pipelined)
  answerHeld()
  t.regex((await heldAnswer).bytes.toString(), /held$/)
  pipelined.end()
  const expectedAnswer = readAll(expecting)
  finish()
  t.regex((await expectedAnswer).bytes.toString(), /expected/)
  expecting.end()
  tunnelled.end()
  t.is((await readAll(tunnelled)).end, 'end')
  webSocket.close(1000)
  t.is((await closed)[0], 1000)
  await drained
  await rig.verify()
})

test('a host of an earlier version refuses a plugin that serves once, then takes it without addresses', async (t) => {
  const rig = new TunnelRig(t)
  const limits = { maxPayloadBytes: 65_536, windowBytes: 65_536, maxChannels: 10 }
  const roles: number[] = []
  const answered = new Promise<string>((resolve) => {
    const host = net.createServer((link) => {
      let received = Buffer.alloc(0)
      link.on('data', (piece) => {
        const isHello = received.length === 0
        received = Buffer.concat([received, piece])
        if (received.includes('0.0.0.0')) resolve(received.toString('latin1'))
        if (!isHello) return
        const role = piece[HEADER_BYTES + 6]!
        roles.push(role)
        if (role !== Role.PLUGIN) {
          link.end(frame(FrameType.GOAWAY, 0, Buffer.from('it says it is a role 3'), Reason.PROTOCOL))
        } else {
          link.write(frame(FrameType.HELLO, 0, encodeHello({ role: Role.HOST, transport: 'stream', ...limits })))
          link.write(frame(FrameType.OPEN, 1))
          link.write(frame(FrameType.DATA, 1, Buffer.from(requestHead('GET', '/'))))
        }
      })
      t.teardown(() => { link.destroy() })
    }).listen(rig.path)
    t.teardown(() => { host.close() })
  })
  const serve = serveHttp(({ socket }, res) => { res.end(socket.remoteAddress) })
  const { plugin, events } = rig.startServingPlugin(serve)
  await plugin.attached()
  t.regex(await answered, /200 OK/)
  t.deepEqual([roles[0], roles.at(-1)], [3, 2])
  t.deepEqual([events.count('attached'), events.count('refused')], [1, 0])
})

function frame (type: FrameType, channelId: number, payload: Uint8Array = new Uint8Array(0), argument = 0): Buffer {
  const header = new Uint8Array(HEADER_BYTES)
  encodeHeader(header, 0, { type, channelId, payloadBytes: payload.length, flags: 0, argument })
  return Buffer.concat([header, payload])
}
