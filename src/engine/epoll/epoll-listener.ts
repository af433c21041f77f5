import { closeSync, openSync } from 'node:fs'
import { formatAddress, type Address } from '../../base/address.js'
import { Linux, type SystemCalls } from '../../native/system-calls.js'
import { BACKLOG, type Listener, type ListenOptions, type Socket } from '../engine.js'
import { listenEach } from '../listen-each.js'
import { acceptError, listenError } from '../socket-errors.js'
import { SocketFile } from '../socket-file.js'
import { closeDescriptor, keepDescriptor } from './descriptor.js'
import { EpollSocket, type EpollEngineParts } from './epoll-socket.js'
import type { Watcher } from './interest-set.js'
import { boundPort, inetAddress, pathAddress, type SocketAddress } from './socket-address.js'
import { checked, systemError } from './system-error.js'
import { setTcpOptions } from './tcp-options.js'

/** Connections taken in one turn. */
const MAX_BURST = 64
/** How long accepting pauses when there is no descriptor left even to turn a client away. */
const REST_MS = 100
const ONE = Int32Array.of(1)
const ZERO = Int32Array.of(0)

type OnSocket = (socket: Socket) => void

export async function listenEpoll (
  parts: EpollEngineParts,
  address: Address,
  onSocket: OnSocket,
  options: ListenOptions = {}
): Promise<Listener> {
  const { system } = parts.loop
  const open = (bytes: SocketAddress, at: Address): Acceptor =>
    new Acceptor(parts, bind(system, bytes), at, onSocket, options)
  if (address.kind === 'unix') {
    const file = await SocketFile.listen(
      address.path,
      async (path) => {
        const acceptor = open(pathAddress(path), address)
        return () => {
          acceptor.close()
        }
      },
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
    const { addresses, close } = await listenEach(address.host, address.port, async (host, port) => {
      const acceptor = open(inetAddress(system, host, port), { ...address, host })
      return {
        port: boundPort(system, acceptor.fd),
        close: () => {
          acceptor.close()
        }
      }
    })
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

/** A listening socket. What is accepted from it has its TCP options, too. */
function bind (system: SystemCalls, address: SocketAddress): number {
  const type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC
  const fd = keepDescriptor(system, checked(system, 'socket', system.socket(address.family, type, 0)))
  try {
    if (address.family === Linux.AF_UNIX) checked(system, 'fchmod', system.fchmod(fd, 0o600))
    else {
      checked(system, 'setsockopt', system.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_REUSEADDR, ONE, 4))
      // As node:net does: `::` takes IPv4 as well, whatever net.ipv6.bindv6only says.
      if (address.family === Linux.AF_INET6) {
        checked(system, 'setsockopt', system.setsockopt(fd, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, ZERO, 4))
      }
      setTcpOptions(system, fd)
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
  readonly #onSocket: OnSocket
  readonly #options: ListenOptions
  readonly #address: Address
  readonly #isTcp: boolean
  readonly #peer: string
  readonly #entry: number
  #fd: number
  /**
   * Given up for a moment to turn a client away when this process may open nothing more; else its connection would stay
   * in the queue and be reported for ever.
   */
  #reserve = reserveDescriptor()
  #rest: NodeJS.Timeout | undefined

  /** Closes `fd` where it fails. */
  constructor (parts: EpollEngineParts, fd: number, address: Address, onSocket: OnSocket, options: ListenOptions) {
    this.#parts = parts
    this.#fd = fd
    this.#onSocket = onSocket
    this.#options = options
    this.#address = address
    this.#isTcp = address.kind === 'tcp'
    this.#peer = `accepted on ${formatAddress(address)}`
    try {
      this.#entry = parts.loop.interest.add(fd, Linux.EPOLLIN, this)
    } catch (error) {
      this.#closeDescriptors()
      throw error
    }
    parts.loop.hold(parts.spin)
  }

  get fd (): number { return this.#fd }

  handleEvents (): void {
    const { system } = this.#parts.loop
    for (let burst = 0; burst < MAX_BURST && this.#fd !== -1; burst++) {
      const fd = this.#accept(system)
      if (fd === -1) return
      this.#onSocket(new EpollSocket(this.#parts, fd, this.#isTcp, this.#peer))
    }
  }

  /**
   * -1: no client waits, or none can be taken. One that has gone again (ECONNABORTED) ends the burst, and the rest is
   * reported again.
   */
  #accept (system: SystemCalls): number {
    const fd = system.accept4(this.#fd, null, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC)
    if (fd < 0) {
      const errno = system.errno()
      if (errno !== Linux.EAGAIN && errno !== Linux.EINTR && errno !== Linux.ECONNABORTED) this.#turnAway(system, errno)
      return -1
    }
    try {
      return keepDescriptor(system, fd)
    } catch {
      return -1
    }
  }

  /** Out of descriptors or memory. */
  #turnAway (system: SystemCalls, errno: number): void {
    this.#options.onTurnedAway?.(acceptError(this.#address, systemError('accept4', errno)))
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
    const { loop, spin } = this.#parts
    clearTimeout(this.#rest)
    loop.interest.forget(this.#entry)
    this.#closeDescriptors()
    loop.release(spin)
  }

  #closeDescriptors (): void {
    closeDescriptor(this.#parts.loop.system, this.#fd)
    if (this.#reserve !== -1) closeSync(this.#reserve)
    this.#fd = -1
  }
}

function reserveDescriptor (): number {
  try {
    return openSync('/dev/null', 'r')
  } catch {
    return -1
  }
}
