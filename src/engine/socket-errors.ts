import { dirname } from 'node:path'
import { formatAddress, type Address } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'

/** The system's name of an error (`ECONNREFUSED`), or its message when it has none. */
export function systemCode (error: unknown): string {
  const { code, message } = error as { code?: unknown, message?: unknown }
  return typeof code === 'string' ? code : String(message)
}

export function connectError (address: Address, cause: unknown): TunnelError {
  const code = systemCode(cause)
  const action = `Cannot connect to ${formatAddress(address)}`
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return new TunnelError(ErrorCode.CONNECT_REFUSED, `${action}: nothing listens there (${code}): start the program that serves it, or correct the address`, { cause })
    case 'ETIMEDOUT':
      return new TunnelError(ErrorCode.CONNECT_TIMEOUT, `${action}: the system gave up waiting for an answer (${code}): check the address and the network`, { cause })
    case 'EADDRNOTAVAIL':
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: this machine has no local port left for it, or no address to reach it from (${code}): wait a minute for ` +
        'ports of closed connections, keep connections open, or widen net.ipv4.ip_local_port_range', { cause })
    case 'EMFILE':
    case 'ENFILE':
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: ${code === 'EMFILE' ? 'this process' : 'this machine'} has no descriptor left (${code}): ` +
        'open fewer connections, or raise the limit (ulimit -n, fs.file-max)', { cause })
    default:
      return new TunnelError(ErrorCode.SOCKET_FAILED, `${action}: ${code}: check the address and this user's rights and limits`, { cause })
  }
}

/** Whether a connection could not be tried, since this side was out of local ports or descriptors. */
export function isExhausted (error: TunnelError | null): boolean {
  return error !== null && ['EADDRNOTAVAIL', 'EMFILE', 'ENFILE'].includes(systemCode(error.cause ?? error))
}

export function connectTimeout (address: Address, timeoutMs: number): TunnelError {
  return new TunnelError(ErrorCode.CONNECT_TIMEOUT,
    `Cannot connect to ${formatAddress(address)}: no answer within ${timeoutMs} ms: check that the address is right and its program is not overloaded`)
}

/** Why an established connection broke. `peer` says which one: `to 127.0.0.1:9876`. */
export function brokenError (peer: string, cause: unknown): TunnelError {
  const code = systemCode(cause)
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new TunnelError(ErrorCode.SOCKET_RESET, `The connection ${peer} was cut off by the other side (${code}): its log may say why`, { cause })
  }
  return new TunnelError(ErrorCode.SOCKET_FAILED, `The connection ${peer} broke: ${code}: check the network and this user's limits`, { cause })
}

export function listenError (address: Address, cause: unknown): TunnelError {
  if (cause instanceof TunnelError) return cause
  const code = systemCode(cause)
  const action = `Cannot listen on ${formatAddress(address)}`
  const failed = new TunnelError(ErrorCode.SOCKET_FAILED, `${action}: ${code}: choose an address of this machine, and check this user's limits`, { cause })
  return address.kind === 'tcp' ? tcpListenError(action, code, cause) ?? failed : unixListenError(action, address.path, code, cause) ?? failed
}

function tcpListenError (action: string, code: string, cause: unknown): TunnelError | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return new TunnelError(ErrorCode.ADDRESS_IN_USE, `${action}: the port is taken by another program: stop it or choose another port`, { cause, cure: 'port' })
    case 'EACCES':
    case 'EPERM':
      return new TunnelError(ErrorCode.ADDRESS_DENIED, `${action}: this user may not use the port (${code}): choose a port from 1024 up`, { cause, cure: 'port' })
  }
}

function unixListenError (action: string, path: string, code: string, cause: unknown): TunnelError | undefined {
  const directory = dirname(path)
  const denied = (what: string) => new TunnelError(ErrorCode.ADDRESS_DENIED, `${action}: ${what} (${code}): create it or choose another path`, { cause, cure: 'path' })
  switch (code) {
    case 'ENOENT': return denied(`the directory ${directory} does not exist`)
    case 'ENOTDIR': return denied(`${directory} is not a directory`)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new TunnelError(ErrorCode.ADDRESS_DENIED, `${action}: this user may not write to the directory ${directory} (${code}): make it writable or choose another path`, { cause, cure: 'path' })
  }
}
