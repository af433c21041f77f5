import { once } from 'node:events'
import net from 'node:net'
import { tryConnect } from './socket-file.js'

/** A listening socket says that its process lives: to every process of the machine, whatever its PID namespace. */
export interface SocketLock {
  release (): void
}

/** Does not keep the process alive. Rejects with the system's error. */
export async function holdLock (path: string): Promise<SocketLock> {
  const server = net.createServer((socket) => { socket.destroy() })
  server.listen(path)
  await once(server, 'listening')
  server.unref()
  return { release: () => { server.close() } }
}

/** Whether its holder has ended. False where that cannot be known, and where it never had one. */
export async function isAbandoned (path: string): Promise<boolean> {
  return await tryConnect(path) === 'ECONNREFUSED'
}
