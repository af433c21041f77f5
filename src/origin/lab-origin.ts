import { tcpAddress, unixAddress } from '../base/address.js'
import type { Engine, Listener, Socket } from '../engine/engine.js'
import { closerOf } from './drain.js'
import { labServer } from './embedded/lab-link.js'
import { type ListenPlaces, toListenError } from './listen.js'
import type { Origin } from './origin.js'
import { heapConstants, SharedInput, SocketChannel } from './socket-channel.js'

/** The server that answers inside a plugin, on sockets of an engine. Rejects as `listenOn()` does. */
export async function startLabOrigin (engine: Engine, places: ListenPlaces): Promise<Origin> {
  const { host, port, path, onSocketFile } = places
  const link = labServer().attach(heapConstants)
  const input = new SharedInput()
  const channels = new Set<SocketChannel>()
  const forget = (channel: SocketChannel): void => { channels.delete(channel) }
  const onSocket = (socket: Socket): void => {
    const channel = new SocketChannel(engine, socket, input, forget)
    channels.add(channel)
    channel.start(link.onChannel(channel))
  }
  const listeners: Listener[] = []
  const stopListening = (): void => {
    for (const listener of listeners) void listener.close()
  }
  try {
    listeners.push(await engine.listen(tcpAddress(host, port), onSocket).catch((error: Error) => {
      throw toListenError((error.cause ?? error) as NodeJS.ErrnoException, host, port)
    }))
    if (path !== null) listeners.push(await engine.listen(unixAddress(path), onSocket, { onSocketFile }))
  } catch (error) {
    stopListening()
    link.close()
    throw error
  }
  return {
    server: 'lab',
    address: listeners[0]!.address,
    addresses: listeners[0]!.addresses,
    unixAddress: listeners[1]?.address ?? null,
    close: closerOf(
      () => {
        stopListening()
        link.drain()
      },
      () => channels.size === 0,
      () => {
        for (const channel of channels) channel.abort()
        link.close()
      })
  }
}
