import { STATUS_CODES, createServer } from 'node:http'
import { formatAddress, tcpAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import type { OpenedEach } from '../engine/listen-each.js'
import { listenServer } from '../engine/node/listen-server.js'
import { SocketFile } from '../engine/socket-file.js'
import { type Body, CollectedBody, wholeBody } from './body.js'
import { closerOf } from './drain.js'
import { listenOn, type ListenPlaces, placesOf } from './listen.js'
import type { Origin } from './origin.js'
import { BINARY, ECHO_MAX_BYTES, ECHO_TOO_LARGE, FIXED_ROUTES, type FixedAnswer, route } from './routes.js'

/**
 * The part of uWebSockets.js that is used here. Declared by hand: the package is optional, and its types go with it.
 */
export interface Uws {
  App (): UwsApp
  us_socket_local_port (socket: UwsListenSocket): number
  us_listen_socket_close (socket: UwsListenSocket): void
}

interface UwsApp {
  get (pattern: string, handler: UwsHandler): UwsApp
  head (pattern: string, handler: UwsHandler): UwsApp
  any (pattern: string, handler: UwsHandler): UwsApp
  listen (host: string, port: number, options: number, callback: (socket: UwsListenSocket | false) => void): UwsApp
  listen_unix (callback: (socket: UwsListenSocket | false) => void, path: string): UwsApp
  close (): UwsApp
}

type UwsHandler = (response: UwsResponse, request: UwsRequest) => void
type UwsListenSocket = object

interface UwsRequest {
  getCaseSensitiveMethod (): string
  getUrl (): string
  getHeader (lowerCaseName: string): string
}

interface UwsResponse {
  writeStatus (status: string): UwsResponse
  writeHeader (name: string, value: string): UwsResponse
  end (body: string | Uint8Array, closeConnection?: boolean): UwsResponse
  endWithoutBody (): UwsResponse
  tryEnd (piece: Uint8Array, totalBytes: number): [ok: boolean, done: boolean]
  getWriteOffset (): number
  cork (write: () => void): UwsResponse
  pause (): UwsResponse
  resume (): UwsResponse
  onWritable (handler: () => boolean): UwsResponse
  onAborted (handler: () => void): UwsResponse
  onData (handler: (piece: ArrayBuffer, isLast: boolean) => void): UwsResponse
}

/** Without it two servers could share a port (SO_REUSEPORT), and it would not show which one answers. */
const LISTEN_EXCLUSIVE_PORT = 1

/**
 * uWebSockets drops a connection 8 to 12 seconds after its last progress, whichever side is slow. A stalled reader has
 * to stay for as long as the experiment lasts, and a slow upload too, so transfers under way are given new time this
 * often.
 */
const RENEW_INTERVAL_MS = 4000

/**
 * Longest body that uWebSockets may copy. For 256 KiB its copies halve the throughput and more; one block of an echo is
 * in one piece.
 */
const COPIED_BODY_BYTES = 65_536

/** Responses whose upload or download is under way. */
type Transfers = Set<UwsResponse>

/** Apps of this thread that are still open. */
const openApps = new Set<UwsApp>()

/**
 * Rejects with whatever the module loader says where the package is not installed or has no binary for this Node and
 * system.
 */
export async function loadUws (): Promise<Uws> {
  // Not a literal: the compiler shall not look for a package that may be absent.
  const name: string = 'uWebSockets.js'
  const module = await import(name) as { default: Uws }
  return module.default
}

/**
 * The origin on uWebSockets.js. Rejects as `listenOn()` does. Its differences from the one on node:http, none of
 * which can be changed from here: it sends `uWebSockets: 20` with every response; closes idle connections after 8 to 12
 * seconds, and those whose client half-closes; refuses HTTP/1.0 and chunk extensions; and closes a connection on which
 * a further request arrives while a body above 64 KiB is still being sent.
 *
 * Close it before its worker thread is terminated: uWebSockets otherwise aborts the whole process.
 */
export async function startUwsOrigin (uws: Uws, places: ListenPlaces): Promise<Origin> {
  const transfers: Transfers = new Set()
  const app = uws.App()
  for (const [path, answer] of FIXED_ROUTES) {
    app.get(path, response => sendFixed(response, answer, transfers))
    app.head(path, response => sendHead(response, answer))
  }
  app.any('/*', (response, request) => handleRequest(response, request, transfers))
  closeAtExit(app)
  const cut = (): void => { if (openApps.delete(app)) app.close() }
  const closerOfSocket = (socket: UwsListenSocket) => () => {
    if (openApps.has(app)) uws.us_listen_socket_close(socket)
  }

  const { path, onSocketFile } = places
  let tcp: OpenedEach
  let unix: SocketFile | null = null
  try {
    tcp = await listenOn(places, async (ip, port) => {
      const socket = await listenAt(app, ip, port)
      return { port: uws.us_socket_local_port(socket), close: closerOfSocket(socket) }
    })
    if (path !== null) {
      unix = await SocketFile.listen(path, async (place) => closerOfSocket(listenAtPath(app, place)),
        onSocketFile)
    }
  } catch (error) {
    cut()
    throw error
  }
  const renewal = setInterval(() => renewAll(transfers), RENEW_INTERVAL_MS).unref()
  return {
    server: 'uws',
    ...placesOf(places, tcp),
    close: closerOf(
      () => {
        void unix?.close()
        tcp.close()
      },
      () => transfers.size === 0,
      () => {
        clearInterval(renewal)
        cut()
      })
  }
}

async function listenAt (app: UwsApp, ip: string, port: number): Promise<UwsListenSocket> {
  let socket: UwsListenSocket | false = false
  app.listen(ip, port, LISTEN_EXCLUSIVE_PORT, listening => { socket = listening })
  if (socket === false) throw await listenFailure(ip, port)
  return socket
}

/** uWebSockets removes what lies at `path` first: its caller has seen that nothing does, and holds the path's lock. */
function listenAtPath (app: UwsApp, path: string): UwsListenSocket {
  let socket: UwsListenSocket | false = false
  app.listen_unix(listening => { socket = listening }, path)
  if (socket === false) {
    throw new TunnelError(
      ErrorCode.SOCKET_FAILED,
      `Cannot listen on ${path}: uWebSockets.js refused: name a path in a folder that can be written, or use the ` +
      'origin on node:http',
      { cure: 'server' }
    )
  }
  return socket
}

/**
 * `resume()` gives a connection new time. It also restores what `pause()` last found, of whatever connection, so that
 * the two are safe only as a pair: alone, `resume()` leaves a connection deaf.
 */
function renewAll (transfers: Transfers): void {
  for (const response of transfers) response.pause().resume()
}

/** A worker that ends by `process.exit()` or an error runs this in time; the process then does not abort with it. */
function closeAtExit (app: UwsApp): void {
  if (openApps.size === 0) {
    process.removeListener('exit', closeOpenApps)
    process.once('exit', closeOpenApps)
  }
  openApps.add(app)
}

function closeOpenApps (): void {
  for (const app of openApps) app.close()
  openApps.clear()
}

/** uWebSockets does not say why it cannot listen, so this asks node. */
async function listenFailure (ip: string, port: number): Promise<unknown> {
  try {
    const { close } = await listenServer(createServer(), ip, port)
    close()
  } catch (error) {
    return error
  }
  return new TunnelError(ErrorCode.SOCKET_FAILED,
    `Cannot listen on ${formatAddress(tcpAddress(ip, port))}: uWebSockets.js refused, though the port is free: ` +
    'try again, or use the origin on node:http', { cure: 'server' })
}

function handleRequest (response: UwsResponse, request: UwsRequest, transfers: Transfers): void {
  const method = request.getCaseSensitiveMethod()
  const answer = route(method, request.getUrl())
  if (answer.kind === 'echo') return echo(response, request, transfers)
  if (answer.kind === 'fixed') {
    return method === 'HEAD' ? sendHead(response, answer) : sendFixed(response, answer, transfers)
  }

  response.writeHeader('Content-Type', answer.contentType)
  if (method === 'HEAD') response.writeHeader('Content-Length', String(answer.body.bytes)).endWithoutBody()
  else sendBody(response, answer.body, transfers)
}

function writeHead (response: UwsResponse, { status, headers }: FixedAnswer): void {
  if (status !== 200) response.writeStatus(`${status} ${STATUS_CODES[status]}`)
  for (let i = 0; i < headers.length; i += 2) response.writeHeader(headers[i]!, headers[i + 1]!)
}

function sendFixed (response: UwsResponse, answer: FixedAnswer, transfers: Transfers): void {
  writeHead(response, answer)
  if (typeof answer.body === 'string') response.end(answer.body)
  else sendBody(response, wholeBody(answer.body), transfers)
}

/** `endWithoutBody(length)` never ends the response, so the length is written as a header. */
function sendHead (response: UwsResponse, answer: FixedAnswer): void {
  writeHead(response, answer)
  response.writeHeader('Content-Length', String(Buffer.byteLength(answer.body))).endWithoutBody()
}

function track (response: UwsResponse, transfers: Transfers): void {
  transfers.add(response)
  response.onAborted(() => { transfers.delete(response) })
}

/**
 * Sends `body` as fast as the client takes it, without a copy. A short one is given away at once instead: uWebSockets
 * copies what the socket does not take, and then has no reason to close the connection when another request follows.
 */
function sendBody (response: UwsResponse, body: Body, transfers: Transfers): void {
  if (body.bytes <= COPIED_BODY_BYTES) {
    transfers.delete(response)
    response.end(body.viewAt(0))
    return
  }
  const trySend = (): boolean => {
    let ok = true
    let done = false
    while (ok && !done) [ok, done] = response.tryEnd(body.viewAt(response.getWriteOffset()), body.bytes)
    if (done) transfers.delete(response)
    return done
  }
  if (trySend()) return
  track(response, transfers)
  response.onWritable(() => {
    let done = false
    response.cork(() => { done = trySend() })
    return done
  })
}

function echo (response: UwsResponse, request: UwsRequest, transfers: Transfers): void {
  if (Number(request.getHeader('content-length')) > ECHO_MAX_BYTES) return refuse(response)
  const contentType = request.getHeader('content-type') || BINARY
  const body = new CollectedBody(ECHO_MAX_BYTES)
  let refused = false
  track(response, transfers)
  response.onData((piece, isLast) => {
    if (refused) return
    refused = !body.tryAppend(new Uint8Array(piece))
    response.cork(() => {
      if (refused) {
        transfers.delete(response)
        refuse(response)
      } else if (isLast) {
        response.writeHeader('Content-Type', contentType)
        sendBody(response, body, transfers)
      }
    })
  })
}

/** uWebSockets closes the connection after `end(body, true)`, and writes the header that says so itself. */
function refuse (response: UwsResponse): void {
  response.writeStatus(`${ECHO_TOO_LARGE.status} ${STATUS_CODES[ECHO_TOO_LARGE.status]}`)
    .writeHeader('Content-Type', ECHO_TOO_LARGE.headers[1]!)
    .end(ECHO_TOO_LARGE.body, true)
}
