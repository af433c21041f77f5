import { lookup } from 'node:dns'
import net from 'node:net'
import { formatAddress, type Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import { Linux } from '../../native/system-calls.js'
import type { Reader } from '../engine.js'
import { connectError, connectTimeout } from '../socket-errors.js'
import { EpollSocket, type EpollEngineParts } from './epoll-socket.js'
import { inetAddress, pathAddress, type SocketAddress } from './socket-address.js'
import { keepDescriptor } from './descriptor.js'
import { checked, systemError } from './system-error.js'

/** A Unix socket whose listener has its queue full is tried again so often: there is nothing to wait for. */
const RETRY_MS = 2
const ONE = Int32Array.of(1)

/** A socket until its connection stands, and from then on one like any other. Writes made before are kept. */
export class ConnectingSocket extends EpollSocket {
  readonly #address: Address
  #timeLimit: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined

  constructor (parts: EpollEngineParts, address: Address, reader: Reader, timeoutMs: number) {
    super(parts, -1, address.kind === 'tcp', `to ${formatAddress(address)}`)
    this.#address = address
    this.reader = reader
    this.isEstablished = false
    if (timeoutMs > 0) this.#timeLimit = setTimeout(() => { this.destroy(connectTimeout(address, timeoutMs)) }, timeoutMs)
    if (address.kind === 'unix') this.#open(() => pathAddress(address.path))
    else if (net.isIP(address.host) !== 0) this.#open(() => inetAddress(parts.loop.system, address.host, address.port))
    else {
      lookup(address.host, (error, ip) => {
        if (error !== null) this.destroy(connectError(address, error))
        else this.#open(() => inetAddress(parts.loop.system, ip, address.port))
      })
    }
  }

  #open (encode: () => SocketAddress): void {
    const { system } = this.parts.loop
    if (this.isClosed) return
    try {
      const address = encode()
      const type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC
      this.fd = keepDescriptor(system, checked(system, 'socket', system.socket(address.family, type, 0)))
      if (address.family !== Linux.AF_UNIX) system.setsockopt(this.fd, Linux.IPPROTO_TCP, Linux.TCP_NODELAY, ONE, 4)
      this.#connect(address)
    } catch (error) {
      this.destroy(connectError(this.#address, error))
    }
  }

  #connect (address: SocketAddress): void {
    const { system } = this.parts.loop
    const errno = system.connect(this.fd, address.bytes, address.bytes.length) === 0 ? 0 : system.errno()
    switch (errno) {
      case 0:
      case Linux.EINPROGRESS:
      case Linux.EINTR: // A signal came in between: it goes on all the same.
        this.watch(Linux.EPOLLOUT)
        break
      case Linux.EAGAIN:
        this.#retry = setTimeout(() => {
          try {
            this.#connect(address)
          } catch (error) {
            this.destroy(connectError(this.#address, error))
          }
        }, RETRY_MS)
        break
      default:
        throw systemError('connect', errno)
    }
  }

  override handleEvents (events: number): void {
    if (this.isEstablished) return super.handleEvents(events)
    const errno = this.takeError()
    if (errno !== 0) return this.destroy(connectError(this.#address, systemError('connect', errno)))
    this.isEstablished = true
    clearTimeout(this.#timeLimit)
    this.setInterest(Linux.EPOLLIN)
    this.cork()
    if (!this.isCut) this.reader!.connect?.()
  }

  protected override destroy (error: TunnelError | null): void {
    clearTimeout(this.#timeLimit)
    clearTimeout(this.#retry)
    super.destroy(error)
  }
}
