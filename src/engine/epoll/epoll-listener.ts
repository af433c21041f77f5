import { closeSync, openSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import net from 'node:net'
import { formatAddress, type Address } from '../../base/address.js'
import { Linux, type SystemCalls } from '../../native/system-calls.js'
import type { Listener, Socket } from '../engine.js'
import { listenError } from '../socket-errors.js'
import { placeSocket, removeSocket } from '../socket-file.js'
import { closeDescriptor, keepDescriptor } from './descriptor.js'
import { EpollSocket, type EpollEngineParts } from './epoll-socket.js'
import type { Watcher } from './interest-set.js'
import { boundPort, inetAddress, pathAddress, type SocketAddress } from './socket-address.js'
import { checked } from './system-error.js'

const BACKLOG = 1024
/** Connections taken in one turn. */
const MAX_BURST = 64
/** How long nobody is accepted after the system had not even room to turn a client away. */
const REST_MS = 100
const ONE = Int32Array.of(1)

export async function listenEpoll (parts: EpollEngineParts, address: Address, onSocket: (socket: Socket) => void): Promise<Listener> {
  try {
    return address.kind === 'tcp' ? await listenTcp(parts, address, onSocket) : await listenUnix(parts, address, onSocket)
  } catch (error) {
    throw listenError(address, error)
  }
}

async function listenTcp (parts: EpollEngineParts, address: Address & { kind: 'tcp' }, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { system } = parts.loop
  const ip = net.isIP(address.host) === 0 ? (await lookup(address.host)).address : address.host
  const fd = bind(system, inetAddress(system, ip, address.port))
  const acceptor = new Acceptor(parts, fd, address, onSocket)
  return { address: { ...address, port: boundPort(system, fd) }, close: async () => { acceptor.close() } }
}

async function listenUnix (parts: EpollEngineParts, address: Address & { kind: 'unix' }, onSocket: (socket: Socket) => void): Promise<Listener> {
  const { system } = parts.loop
  let fd = -1
  let identity
  try {
    identity = await placeSocket(address.path, async (path) => { fd = bind(system, pathAddress(path)) })
  } catch (error) {
    if (fd !== -1) closeDescriptor(system, fd)
    throw error
  }
  const acceptor = new Acceptor(parts, fd, address, onSocket)
  return {
    address,
    close: async () => {
      // While the listener is open the inode of its file cannot be given to another one: look first, close then.
      removeSocket(address.path, identity)
      acceptor.close()
    }
  }
}

/** A listening socket. What is accepted from it has its TCP_NODELAY, too. */
function bind (system: SystemCalls, address: SocketAddress): number {
  const fd = keepDescriptor(system, checked(system, 'socket', system.socket(address.family, Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC, 0)))
  try {
    if (address.family !== Linux.AF_UNIX) {
      checked(system, 'setsockopt', system.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_REUSEADDR, ONE, 4))
      checked(system, 'setsockopt', system.setsockopt(fd, Linux.IPPROTO_TCP, Linux.TCP_NODELAY, ONE, 4))
    }
    checked(system, 'bind', system.bind(fd, address.bytes, address.bytes.length))
    checked(system, 'listen', system.listen(fd, BACKLOG))
    return fd
  } catch (error) {
    closeDescriptor(system, fd)
    throw error
  }
}

class Acceptor implements Watcher {
  readonly #parts: EpollEngineParts
  readonly #onSocket: (socket: Socket) => void
  readonly #isTcp: boolean
  readonly #peer: string
  readonly #entry: number
  #fd: number
  /** Given up for a moment to turn a client away when this process may open nothing more; else its connection would stay in the queue and be reported for ever. */
  #reserve = reserveDescriptor()
  #rest: NodeJS.Timeout | undefined

  constructor (parts: EpollEngineParts, fd: number, address: Address, onSocket: (socket: Socket) => void) {
    this.#parts = parts
    this.#fd = fd
    this.#onSocket = onSocket
    this.#isTcp = address.kind === 'tcp'
    this.#peer = `accepted on ${formatAddress(address)}`
    this.#entry = parts.loop.interest.add(fd, Linux.EPOLLIN, this)
    parts.loop.hold()
  }

  handleEvents (): void {
    const { system } = this.#parts.loop
    for (let burst = 0; burst < MAX_BURST && this.#fd !== -1; burst++) {
      const fd = this.#accept(system)
      if (fd === -1) return
      this.#onSocket(new EpollSocket(this.#parts, fd, this.#isTcp, this.#peer))
    }
  }

  /** -1: nobody waits, or cannot be taken. A client that has gone again (ECONNABORTED) ends the burst, and the rest is reported again. */
  #accept (system: SystemCalls): number {
    const fd = system.accept4(this.#fd, null, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC)
    if (fd < 0) {
      const errno = system.errno()
      if (errno !== Linux.EAGAIN && errno !== Linux.EINTR && errno !== Linux.ECONNABORTED) this.#turnAway(system)
      return -1
    }
    try {
      return keepDescriptor(system, fd)
    } catch {
      return -1
    }
  }

  /** Out of descriptors or memory. */
  #turnAway (system: SystemCalls): void {
    if (this.#reserve !== -1) {
      closeSync(this.#reserve)
      const fd = system.accept4(this.#fd, null, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC)
      if (fd >= 0) system.close(fd)
      this.#reserve = reserveDescriptor()
      if (fd >= 0) return
    }
    this.#parts.loop.interest.setInterest(this.#fd, this.#entry, 0)
    this.#rest = setTimeout(() => {
      if (this.#reserve === -1) this.#reserve = reserveDescriptor()
      this.#parts.loop.interest.setInterest(this.#fd, this.#entry, Linux.EPOLLIN)
    }, REST_MS)
  }

  close (): void {
    if (this.#fd === -1) return
    const { loop } = this.#parts
    clearTimeout(this.#rest)
    loop.interest.forget(this.#entry)
    closeDescriptor(loop.system, this.#fd)
    if (this.#reserve !== -1) closeSync(this.#reserve)
    this.#fd = -1
    loop.release()
  }
}

function reserveDescriptor (): number {
  try {
    return openSync('/dev/null', 'r')
  } catch {
    return -1
  }
}
