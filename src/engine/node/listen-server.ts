import type net from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { BACKLOG } from '../engine.js'
import type { Opened } from '../listen-each.js'
import { keepFile } from '../socket-file.js'

/** Listens with a server of Node's, of whichever protocol. Rejects as Node does. */
export async function listenServer (server: net.Server, host: string, port: number): Promise<Opened> {
  await listening(server, () => { server.listen({ host, port, backlog: BACKLOG }) })
  return { port: (server.address() as net.AddressInfo).port, close: () => { server.close() } }
}

/**
 * The same on a Unix socket that nobody but this user can connect to: Node binds and listens before `listen()`
 * returns. The umask is the process's
 * and cannot be set in a worker thread: there the mode is right when its caller has set it, in the same turn.
 * Returns what closes it, and leaves the file to its caller.
 */
export async function listenServerAt (server: net.Server, path: string): Promise<() => void> {
  await listening(server, () => {
    // Others may make files at this moment, and directories, which have to stay of use to their owner.
    const umask = isMainThread ? process.umask(0o077) : null
    try {
      server.listen({ path, backlog: BACKLOG })
    } finally {
      if (umask !== null) process.umask(umask)
    }
  })
  return () => { keepFile(path, () => { server.close() }) }
}

function listening (server: net.Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    // Never removed: a later error is a failed accept, which costs that client its connection and must not end the
    // process.
    // (Out of descriptors libuv usually accepts and closes by itself, with one it keeps in reserve, and says nothing.)
    server.on('error', reject)
    server.once('listening', resolve)
    listen()
  })
}
