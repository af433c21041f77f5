import type { AddressInfo, Server } from 'node:net'
import { formatAddress, tcpAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'

/**
 * Listens, and resolves to the real port. Rejects with ADDRESS_IN_USE, ADDRESS_DENIED, ADDRESS_INVALID (the host is not one
 * of this machine) or SOCKET_FAILED.
 */
export async function listen (server: Server, host: string, port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, host, port)))
    server.listen({ host, port }, () => {
      server.removeAllListeners('error')
      resolve((server.address() as AddressInfo).port)
    })
  })
}

export function toListenError (error: NodeJS.ErrnoException, host: string, port: number): TunnelError {
  const action = `Cannot listen on ${formatAddress(tcpAddress(host, port))}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new TunnelError(ErrorCode.ADDRESS_IN_USE, `${action}: the port is taken: stop what listens there, choose another port, or use port 0 for any free one`, { cause: error, cure: 'port' })
    case 'EACCES':
      return new TunnelError(ErrorCode.ADDRESS_DENIED, `${action}: permission denied: choose a port from 1024 up`, { cause: error, cure: 'port' })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError(ErrorCode.ADDRESS_INVALID, `${action}: this machine has no such address: use one of its own, for example 127.0.0.1`, { cause: error })
    default:
      return new TunnelError(ErrorCode.SOCKET_FAILED, `${action}: ${error.message}`, { cause: error })
  }
}
