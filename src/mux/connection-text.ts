import { ErrorCode, TunnelError } from '../base/errors.js'
import type { ConnectionAddresses } from '../base/address.js'

/**
 * Payload of OPEN for a plugin that serves: where the client connected from and to, as in a line of the PROXY protocol,
 * version 1, without its first word and its end: `TCP4 192.0.2.1 192.0.2.9 56324 443`. Another first word is a later
 * format.
 */
export function encodeConnection (addresses: ConnectionAddresses): Uint8Array {
  const { family, remoteAddress, remotePort, localAddress, localPort } = addresses
  const format = family === 'IPv6' ? 'TCP6' : 'TCP4'
  return Buffer.from([format, remoteAddress, localAddress, remotePort, localPort].join(' '))
}

/** null: the host did not say, or in a format of a later version. Throws ERR_TUNNEL_PROTOCOL. */
export function decodeConnection (payload: Uint8Array): ConnectionAddresses | null {
  if (payload.length === 0) return null
  const words = Buffer.from(payload).toString('latin1').split(' ')
  const [format, remoteAddress = '', localAddress = '', remotePort = '', localPort = ''] = words
  if (format !== 'TCP4' && format !== 'TCP6') return null
  const isAddress = format === 'TCP4' ? isIPv4 : isIPv6
  const isSound = [remoteAddress, localAddress].every(isAddress) && [remotePort, localPort].every(isPort)
  if (words.length !== 5 || !isSound) {
    throw new TunnelError(ErrorCode.PROTOCOL, `Cannot read OPEN: behind ${format} must be two addresses and two ports`)
  }
  const family = format === 'TCP4' ? 'IPv4' : 'IPv6'
  return { family, remoteAddress, remotePort: Number(remotePort), localAddress, localPort: Number(localPort) }
}

function isIPv4 (text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256)
}

function isIPv6 (text: string): boolean {
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`)
}

function isPort (text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) < 65_536
}
