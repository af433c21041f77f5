import { lstatSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { formatAddress, type Address } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'

/** The system's name of an error (`ECONNREFUSED`), or its message when it has none. */
export function systemCode (error: unknown): string {
  const { code, message } = error as { code?: unknown, message?: unknown }
  return typeof code === 'string' ? code : String(message)
}

/** `causes`: of a name with several addresses, why each of them failed, as tried; the most telling one is named. */
export function connectError (address: Address, ...causes: unknown[]): TunnelError {
  const cause = mostTelling(causes)
  const code = systemCode(cause)
  const action = `Cannot connect to ${formatAddress(address)}`
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return new TunnelError(
        ErrorCode.CONNECT_REFUSED,
        `${action}: nothing listens there (${code}): start the program that serves it, or correct the address`,
        { cause }
      )
    case 'ETIMEDOUT':
      return new TunnelError(
        ErrorCode.CONNECT_TIMEOUT,
        `${action}: the system gave up waiting for an answer (${code}): check the address and the network`,
        { cause }
      )
    case 'EADDRNOTAVAIL':
      return new TunnelError(
        ErrorCode.LIMIT,
        `${action}: this machine has no local port left for it, or no address to reach it from (${code}): wait a ` +
        'minute for ' +
          'ports of closed connections, keep connections open, or widen net.ipv4.ip_local_port_range',
        { cause }
      )
    case 'EMFILE':
    case 'ENFILE':
      return new TunnelError(ErrorCode.LIMIT,
        `${action}: ${code === 'EMFILE' ? 'this process' : 'this machine'} has no descriptor left (${code}): ` +
        'open fewer connections, or raise the limit (ulimit -n, fs.file-max)', { cause })
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: the name is not known here (${code}): correct it, or check this machine's name service`, { cause })
    default:
      return new TunnelError(
        ErrorCode.SOCKET_FAILED,
        `${action}: ${code}: check the address and this user's rights and limits`,
        { cause }
      )
  }
}

/**
 * What this side is out of comes first: the other addresses say nothing then. The address that worked is tried first,
 * and those that cannot be reached from here last: only of the first one does EADDRNOTAVAIL mean local ports.
 */
function mostTelling (causes: readonly unknown[]): unknown {
  if (systemCode(causes[0]) === 'EADDRNOTAVAIL') return causes[0]
  for (const codes of [['EMFILE', 'ENFILE'], ['ECONNREFUSED'], ['ETIMEDOUT']]) {
    const cause = causes.find((one) => codes.includes(systemCode(one)))
    if (cause !== undefined) return cause
  }
  return causes.at(-1)
}

/** Why a client could not be accepted. */
export function acceptError (address: Address, cause: unknown): TunnelError {
  const code = systemCode(cause)
  return new TunnelError(
    ErrorCode.LIMIT,
    `Cannot accept a client on ${formatAddress(address)}: this process or the system is ` +
      `out of descriptors or memory (${code}): raise the limit (ulimit -n, fs.file-max), or allow fewer connections`,
    { cause }
  )
}

export function connectTimeout (address: Address, timeoutMs: number): TunnelError {
  return new TunnelError(
    ErrorCode.CONNECT_TIMEOUT,
    `Cannot connect to ${formatAddress(address)}: no answer within ${timeoutMs} ms: check that the address is right ` +
    'and its program is not overloaded'
  )
}

/** Why an established connection broke. `peer` says which one: `to 127.0.0.1:9876`. */
export function brokenError (peer: string, cause: unknown): TunnelError {
  const code = systemCode(cause)
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new TunnelError(
      ErrorCode.SOCKET_RESET,
      `The connection ${peer} was cut off by the other side (${code}): its log may say why`,
      { cause }
    )
  }
  return new TunnelError(
    ErrorCode.SOCKET_FAILED,
    `The connection ${peer} broke: ${code}: check the network and this user's limits`,
    { cause }
  )
}

export function listenError (address: Address, cause: unknown): TunnelError {
  if (cause instanceof TunnelError) return cause
  const code = systemCode(cause)
  const action = `Cannot listen on ${formatAddress(address)}`
  return address.kind === 'tcp'
    ? tcpListenError(action, code, cause)
    : unixListenError(action, dirname(address.path), code, cause)
}

function tcpListenError (action: string, code: string, cause: unknown): TunnelError {
  switch (code) {
    case 'EADDRINUSE':
      return new TunnelError(
        ErrorCode.ADDRESS_IN_USE,
        `${action}: the port is taken by another program: stop it or choose another port`,
        { cause, cure: 'port' }
      )
    case 'EACCES':
    case 'EPERM':
      return new TunnelError(ErrorCode.ADDRESS_DENIED,
        `${action}: this user may not use the port (${code}): choose a port from 1024 up`, { cause, cure: 'port' })
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new TunnelError(
        ErrorCode.SOCKET_FAILED,
        `${action}: the name is not known here (${code}): use an address of this machine, for example 127.0.0.1`,
        { cause }
      )
    default:
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: ${code}: choose an address of this machine, and check this user's limits`, { cause })
  }
}

function unixListenError (action: string, directory: string, code: string, cause: unknown): TunnelError {
  const denied = (what: string, cure: string) => new TunnelError(ErrorCode.ADDRESS_DENIED,
    `${action}: ${what} (${code}): ${cure}`, { cause, cure: 'path' })
  switch (code) {
    case 'ENOENT': return denied(missingDirectory(directory), 'choose another path, or create the directory')
    case 'ENOTDIR': return denied(`${directory} is not a directory`, 'choose another path')
    case 'ELOOP': return denied(`${directory} is a symbolic link that leads back to itself`,
      'choose another path, or mend the link')
    case 'EROFS': return denied(`the file system of ${directory} is read-only`, 'choose another path')
    case 'EACCES':
    case 'EPERM': return denied(`this user may not write to the directory ${directory}`,
      'make it writable or choose another path')
    case 'EOPNOTSUPP':
    case 'ENOSYS': return denied(`the file system of ${directory} takes no sockets`, 'choose a path on another one')
    case 'ENOSPC':
    case 'EDQUOT':
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: the file system of ${directory} is full (${code}): free some space or choose another path`,
        { cause, cure: 'path' })
    default:
      return new TunnelError(ErrorCode.SOCKET_FAILED,
        `${action}: ${code}: choose another path, and check this user's limits`, { cause, cure: 'path' })
  }
}

/** Why nothing can be made there, although ENOENT says only that something is missing. */
function missingDirectory (directory: string): string {
  const stat = lstatSync(directory, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink() === true) {
    return `${directory} is a symbolic link to ${readlinkSync(directory)}, which does not exist`
  }
  return stat === undefined
    ? `the directory ${directory} does not exist`
    : `the file system of ${directory} lets nobody make files`
}
