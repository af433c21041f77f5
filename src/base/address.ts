import { ErrorCode, TunnelError } from './errors.js'

/**
 * Where a socket listens or connects: TCP (`host` is an IP address, without brackets, or a name) or a Unix
 * socket path.
 */
export type Address =
  | { readonly kind: 'tcp', readonly host: string, readonly port: number }
  | { readonly kind: 'unix', readonly path: string }

/** Both ends of a TCP connection, as the side that accepted it sees them. */
export interface ConnectionAddresses {
  readonly family: 'IPv4' | 'IPv6'
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** `sun_path` holds 108 bytes including its terminator on Linux (unix(7)), and 104 on macOS. */
export const UNIX_PATH_MAX_BYTES = process.platform === 'darwin' ? 103 : 107

/** `host` is an IP address or a name. An IPv6 address may have brackets, as in a URL. */
export function tcpAddress (host: string, port: number): Address {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new TunnelError(
      ErrorCode.ADDRESS_INVALID,
      `Cannot use port ${port}: a port is an integer from 0 (any free port) to 65535`
    )
  }
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port }
}

export function unixAddress (path: string): Address {
  const bytes = Buffer.byteLength(path)
  if (bytes === 0) {
    throw new TunnelError(ErrorCode.ADDRESS_INVALID,
      'Cannot use an empty socket path: name a file, for example tunnel.sock')
  }
  if (path.includes('\0')) {
    throw new TunnelError(
      ErrorCode.ADDRESS_INVALID,
      `Cannot use socket path ${JSON.stringify(path)}: it contains a NUL byte`
    )
  }
  if (bytes > UNIX_PATH_MAX_BYTES) {
    throw new TunnelError(
      ErrorCode.ADDRESS_INVALID,
      `Cannot use socket path ${path}: it has ${bytes} bytes, and a Unix socket path has at most ` +
      `${UNIX_PATH_MAX_BYTES}: choose a shorter one`
    )
  }
  return { kind: 'unix', path }
}

export function formatAddress (address: Address): string {
  if (address.kind === 'unix') return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
