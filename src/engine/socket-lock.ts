import { once } from 'node:events'
import net from 'node:net'
import { systemCode } from './socket-errors.js'

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

/** Whether whoever held it has ended. False where that cannot be told, and where nobody ever did. */
export async function isAbandoned (path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.on('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.on('error', (error) => { resolve(systemCode(error) === 'ECONNREFUSED') })
  })
}
