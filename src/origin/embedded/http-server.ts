import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { ChannelDuplex } from './channel-duplex.js'
import type { EmbeddedLink, EmbeddedServer, ServerChannel } from './server-channel.js'

/**
 * Answers a plugin's channels with an ordinary node:http program, without a TCP port: `TunnelPlugin.start({ engine, tunnel, serve: serveHttp(app) })`.
 *
 * @param target A request listener (an Express app is one, and so is `fastify.routing` once `fastify.ready()` has resolved), or a server of node:http, which need not
 * listen: its listeners for `request`, `upgrade` and `clientError` and its time limits count. A server that does not listen is told `listening` once, because
 * node:http starts its time limits then.
 */
export function serveHttp (target: RequestListener | Server): EmbeddedServer {
  const server = typeof target === 'function' ? createServer(target) : target
  if (!server.listening) server.emit('listening')
  return { attach: () => new HttpLink(server) }
}

/** All connections of one link. */
class HttpLink implements EmbeddedLink {
  readonly #server: Server
  readonly #connections = new Set<ChannelDuplex>()
  #isDraining = false

  constructor (server: Server) {
    this.#server = server
    server.on('request', this.#countRequest)
  }

  onChannel (channel: ServerChannel): ChannelDuplex {
    const connection = new ChannelDuplex(channel)
    this.#connections.add(connection)
    connection.once('close', () => { this.#connections.delete(connection) })
    channel.accept()
    // The documented way to bring a connection of one's own.
    this.#server.emit('connection', connection)
    return connection
  }

  drain (): void {
    this.#isDraining = true
    for (const connection of this.#connections) {
      if (connection.requests === 0) connection.end()
    }
  }

  close (): void {
    this.#server.removeListener('request', this.#countRequest)
  }

  readonly #countRequest = ({ socket }: { readonly socket: unknown }, response: ServerResponse): void => {
    if (!(socket instanceof ChannelDuplex) || !this.#connections.has(socket)) return
    socket.requests++
    response.once('close', () => {
      socket.requests--
      if (this.#isDraining && socket.requests === 0) socket.end()
    })
  }
}
