import { type Address, formatAddress, tcpAddress, unixAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { listenEach, type Opened, type OpenedEach } from '../engine/listen-each.js'
import type { SocketFileEvent } from '../engine/socket-file.js'
import type { Origin } from './origin.js'

/** Where an origin listens. */
export interface ListenPlaces {
  readonly host: string
  readonly port: number
  /** Of a Unix socket; null: none. */
  readonly path: string | null
  readonly onSocketFile?: ((event: SocketFileEvent) => void) | undefined
}

/** The same as a part of `Origin`. */
export function placesOf (
  { host, path }: ListenPlaces,
  { addresses }: OpenedEach
): Pick<Origin, 'address' | 'addresses' | 'unixAddress'> {
  return {
    address: { ...addresses[0]!, host } as Address,
    addresses,
    unixAddress: path === null ? null : unixAddress(path)
  }
}

/**
 * Listens on every address of `host`. Rejects with ADDRESS_IN_USE, ADDRESS_DENIED, ADDRESS_INVALID (the host is not one
 * of this machine) or SOCKET_FAILED.
 */
export async function listenOn (
  { host, port }: ListenPlaces,
  open: (ip: string, port: number) => Promise<Opened>
): Promise<OpenedEach> {
  try {
    return await listenEach(host, port, open)
  } catch (error) {
    throw toListenError(error as NodeJS.ErrnoException, host, port)
  }
}

export function toListenError (error: NodeJS.ErrnoException, host: string, port: number): TunnelError {
  if (error instanceof TunnelError) return error
  const action = `Cannot listen on ${formatAddress(tcpAddress(host, port))}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new TunnelError(
        ErrorCode.ADDRESS_IN_USE,
        `${action}: the port is taken: stop what listens there, choose another port, or use port 0 for any free one`,
        { cause: error, cure: 'port' }
      )
    case 'EACCES':
      return new TunnelError(ErrorCode.ADDRESS_DENIED, `${action}: permission denied: choose a port from 1024 up`, {
        cause: error,
        cure: 'port'
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError(
        ErrorCode.ADDRESS_INVALID,
        `${action}: this machine has no such address: use one of its own, for example 127.0.0.1`,
        { cause: error }
      )
    default:
      return new TunnelError(ErrorCode.SOCKET_FAILED, `${action}: ${error.message}`, { cause: error })
  }
}
