import { createServer, type IncomingMessage, Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { listenServer, listenServerAt } from '../engine/node/listen-server.js'
import { SocketFile } from '../engine/socket-file.js'
import { type Body, CollectedBody } from './body.js'
import { closerOf } from './drain.js'
import { listenOn, type ListenPlaces, placesOf } from './listen.js'
import type { Origin } from './origin.js'
import { BINARY, ECHO_MAX_BYTES, ECHO_TOO_LARGE, FIXED_ROUTES, type FixedAnswer, route } from './routes.js'

/**
 * Longer than a run keeps a connection idle: between two requests of an open loop, or while the other arm is measured.
 */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const HEADERS_TIMEOUT_MS = 60_000

/**
 * A fixed answer in the form `writeHead()` and `end()` take. A short body is a string, because node then sends it with
 * the head in one piece.
 */
interface Prepared {
  readonly status: number
  readonly headers: string[]
  readonly body: string | Uint8Array
}

/** The origin on node:http: runs wherever Node does. Rejects as `listenOn()` does. */
export async function startNodeOrigin (places: ListenPlaces): Promise<Origin> {
  const { path, onSocketFile } = places
  const draining = { isDraining: false }
  const servers = new Set<Server>()
  const create = (): Server => {
    const server = createHttpServer(draining)
    servers.add(server)
    return server.on('close', () => { servers.delete(server) })
  }
  const tcp = await listenOn(places, (ip, port) => listenServer(create(), ip, port))
  let unix: SocketFile | null = null
  try {
    if (path !== null) {
      unix = await SocketFile.listen(path, (place) => listenServerAt(create(), place), onSocketFile)
    }
  } catch (error) {
    tcp.close()
    throw error
  }
  return {
    server: 'node',
    ...placesOf(places, tcp),
    close: closerOf(
      () => {
        draining.isDraining = true
        void unix?.close()
        tcp.close()
      },
      () => {
        for (const one of servers) one.closeIdleConnections()
        return servers.size === 0
      },
      () => { for (const one of servers) one.closeAllConnections() })
  }
}

function createHttpServer (draining: { readonly isDraining: boolean }): Server {
  const server = createServer({
    noDelay: true,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    // An upload may take as long as it needs.
    requestTimeout: 0
  }, (request, response) => {
    if (draining.isDraining) response.shouldKeepAlive = false
    handleRequest(request, response)
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => { sockets.delete(socket) })
  })
  // A client may end its side behind its request. Node would then end the other one in the middle of a long response.
  return Object.assign(server, {
    httpAllowHalfOpen: true,
    // Node, whose close() does this too, takes a connection for idle that has not sent all of its last response.
    closeIdleConnections () {
      if (![...sockets].some((socket) => socket.writableLength > 0)) Server.prototype.closeIdleConnections.call(server)
    }
  })
}

const preparedRoutes = new Map([...FIXED_ROUTES].map(([path, answer]) => [path, prepare(answer)]))

function handleRequest (request: IncomingMessage, response: ServerResponse): void {
  const { method = '', url = '' } = request
  // Otherwise node adds `Connection: keep-alive` and `Keep-Alive: timeout=65`, which say nothing new in HTTP/1.1 and
  // which the other origins do not send. An HTTP/1.0 client waits for the connection's end unless it is told.
  if (request.httpVersion !== '1.0' && response.shouldKeepAlive) response.removeHeader('Connection')
  const prepared = method === 'GET' || method === 'HEAD' ? preparedRoutes.get(url) : undefined
  if (prepared !== undefined) return sendPrepared(response, prepared)

  const answer = route(method, url)
  switch (answer.kind) {
    case 'fixed': return sendPrepared(response, prepare(answer))
    case 'content':
      writeHead(response, answer.contentType, answer.body)
      if (method === 'HEAD') response.end()
      else sendBody(response, answer.body)
      return
    case 'echo': echo(request, response)
  }
}

function prepare ({ status, headers, body }: FixedAnswer): Prepared {
  return { status, headers: [...headers, 'Content-Length', String(Buffer.byteLength(body))], body }
}

function sendPrepared (response: ServerResponse, { status, headers, body }: Prepared): void {
  response.writeHead(status, headers)
  response.end(body)
}

function writeHead (response: ServerResponse, contentType: string, body: Body): void {
  response.writeHead(200, ['Content-Type', contentType, 'Content-Length', String(body.bytes)])
}

/**
 * Sends `body` as fast as the client takes it; node holds one piece beyond its high-water mark at most. Stops with the
 * client.
 */
export function sendBody (response: ServerResponse, body: Body): void {
  let offset = 0
  const pump = (): void => {
    while (!response.destroyed && !response.writableEnded) {
      const view = body.viewAt(offset)
      offset += view.length
      if (offset === body.bytes) response.end(view)
      else if (!response.write(view)) return
    }
  }
  response.on('drain', pump)
  pump()
}

function echo (request: IncomingMessage, response: ServerResponse): void {
  const refuse = (): void => sendPrepared(response, prepare(ECHO_TOO_LARGE))
  if (Number(request.headers['content-length'] ?? 0) > ECHO_MAX_BYTES) return refuse()
  const body = new CollectedBody(ECHO_MAX_BYTES)
  request.on('data', (piece: Uint8Array) => {
    if (body.tryAppend(piece)) return
    request.removeAllListeners('data')
    request.removeAllListeners('end')
    refuse()
  })
  request.on('end', () => {
    writeHead(response, request.headers['content-type'] ?? BINARY, body)
    sendBody(response, body)
  })
}
