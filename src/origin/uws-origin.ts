import { STATUS_CODES, createServer } from 'node:http'
import { tcpAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { type Body, CollectedBody } from './body.js'
import { listen } from './listen.js'
import type { Origin } from './origin.js'
import { BINARY, ECHO_MAX_BYTES, ECHO_TOO_LARGE, FIXED_ROUTES, type FixedAnswer, route } from './routes.js'

/** The part of uWebSockets.js that is used here. Declared by hand: the package is optional, and its types go with it. */
export interface Uws {
  App (): UwsApp
  us_socket_local_port (socket: UwsListenSocket): number
}

interface UwsApp {
  get (pattern: string, handler: UwsHandler): UwsApp
  head (pattern: string, handler: UwsHandler): UwsApp
  any (pattern: string, handler: UwsHandler): UwsApp
  listen (host: string, port: number, options: number, callback: (socket: UwsListenSocket | false) => void): UwsApp
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
  resume (): UwsResponse
  onWritable (handler: () => boolean): UwsResponse
  onAborted (handler: () => void): UwsResponse
  onData (handler: (piece: ArrayBuffer, isLast: boolean) => void): UwsResponse
}

/** Without it two servers could share a port (SO_REUSEPORT), and nobody would notice which one answers. */
const LISTEN_EXCLUSIVE_PORT = 1

/**
 * uWebSockets drops a connection 8 to 12 seconds after its last progress, whoever is to blame. A stalled reader has to stay for
 * as long as the experiment lasts, and a slow upload too, so transfers under way are given new time this often.
 */
const RENEW_INTERVAL_MS = 4000

/** Transfers under way, by what gives each of them new time. */
type Transfers = Set<() => void>

/** Apps of this thread that are still open. */
const openApps = new Set<UwsApp>()

/** Rejects with whatever the module loader says where the package is not installed or has no binary for this Node and system. */
export async function loadUws (): Promise<Uws> {
  // Not a literal: the compiler shall not look for a package that may be absent.
  const name: string = 'uWebSockets.js'
  const module = await import(name) as { default: Uws }
  return module.default
}

/**
 * The origin on uWebSockets.js. Its differences from the one on node:http: it sends `uWebSockets: 20` with every response;
 * it closes idle connections after about 10 seconds, and those whose client half-closes; it refuses HTTP/1.0; and a
 * request pipelined behind a body above 256 KiB (64 KiB for /echo) closes the connection. Rejects as `listen()` does.
 *
 * Close it before its worker thread is terminated: uWebSockets otherwise aborts the whole process.
 */
export async function startUwsOrigin (uws: Uws, host: string, port: number): Promise<Origin> {
  const transfers: Transfers = new Set()
  const app = uws.App()
  for (const [path, answer] of FIXED_ROUTES) {
    app.get(path, response => sendFixed(response, answer))
    app.head(path, response => sendHead(response, answer))
  }
  app.any('/*', (response, request) => handleRequest(response, request, transfers))

  let socket: UwsListenSocket | false = false
  app.listen(host, port, LISTEN_EXCLUSIVE_PORT, listening => { socket = listening })
  if (socket === false) {
    app.close()
    throw await listenFailure(host, port)
  }
  closeAtExit(app)
  const renewal = setInterval(() => { for (const renew of transfers) renew() }, RENEW_INTERVAL_MS).unref()
  return {
    server: 'uws',
    address: tcpAddress(host, uws.us_socket_local_port(socket)),
    close: async () => {
      clearInterval(renewal)
      if (openApps.delete(app)) app.close()
    }
  }
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
async function listenFailure (host: string, port: number): Promise<unknown> {
  const probe = createServer()
  try {
    await listen(probe, host, port)
  } catch (error) {
    return error
  }
  probe.close()
  return new TunnelError(ErrorCode.SOCKET_FAILED, `Cannot listen on ${host}:${port}: uWebSockets.js refused, though the port is free: try again, or use --server=node`)
}

function handleRequest (response: UwsResponse, request: UwsRequest, transfers: Transfers): void {
  const method = request.getCaseSensitiveMethod()
  const answer = route(method, request.getUrl())
  if (answer.kind === 'echo') return echo(response, request, transfers)
  if (answer.kind === 'fixed') return method === 'HEAD' ? sendHead(response, answer) : sendFixed(response, answer)

  response.writeHeader('Content-Type', answer.contentType)
  if (method === 'HEAD') response.writeHeader('Content-Length', String(answer.body.bytes)).endWithoutBody()
  else sendBody(response, answer.body, transfers)
}

function writeHead (response: UwsResponse, { status, headers }: FixedAnswer): void {
  if (status !== 200) response.writeStatus(`${status} ${STATUS_CODES[status]}`)
  for (let i = 0; i < headers.length; i += 2) response.writeHeader(headers[i]!, headers[i + 1]!)
}

function sendFixed (response: UwsResponse, answer: FixedAnswer): void {
  writeHead(response, answer)
  response.end(answer.body)
}

/** `endWithoutBody(length)` never ends the response, so the length is written as a header. */
function sendHead (response: UwsResponse, answer: FixedAnswer): void {
  writeHead(response, answer)
  response.writeHeader('Content-Length', String(Buffer.byteLength(answer.body))).endWithoutBody()
}

/**
 * Sends `body` as fast as the client takes it, without a copy. A body in one piece is given away at once instead:
 * uWebSockets copies what the socket does not take, and pipelined requests behind it keep working.
 */
function sendBody (response: UwsResponse, body: Body, transfers: Transfers): void {
  const first = body.viewAt(0)
  if (first.length === body.bytes) {
    response.end(first)
    return
  }
  const send = (): boolean => {
    let ok = true
    response.cork(() => {
      for (let done = false; ok && !done;) {
        [ok, done] = response.tryEnd(body.viewAt(response.getWriteOffset()), body.bytes)
        if (done) transfers.delete(send)
      }
    })
    return ok
  }
  transfers.add(send)
  response.onAborted(() => { transfers.delete(send) })
  response.onWritable(send)
  send()
}

function echo (response: UwsResponse, request: UwsRequest, transfers: Transfers): void {
  if (Number(request.getHeader('content-length')) > ECHO_MAX_BYTES) return refuse(response)
  const contentType = request.getHeader('content-type') || BINARY
  const body = new CollectedBody(ECHO_MAX_BYTES)
  let refused = false
  const renew = (): void => { response.resume() }
  transfers.add(renew)
  response.onAborted(() => { transfers.delete(renew) })
  response.onData((piece, isLast) => {
    if (refused) return
    refused = !body.tryAppend(new Uint8Array(piece))
    if (refused || isLast) transfers.delete(renew)
    if (refused) response.cork(() => refuse(response))
    else if (isLast) {
      response.cork(() => {
        response.writeHeader('Content-Type', contentType)
        sendBody(response, body, transfers)
      })
    }
  })
}

/** uWebSockets closes the connection after `end(body, true)`, and writes the header that says so itself. */
function refuse (response: UwsResponse): void {
  response.writeStatus(`${ECHO_TOO_LARGE.status} ${STATUS_CODES[ECHO_TOO_LARGE.status]}`)
    .writeHeader('Content-Type', ECHO_TOO_LARGE.headers[1]!)
    .end(ECHO_TOO_LARGE.body, true)
}
