import type net from 'node:net'
import { type Address, type ConnectionAddresses, formatAddress } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import type { Reader } from '../engine.js'
import { NodeSocket, type NodeEngineParts } from './node-socket.js'
import { brokenError } from '../socket-errors.js'

/**
 * Node reads accepted sockets into memory of its own, with no way to supply another: what arrives is copied into
 * claims.
 */
export class AcceptedSocket extends NodeSocket {
  protected readonly raw: net.Socket
  private readonly listenAddress: Address

  constructor (parts: NodeEngineParts, listenAddress: Address, raw: net.Socket) {
    super(parts)
    this.raw = raw
    this.listenAddress = listenAddress
    this.watch()
  }

  override start (reader: Reader): void {
    super.start(reader)
    this.raw.on('data', this.handleData)
  }

  peerAddress (): ConnectionAddresses | null {
    const { remoteAddress, remoteFamily, remotePort = 0, localAddress, localPort = 0 } = this.raw
    if (remoteAddress === undefined || localAddress === undefined) return null
    return { family: remoteFamily === 'IPv6' ? 'IPv6' : 'IPv4', remoteAddress, remotePort, localAddress, localPort }
  }

  protected override isTcp (): boolean {
    return this.listenAddress.kind === 'tcp'
  }

  protected override toTunnelError (cause: unknown): TunnelError {
    return brokenError(`accepted on ${formatAddress(this.listenAddress)}`, cause)
  }

  protected override startReading (): void {
    this.raw.resume()
  }

  protected override discard (): void {
    this.raw.resume()
  }

  private readonly handleData = (chunk: Uint8Array): void => {
    if (!this.cut && !this.take(chunk)) this.raw.pause()
  }
}
