import net from 'node:net'
import type { ExecutionContext } from 'ava'
import { type Address, tcpAddress } from '../../base/address.js'
import { until } from './rig.js'

/** A TCP connection whose fate can be waited for. */
export class Peer {
  readonly socket: net.Socket
  readonly #chunks: Uint8Array[] = []
  receivedBytes = 0
  ended = false
  closed = false
  /** The system's code of what broke the connection. */
  errorCode: string | null = null

  constructor (t: ExecutionContext, socket: net.Socket) {
    t.teardown(() => { socket.destroy() })
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk)
      this.receivedBytes += chunk.length
    })
    socket.on('end', () => { this.ended = true })
    socket.on('error', (error: NodeJS.ErrnoException) => { this.errorCode = error.code ?? error.message })
    socket.on('close', () => { this.closed = true })
  }

  get received (): Buffer { return Buffer.concat(this.#chunks) }
  get text (): string { return this.received.toString('latin1') }

  /** At least so many bytes have come. */
  async untilReceived (bytes: number): Promise<void> {
    await until(() => this.receivedBytes >= bytes || this.closed)
    if (this.receivedBytes < bytes) {
      throw new Error(
        `the connection closed after ${this.receivedBytes} of ${bytes} bytes: ${this.errorCode ?? 'in good order'}`
      )
    }
  }

  /** The other side has half-closed. */
  async untilEnd (): Promise<void> {
    await until(() => this.ended || this.closed)
    if (!this.ended) throw new Error(`the connection broke: ${this.errorCode ?? 'closed'}`)
  }

  /** Both directions are over. Returns the code of what broke the connection, or null. */
  async untilClose (): Promise<string | null> {
    await until(() => this.closed)
    return this.errorCode
  }

  /**
   * The other side has cut the connection amid a transfer. Node tells a reset that it finds right behind data as an
   * end, so this may not be told from a half-close; where nothing is on its way, `untilClose()` tells a reset as
   * ECONNRESET.
   */
  async untilCut (): Promise<void> {
    await until(() => this.ended || this.closed)
    this.socket.destroy()
    await until(() => this.closed)
  }
}

/** A client; half-open connections are allowed. */
export function connect (t: ExecutionContext, port: number): Peer {
  return new Peer(t, net.connect({ host: '127.0.0.1', port, allowHalfOpen: true }))
}

export interface TcpOrigin {
  readonly address: Address
  readonly peers: Peer[]
  /** The `nth` (from 0) connection, as soon as it is there. */
  peer (nth: number): Promise<Peer>
}

/** An origin that speaks whatever a test wants; half-open connections are allowed. */
export async function startTcpOrigin (
  t: ExecutionContext,
  onPeer: (peer: Peer) => void = () => {},
  port = 0
): Promise<TcpOrigin> {
  const peers: Peer[] = []
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = new Peer(t, socket)
    peers.push(peer)
    onPeer(peer)
  })
  t.teardown(() => {
    server.close()
  })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = tcpAddress('127.0.0.1', (server.address() as net.AddressInfo).port)
  return {
    address,
    peers,
    async peer (nth) {
      await until(() => peers.length > nth)
      return peers[nth]!
    }
  }
}

/** A port at which nothing listens. */
export async function freePort (): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as net.AddressInfo
  await new Promise<void>((resolve) => { server.close(() => { resolve() }) })
  return port
}
