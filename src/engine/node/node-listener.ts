import net from 'node:net'
import type { Address } from '../../base/address.js'
import type { Listener, Socket } from '../engine.js'
import { AcceptedSocket } from './accepted-socket.js'
import type { NodeEngineParts } from './node-socket.js'
import { listenError } from '../socket-errors.js'
import { placeSocket, removeSocket } from '../socket-file.js'

const BACKLOG = 1024

export async function listenNode (parts: NodeEngineParts, address: Address, onSocket: (socket: Socket) => void): Promise<Listener> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true })
  server.on('connection', (raw) => onSocket(new AcceptedSocket(parts, address, raw)))
  try {
    return address.kind === 'tcp' ? await listenTcp(server, address) : await listenUnix(server, address)
  } catch (error) {
    server.close()
    throw listenError(address, error)
  }
}

async function listenTcp (server: net.Server, address: Address & { kind: 'tcp' }): Promise<Listener> {
  await bind(server, { host: address.host, port: address.port })
  const { port } = server.address() as net.AddressInfo
  return { address: { ...address, port }, close: async () => { server.close() } }
}

async function listenUnix (server: net.Server, address: Address & { kind: 'unix' }): Promise<Listener> {
  const identity = await placeSocket(address.path, (path) => bind(server, { path }))
  return {
    address,
    close: async () => {
      // While the server holds the socket its inode cannot be given to another file: look first, close then.
      removeSocket(address.path, identity)
      server.close()
    }
  }
}

function bind (server: net.Server, where: { host: string, port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    // Never removed: a later error is a failed accept, which costs that client its connection and must not end the process.
    // (Out of descriptors libuv usually accepts and closes by itself, with one it keeps in reserve, and says nothing.)
    server.on('error', reject)
    server.listen({ ...where, backlog: BACKLOG }, resolve)
  })
}
