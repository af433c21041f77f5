import { formatAddress, type Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import { Linux } from '../../native/system-calls.js'
import type { Reader } from '../engine.js'
import { addressesOf, attemptMsOf, noteWorking } from '../host-name.js'
import { connectError, connectTimeout } from '../socket-errors.js'
import { EpollSocket, type EpollEngineParts } from './epoll-socket.js'
import { inetAddress, pathAddress, type SocketAddress } from './socket-address.js'
import { keepDescriptor } from './descriptor.js'
import { checked, systemError } from './system-error.js'
import { setTcpOptions } from './tcp-options.js'

/** How often a Unix socket is tried again while its listener's queue is full: there is no event to wait for. */
const RETRY_MS = 2

/** A socket whose connection is not established yet; after that it is like any other. Writes made before are kept. */
export class ConnectingSocket extends EpollSocket {
  readonly #address: Address
  #timeLimit: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  /**
   * Addresses of the name that are still to be tried, those that did not answer in time and are tried again
   * then, and why others failed.
   */
  #untried: string[] = []
  #silent: string[] = []
  readonly #failures: unknown[] = []
  /** The one that is tried. */
  #ip = ''
  #attemptMs: number
  #attemptLimit: NodeJS.Timeout | undefined

  constructor (parts: EpollEngineParts, address: Address, reader: Reader, timeoutMs: number) {
    super(parts, -1, address.kind === 'tcp', `to ${formatAddress(address)}`)
    this.#address = address
    this.reader = reader
    this.isEstablished = false
    this.#attemptMs = attemptMsOf(timeoutMs)
    if (timeoutMs > 0) {
      this.#timeLimit = setTimeout(() => {
        this.destroy(connectTimeout(address, timeoutMs))
      }, timeoutMs)
    }
    if (address.kind === 'unix') this.#open(() => pathAddress(address.path))
    else {
      addressesOf(address.host, (error, addresses) => {
        if (error !== null) return this.destroy(connectError(address, error))
        this.#untried = [...addresses]
        this.#tryNext(address.port)
      })
    }
  }

  #tryNext (port: number): void {
    if (this.#untried.length === 0) {
      [this.#untried, this.#silent] = [this.#silent, []]
      this.#attemptMs *= 2
    }
    const ip = this.#ip = this.#untried.shift()!
    if (this.#untried.length + this.#silent.length > 0) {
      this.#attemptLimit = setTimeout(() => {
        this.#silent.push(ip)
        this.forgetDescriptor()
        this.#tryNext(port)
      }, this.#attemptMs)
    }
    this.#open(() => inetAddress(this.parts.loop.system, ip, port))
  }

  /** The attempt failed: on with the next address. */
  #fail (cause: unknown): void {
    clearTimeout(this.#attemptLimit)
    this.#failures.push(cause)
    const address = this.#address
    if (address.kind === 'unix' ||
      this.#untried.length + this.#silent.length === 0) return this.destroy(connectError(address, ...this.#failures))
    this.forgetDescriptor()
    this.#tryNext(address.port)
  }

  #open (encode: () => SocketAddress): void {
    const { system } = this.parts.loop
    if (this.isClosed) return
    try {
      const address = encode()
      const type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC
      this.fd = keepDescriptor(system, checked(system, 'socket', system.socket(address.family, type, 0)))
      if (address.family !== Linux.AF_UNIX) setTcpOptions(system, this.fd)
      this.#connect(address)
    } catch (error) {
      this.#fail(error)
    }
  }

  #connect (address: SocketAddress): void {
    const { system } = this.parts.loop
    const errno = system.connect(this.fd, address.bytes, address.bytes.length) === 0 ? 0 : system.errno()
    switch (errno) {
      case 0:
      case Linux.EINPROGRESS:
      case Linux.EINTR: // Interrupted by a signal: it goes on regardless.
        this.watch(Linux.EPOLLOUT)
        break
      case Linux.EAGAIN:
        this.#retry = setTimeout(() => {
          try {
            this.#connect(address)
          } catch (error) {
            this.#fail(error)
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
    if (errno !== 0) return this.#fail(systemError('connect', errno))
    this.isEstablished = true
    clearTimeout(this.#timeLimit)
    clearTimeout(this.#attemptLimit)
    if (this.#address.kind === 'tcp') noteWorking(this.#address.host, this.#ip)
    this.setInterest(Linux.EPOLLIN)
    this.cork()
    if (!this.isCut) this.reader!.connect?.()
  }

  protected override destroy (error: TunnelError | null): void {
    clearTimeout(this.#timeLimit)
    clearTimeout(this.#attemptLimit)
    clearTimeout(this.#retry)
    super.destroy(error)
  }
}
