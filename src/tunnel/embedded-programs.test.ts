import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { Readable } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { createAdaptorServer } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import { WebSocket, WebSocketServer } from 'ws'
import { contentBytes } from '../base/content.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { serveHttp } from '../origin/embedded/http-server.js'
import { RawClient, requestHead } from '../origin/testing/raw-client.js'
import { request, sha256 } from './testing/http.js'
import { testEach as testEachTransport } from './testing/test-each.js'

const body = contentBytes(1_000_000)
const pieces = (): Readable => Readable.from([body.subarray(0, 9), body.subarray(9)], { objectMode: false })

/** What every framework's program answers: `/ip`, `/stream`, `/fail`, and a POST of `/echo`. */
const FRAMEWORKS: Record<string, (t: ExecutionContext) => Promise<Server>> = {
  Express: async () => {
    const app = express()
    app.set('env', 'test')
    app.get('/ip', (req, res) => { res.send(`${req.ip} ${req.protocol}`) })
    app.get('/stream', (_req, res) => { pieces().pipe(res) })
    app.get('/fail', () => { throw new Error('of the program') })
    app.post('/echo', (req, res) => { req.pipe(res) })
    return createServer(app)
  },
  Fastify: async (t) => {
    let server!: Server
    const app = fastify({
      serverFactory: (handler) => {
        server = createServer(handler)
        return server
      }
    })
    t.teardown(() => app.close())
    app.addContentTypeParser('*', (_req, payload, done) => { done(null, payload) })
    app.get('/ip', async (req) => `${req.ip} ${req.protocol}`)
    app.get('/stream', (_req, reply) => reply.send(pieces()))
    app.get('/fail', async () => { throw new Error('of the program') })
    app.post('/echo', (req, reply) => reply.send(req.body))
    await app.ready()
    return server
  },
  Koa: async () => {
    const app = new Koa()
    app.silent = true
    app.use((context) => {
      if (context.path === '/ip') context.body = `${context.ip} ${context.protocol}`
      else if (context.path === '/stream') context.body = pieces()
      else if (context.path === '/echo') context.body = context.req
      else context.throw(500)
    })
    const answer = app.callback()
    return createServer((req, res) => { void answer(req, res) })
  },
  Hono: async () => {
    const app = new Hono()
    app.get('/ip', (context) => context.text(`${getConnInfo(context).remote.address} http`))
    app.get('/stream', (context) => context.body(new Blob([body]).stream()))
    app.get('/fail', (context) => context.text('', 500))
    app.post('/echo', (context) => new Response(context.req.raw.body))
    return createAdaptorServer({ fetch: app.fetch }) as Server
  }
}

type Serve = (server: Server) => Promise<number>

function testEach (title: string, run: (t: ExecutionContext, serve: Serve) => Promise<void>): void {
  testEachTransport(title, async (t, rig) => {
    await run(t, async (server) => {
      const { port } = await rig.startHost()
      const { plugin } = rig.startServingPlugin(serveHttp(server))
      await plugin.attached()
      return port
    })
    await rig.verify()
  }, { engines: ENGINES_HERE })
}

for (const [name, create] of Object.entries(FRAMEWORKS)) {
  testEach(`${name} sees its client, and streams, echoes, fails and keeps alive as ever`, async (t, serve) => {
    const port = await serve(await create(t))
    t.is((await request(port, '/ip')).body.toString(), '127.0.0.1 http')
    t.is(sha256((await request(port, '/stream')).body), sha256(body))
    const headers = { 'Content-Type': 'application/octet-stream' }
    const halves = [body.subarray(0, 500_000), body.subarray(500_000)]
    const echo = await request(port, '/echo', { method: 'POST', headers, body: halves })
    t.is(sha256(echo.body), sha256(body))
    t.is((await request(port, '/fail')).status, 500)
    const head = await request(port, '/ip', { method: 'HEAD' })
    t.deepEqual([head.status, head.body.length], [200, 0])
    const client = await RawClient.connect(t, port)
    for (let i = 1; i <= 3; i++) {
      client.write(requestHead('GET', '/ip'))
      t.is((await client.responses(i)).length, i)
    }
    client.socket.end()
    await client.closed()
  })
}

testEach('express-rate-limit counts each client by its address', async (t, serve) => {
  const app = express()
  app.set('trust proxy', 'loopback')
  const failures: unknown[] = []
  // It reports a request without an address by an error, which this version writes to its logger.
  const note = (failure: unknown): void => { failures.push(failure) }
  const logger = { warn: note, error: note }
  app.use(rateLimit({ windowMs: 60_000, limit: 2, logger }))
  app.get('/', (req, res) => { res.send(req.ip) })
  const port = await serve(createServer(app))
  const from = (ip?: string): Promise<{ readonly status: number }> =>
    request(port, '/', ip === undefined ? {} : { headers: { 'X-Forwarded-For': ip } })
  const seen: number[] = []
  for (const ip of [undefined, undefined, undefined, '192.0.2.7', '192.0.2.7', '192.0.2.7']) {
    seen.push((await from(ip)).status)
  }
  t.deepEqual(seen, [200, 200, 429, 200, 200, 429])
  t.deepEqual(failures, [])
})

testEach('ws carries messages both ways, and closes with the code that was given', async (t, serve) => {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  t.teardown(() => { sockets.close() })
  const addresses: unknown[] = []
  const ended = new Promise<number>((resolve) => {
    sockets.on('connection', (socket, req) => {
      addresses.push(req.socket.remoteAddress)
      socket.on('message', (data) => { socket.send(data) })
      socket.on('close', resolve)
    })
  })
  const client = new WebSocket(`ws://127.0.0.1:${await serve(server)}`)
  t.teardown(() => { client.terminate() })
  const closed = once(client, 'close') as Promise<[number]>
  await once(client, 'open')
  const answered = once(client, 'message') as Promise<[Buffer]>
  client.send(body)
  t.is(sha256((await answered)[0]), sha256(body))
  client.close(4321)
  t.is((await closed)[0], 4321)
  t.deepEqual([addresses, await ended], [['127.0.0.1'], 4321])
})

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  testEach(`Socket.IO over ${transports.join(', then ')}`, async (t, serve) => {
    const server = createServer()
    const sockets = new SocketServer(server)
    t.teardown(() => sockets.close())
    sockets.on('connection', (socket) => {
      socket.on('sum', (numbers: number[], answer: (sum: number, address: string) => void) => {
        answer(numbers.reduce((a, b) => a + b, 0), socket.handshake.address)
      })
    })
    const client = io(`http://127.0.0.1:${await serve(server)}`, { transports, reconnection: false })
    t.teardown(() => { client.disconnect() })
    const upgraded = new Promise<void>((resolve) => {
      client.on('connect', () => {
        if (transports.length === 1) resolve()
        else client.io.engine.once('upgrade', () => { resolve() })
      })
    })
    await upgraded
    const answer = await new Promise<unknown[]>((resolve) => {
      client.emit('sum', [1, 2, 3], (...all: unknown[]) => { resolve(all) })
    })
    t.deepEqual(answer, [6, '127.0.0.1'])
    const gone = once(client as unknown as NodeJS.EventEmitter, 'disconnect')
    client.disconnect()
    t.is((await gone)[0], 'io client disconnect')
  })
}
