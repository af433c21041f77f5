import net from 'node:net'
import type { Address } from '../../base/address.js'
import { KEEPALIVE, type Listener, type ListenOptions, type Socket } from '../engine.js'
import { listenEach } from '../listen-each.js'
import { listenError } from '../socket-errors.js'
import { SocketFile } from '../socket-file.js'
import { AcceptedSocket } from './accepted-socket.js'
import { listenServer, listenServerAt } from './listen-server.js'
import type { NodeEngineParts } from './node-socket.js'

/** Of servers and of connecting sockets. */
export const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE.idleSec * 1000 } as const

type OnSocket = (socket: Socket) => void

export async function listenNode (
  parts: NodeEngineParts,
  address: Address,
  onSocket: OnSocket,
  options: ListenOptions = {}
): Promise<Listener> {
  const createServer = (at: Address): net.Server => {
    const server = net.createServer({ allowHalfOpen: true, ...TCP_OPTIONS })
    return server.on('connection', (raw) => onSocket(new AcceptedSocket(parts, at, raw)))
  }
  if (address.kind === 'unix') {
    const file = await SocketFile.listen(
      address.path,
      (path) => listenServerAt(createServer(address), path),
      options.onSocketFile
    )
    return {
      address,
      addresses: [address],
      close: async () => {
        await file.close()
      }
    }
  }
  try {
    const { addresses, close } = await listenEach(address.host, address.port, (host, port) =>
      listenServer(createServer({ ...address, host }), host, port)
    )
    return {
      address: { ...addresses[0]!, host: address.host } as Address,
      addresses,
      close: async () => {
        close()
      }
    }
  } catch (error) {
    throw listenError(address, error)
  }
}
