import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { ChannelDuplex } from './channel-duplex.js'
import { type CloseLimits, DEFAULT_CLOSE_LIMITS } from './closing.js'
import type { EmbeddedLink, EmbeddedServer, ServerChannel } from './server-channel.js'

/** Node's: told of every request, whatever event that becomes ('request', 'checkContinue', 'checkExpectation'). */
const REQUEST_START = 'http.server.request.start'

/**
 * Answers a plugin's channels with an ordinary node:http program, without a TCP port: `TunnelPlugin.start({ engine,
 * tunnel, serve: serveHttp(app) })`.
 *
 * Its sockets behave as those of TCP. `remoteAddress` and the other addresses are those of the connection between
 * client and host; a client on a Unix socket, or of a host that does not know it, has the address 0.0.0.0 and port 0.
 * `destroy()` lets what was written leave and then ends; `resetAndDestroy()` resets.
 *
 * @param target A request listener (an Express app is one, and so is `fastify.routing` once `fastify.ready()` has
 *   resolved), or a server of node:http, which need not
 * listen: its listeners for `request`, `upgrade` and `clientError` and its time limits count. A server that does not
 * listen is told `listening` once, because node:http starts its time limits then.
 * @param limits How long a client may make no progress at the end of its connection.
 */
export function serveHttp (target: RequestListener | Server, limits: Partial<CloseLimits> = {}): EmbeddedServer {
  const server = typeof target === 'function' ? createServer(target) : target
  if (!server.listening) server.emit('listening')
  return { attach: () => new HttpLink(server, { ...DEFAULT_CLOSE_LIMITS, ...limits }) }
}

/** All connections of one link. */
class HttpLink implements EmbeddedLink {
  readonly #server: Server
  readonly #limits: CloseLimits
  readonly #connections = new Map<ChannelDuplex, Use>()
  #isDraining = false

  constructor (server: Server, limits: CloseLimits) {
    this.#server = server
    this.#limits = limits
    subscribe(REQUEST_START, this.#countRequest)
  }

  onChannel (channel: ServerChannel): ChannelDuplex {
    const connection = new ChannelDuplex(channel, this.#limits)
    this.#connections.set(connection, { requests: 0, answeredBytes: 0 })
    connection.once('close', () => { this.#connections.delete(connection) })
    channel.accept()
    // The documented way to bring a connection of one's own.
    this.#server.emit('connection', connection)
    return connection
  }

  drain (): void {
    this.#isDraining = true
    for (const [connection, use] of this.#connections) endIfIdle(connection, use)
  }

  close (): void {
    unsubscribe(REQUEST_START, this.#countRequest)
  }

  readonly #countRequest = (message: unknown): void => {
    const { socket, response } = message as { readonly socket: unknown, readonly response: ServerResponse }
    if (!(socket instanceof ChannelDuplex)) return
    const use = this.#connections.get(socket)
    if (use === undefined) return
    use.requests++
    response.once('close', () => {
      use.requests--
      use.answeredBytes = socket.bytesRead
      if (this.#isDraining) endIfIdle(socket, use)
    })
  }
}

interface Use {
  /** That are not answered. */
  requests: number
  /** What the connection had read when its last response was done: what comes behind it begins another request. */
  answeredBytes: number
}

/** A request for an upgrade is never answered: its program ends the connection. */
function endIfIdle (connection: ChannelDuplex, { requests, answeredBytes }: Use): void {
  if (requests === 0 && connection.bytesRead === answeredBytes) connection.end()
}
