import type { ExecutionContext } from 'ava'
import { BACKLOG } from '../../engine/engine.js'
import { boundPort, inetAddress } from '../../engine/epoll/socket-address.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { Linux, loadSystemCalls } from '../../native/system-calls.js'

/** It needs what the epoll engine needs: Linux, and koffi. */
export const HAS_RAW_TCP = ENGINES_HERE.includes('epoll')

/**
 * TCP by system calls. Tests of endings need it: `node:net` reports a reset behind data as an end.
 * Nothing here waits: a caller looks again until it has what it wants.
 */
const system = HAS_RAW_TCP ? loadSystemCalls() : undefined as never

const { AF_INET, EAGAIN, EINTR, IPPROTO_TCP, MSG_NOSIGNAL, SOL_SOCKET } = Linux
const { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } = Linux
const MSG_PEEK = 2
const SO_RCVBUF = 8
/** tcp(7): `struct tcp_info`, as far as it is read here. */
const TCP_INFO = 11
const TCP_INFO_BYTES = 128
const BYTES_ACKED_OFFSET = 120
const ESTABLISHED = 1

const chunk = new Uint8Array(65_536)
const one = new Uint8Array(1)
const value = new Int32Array(1)
const info = new Uint8Array(TCP_INFO_BYTES)
const infoFields = new DataView(info.buffer)
const infoBytes = new Int32Array(1)

/** What `RawSocket.read()` and `send()` return instead of a number of bytes. */
export const NOTHING_NOW = -1
export const BROKEN = -2

function isForNow (): boolean {
  const errno = system.errno()
  return errno === EAGAIN || errno === EINTR
}

function newSocket (): number {
  const fd = system.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new Error(`socket failed: errno ${system.errno()}`)
  return fd
}

/** A connection over IPv4. It is up to who made it to close it. */
export class RawSocket {
  #fd: number
  #ackedBefore = -1

  constructor (fd: number) {
    this.#fd = fd
    system.setsockopt(fd, IPPROTO_TCP, Linux.TCP_NODELAY, Int32Array.of(1), 4)
  }

  /** Begins to connect. `bufferBytes`: the kernel's buffer of what is not read. Default: the system's. */
  static connect (port: number, bufferBytes?: number): RawSocket {
    const socket = new RawSocket(newSocket())
    if (bufferBytes !== undefined) system.setsockopt(socket.#fd, SOL_SOCKET, SO_RCVBUF, Int32Array.of(bufferBytes), 4)
    const { bytes } = inetAddress(system, '127.0.0.1', port)
    system.connect(socket.#fd, bytes, bytes.length)
    return socket
  }

  #readInfo (): void {
    infoBytes[0] = TCP_INFO_BYTES
    if (system.getsockopt(this.#fd, IPPROTO_TCP, TCP_INFO, info, infoBytes) < 0) {
      throw new Error(`getsockopt failed: errno ${system.errno()}`)
    }
  }

  get isConnected (): boolean {
    this.#readInfo()
    return info[0] === ESTABLISHED
  }

  /** What the other side's kernel has taken of what was sent. */
  get ackedBytes (): number {
    if (this.#ackedBefore === -1) return 0
    this.#readInfo()
    return Number(infoFields.getBigUint64(BYTES_ACKED_OFFSET, true)) - this.#ackedBefore
  }

  /** How many bytes the kernel took, `NOTHING_NOW` or `BROKEN`. */
  send (bytes: Uint8Array): number {
    // Counts the handshake, too; on one side only.
    if (this.#ackedBefore === -1) {
      this.#readInfo()
      this.#ackedBefore = Number(infoFields.getBigUint64(BYTES_ACKED_OFFSET, true))
    }
    const taken = system.send(this.#fd, bytes, bytes.length, MSG_NOSIGNAL)
    return taken >= 0 ? taken : isForNow() ? NOTHING_NOW : BROKEN
  }

  /** At most `maxBytes` bytes in memory that the next read uses again; empty: the end. */
  read (maxBytes: number): Uint8Array | typeof NOTHING_NOW | typeof BROKEN {
    const bytes = system.recv(this.#fd, chunk, Math.min(maxBytes, chunk.length), 0)
    return bytes >= 0 ? chunk.subarray(0, bytes) : isForNow() ? NOTHING_NOW : BROKEN
  }

  /** Bytes lie unread. */
  get hasUnread (): boolean {
    return system.recv(this.#fd, one, 1, MSG_PEEK) > 0
  }

  /** The kernel has noted an error since it was asked last: a reset, where reading has ended. */
  takeError (): boolean {
    system.getsockopt(this.#fd, SOL_SOCKET, Linux.SO_ERROR, value, Int32Array.of(4))
    return value[0] !== 0
  }

  shutdown (): void {
    system.shutdown(this.#fd, Linux.SHUT_WR)
  }

  /** RST; what the other side's kernel has not taken is lost. */
  reset (): void {
    system.setsockopt(this.#fd, SOL_SOCKET, Linux.SO_LINGER, Int32Array.of(1, 0), 8)
    this.close()
  }

  /** FIN, or RST where something lies unread. */
  close (): void {
    if (this.#fd !== -1) system.close(this.#fd)
    this.#fd = -1
  }
}

/** Listens on a free port of 127.0.0.1. Who connects waits in the kernel until it is accepted. */
export class RawListener {
  readonly port: number
  #fd = newSocket()

  constructor (t: Pick<ExecutionContext, 'teardown'>) {
    t.teardown(() => { this.close() })
    const { bytes } = inetAddress(system, '127.0.0.1', 0)
    if (system.bind(this.#fd, bytes, bytes.length) < 0) throw new Error(`bind failed: errno ${system.errno()}`)
    if (system.listen(this.#fd, BACKLOG) < 0) throw new Error(`listen failed: errno ${system.errno()}`)
    this.port = boundPort(system, this.#fd)
  }

  tryAccept (): RawSocket | null {
    const fd = system.accept4(this.#fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC)
    return fd < 0 ? null : new RawSocket(fd)
  }

  close (): void {
    if (this.#fd !== -1) system.close(this.#fd)
    this.#fd = -1
  }
}
