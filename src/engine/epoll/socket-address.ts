import { endianness } from 'node:os'
import type { ConnectionAddresses } from '../../base/address.js'
import { Linux, type SystemCalls } from '../../native/system-calls.js'
import { systemError } from './system-error.js'

/** A `struct sockaddr` as the kernel reads it. */
export interface SocketAddress {
  readonly family: number
  readonly bytes: Uint8Array
}

const EINVAL = 22
const SOCKADDR_IN_BYTES = 16
const SOCKADDR_IN6_BYTES = 28
const SOCKADDR_UN_BYTES = 110
const INET6_ADDRSTRLEN = 46
const LITTLE_ENDIAN = endianness() === 'LE'

/** `ip` is a literal, of IPv6 with or without a zone (`fe80::1%eth0`): ip(7), ipv6(7). */
export function inetAddress (system: SystemCalls, ip: string, port: number): SocketAddress {
  const isV6 = ip.includes(':')
  const family = isV6 ? Linux.AF_INET6 : Linux.AF_INET
  const bytes = new Uint8Array(isV6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES)
  const fields = new DataView(bytes.buffer)
  const [address = '', zone] = ip.split('%')
  fields.setUint16(0, family, LITTLE_ENDIAN)
  fields.setUint16(2, port)
  if (system.inet_pton(family, address, bytes.subarray(isV6 ? 8 : 4)) !== 1) throw systemError('inet_pton', EINVAL)
  if (zone !== undefined) {
    const index = /^\d+$/.test(zone) ? Number(zone) : system.if_nametoindex(zone)
    if (index === 0) throw systemError('if_nametoindex', system.errno())
    fields.setUint32(24, index, LITTLE_ENDIAN)
  }
  return { family, bytes }
}

/** unix(7). `path` has at most 107 bytes. */
export function pathAddress (path: string): SocketAddress {
  const bytes = new Uint8Array(SOCKADDR_UN_BYTES)
  new DataView(bytes.buffer).setUint16(0, Linux.AF_UNIX, LITTLE_ENDIAN)
  const { written } = new TextEncoder().encodeInto(path, bytes.subarray(2, SOCKADDR_UN_BYTES - 1))
  return { family: Linux.AF_UNIX, bytes: bytes.subarray(0, 2 + written + 1) }
}

/** The port that an IPv4 or IPv6 socket is bound to. */
export function boundPort (system: SystemCalls, fd: number): number {
  const bytes = new Uint8Array(SOCKADDR_IN6_BYTES)
  if (system.getsockname(fd, bytes, Int32Array.of(bytes.length)) < 0) throw systemError('getsockname', system.errno())
  return new DataView(bytes.buffer).getUint16(2)
}

/** Both ends of an IPv4 or IPv6 connection; null where there is none any more. */
export function connectionAddresses (system: SystemCalls, fd: number): ConnectionAddresses | null {
  const bytes = new Uint8Array(SOCKADDR_IN6_BYTES)
  const fields = new DataView(bytes.buffer)
  const text = Buffer.alloc(INET6_ADDRSTRLEN)
  const ends = []
  for (const end of ['getpeername', 'getsockname'] as const) {
    if (system[end](fd, bytes, Int32Array.of(bytes.length)) < 0) return null
    const family = fields.getUint16(0, LITTLE_ENDIAN)
    system.inet_ntop(family, bytes.subarray(family === Linux.AF_INET6 ? 8 : 4), text, text.length)
    ends.push({ family, address: text.toString('latin1', 0, text.indexOf(0)), port: fields.getUint16(2) })
  }
  const [remote, local] = ends as [End, End]
  return {
    family: remote.family === Linux.AF_INET6 ? 'IPv6' : 'IPv4',
    remoteAddress: remote.address,
    remotePort: remote.port,
    localAddress: local.address,
    localPort: local.port
  }
}

interface End {
  readonly family: number
  readonly address: string
  readonly port: number
}
