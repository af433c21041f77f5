import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import test from 'ava'
import express from 'express'
import fastify from 'fastify'
import { WebSocket, WebSocketServer } from 'ws'
import { contentBytes } from '../base/content.js'
import { serveHttp } from '../origin/embedded/http-server.js'
import { RawClient, requestHead } from '../origin/testing/raw-client.js'
import type { TunnelPlugin } from './tunnel-plugin.js'
import { request, sha256 } from './testing/http.js'
import { until } from './testing/rig.js'
import { testEach } from './testing/test-each.js'
import type { TunnelRig } from './testing/rig.js'

async function startServing (
  rig: TunnelRig,
  serve: ReturnType<typeof serveHttp>
): Promise<{ port: number; plugin: TunnelPlugin }> {
  const { port } = await rig.startHost()
  const { plugin } = rig.startServingPlugin(serve)
  await plugin.attached()
  return { port, plugin }
}

const big = contentBytes(3_000_000)

testEach('an Express app answers inside the plugin', async (t, rig) => {
  const app = express()
  app.get('/hello/:name', (req, res) => { res.json({ hello: req.params.name }) })
  app.post('/upload', express.raw({ limit: '5mb' }), (req, res) => { res.send(sha256(req.body as Buffer)) })
  app.get('/big', (_req, res) => { res.end(big) })
  const { port } = await startServing(rig, serveHttp(app))
  const hello = await request(port, '/hello/you')
  t.is(hello.status, 200)
  t.is(hello.body.toString(), '{"hello":"you"}')
  const upload = await request(port, '/upload', {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: [big.subarray(0, 1_000_000), big.subarray(1_000_000)]
  })
  t.is(upload.body.toString(), sha256(big))
  t.is(sha256((await request(port, '/big')).body), sha256(big))
  t.is((await request(port, '/nothing')).status, 404)
  await rig.verify()
})

testEach('a Fastify app answers inside the plugin', async (t, rig) => {
  const app = fastify()
  t.teardown(async () => { await app.close() })
  app.get('/hello/:name', async (req) => ({ hello: (req.params as { name: string }).name }))
  app.post('/sum', async (req) => ({ sum: (req.body as number[]).reduce((a, b) => a + b, 0) }))
  await app.ready()
  const { port } = await startServing(rig, serveHttp(app.routing))
  t.is((await request(port, '/hello/you')).body.toString(), '{"hello":"you"}')
  const sum = await request(port, '/sum', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: [Buffer.from('[1,2,3]')]
  })
  t.is(sum.body.toString(), '{"sum":6}')
  t.is((await request(port, '/nothing')).status, 404)
  await rig.verify()
})

testEach('a server of node:http with WebSockets answers inside the plugin, without a port', async (t, rig) => {
  const server: Server = createServer((_req, res) => { res.end('plain') })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => { socket.on('message', (data) => { socket.send(`you said ${String(data)}`) }) })
  const { port } = await startServing(rig, serveHttp(server))
  t.false(server.listening)
  t.is((await request(port, '/')).body.toString(), 'plain')
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  await once(client, 'open')
  client.send('hello')
  const [answer] = await once(client, 'message') as [Buffer]
  t.is(answer.toString(), 'you said hello')
  client.close()
  await once(client, 'close')
  await rig.verify()
})

testEach(
  'a response with Connection: close arrives whole, and pipelined requests are answered in order',
  async (t, rig) => {
    const { port } = await startServing(
      rig,
      serveHttp((req, res) => {
        res.end(req.url === '/big' ? big : req.url)
      })
    )
    const closing = await RawClient.connect(t, port)
    closing.write(requestHead('GET', '/big', 'Connection: close'))
    const all = await closing.closed()
    t.is(sha256(all.subarray(all.indexOf('\r\n\r\n') + 4)), sha256(big))
    const client = await RawClient.connect(t, port)
    client.write(requestHead('GET', '/1') + requestHead('GET', '/2') + requestHead('GET', '/3'))
    t.deepEqual(
      (await client.responses(3)).map(({ body }) => body.toString()),
      ['/1', '/2', '/3']
    )
    client.socket.end()
    await client.closed()
    await rig.verify()
  }
)

testEach('a client that does not read stops the response, and one that resets ends it', async (t, rig) => {
  let written = 0
  let ended = false
  const { port } = await startServing(rig, serveHttp((_req, res) => {
    res.writeHead(200, { 'Content-Length': 1_000_000_000 })
    const pump = (): void => {
      while (!res.destroyed && written < 1_000_000_000) {
        written += 100_000
        if (!res.write(big.subarray(0, 100_000))) return
      }
    }
    res.on('drain', pump)
    res.on('close', () => { ended = true })
    pump()
  }))
  const client = await RawClient.connect(t, port)
  client.socket.pause()
  client.write(requestHead('GET', '/'))
  // A request behind it is answered by another connection meanwhile.
  let before = -1
  await until(() => {
    if (written === 0) return false
    const stands = written === before
    before = written
    return stands
  })
  t.true(written < 64_000_000, `${written} bytes were taken from the program for a client that reads none`)
  client.socket.resetAndDestroy()
  await until(() => ended)
  await rig.verify()
})

testEach('close() lets a request at hand finish, and ends idle connections at once', async (t, rig) => {
  let finish!: () => void
  const { port, plugin } = await startServing(rig, serveHttp((req, res) => {
    if (req.url === '/quick') res.end('quick')
    else finish = () => { res.end('slow') }
  }))
  const idle = await RawClient.connect(t, port)
  idle.write(requestHead('GET', '/quick'))
  await idle.responses(1)
  const busy = await RawClient.connect(t, port)
  busy.write(requestHead('GET', '/slow'))
  await until(() => finish !== undefined)
  const closed = plugin.close({ drainMs: 60_000 })
  await idle.closed()
  finish()
  t.is((await busy.responses(1))[0]?.body.toString(), 'slow')
  await busy.closed()
  await closed
  t.pass()
})

test('serveHttp() runs the time limits of node:http: a head that does not end is cut off', async (t) => {
  const server = createServer({ headersTimeout: 50, connectionsCheckingInterval: 10 })
  const channel = {
    addresses: null,
    unconfirmedBytes: 0,
    accept () {},
    claim: (bytes = 100) => new Uint8Array(bytes),
    commit () {},
    sendConstant: () => 0,
    end () {},
    reset () { ended() }
  }
  let ended!: () => void
  const cut = new Promise<void>((resolve) => { ended = resolve })
  const link = serveHttp(server).attach({ publish: () => null, tryRewrite: () => false })
  const handler = link.onChannel(channel)
  t.teardown(() => {
    handler.onReset()
    server.close()
  })
  channel.end = () => { ended() }
  handler.onData(Buffer.from('GET / HTTP/1.1\r\nHost: '), () => {})
  await cut
  t.pass()
})
