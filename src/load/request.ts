import { formatAddress, type Address } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'

/** The bytes of one GET request, the same for every connection. `path` is the request target, in origin form. */
export function requestBytes (target: Address, path: string): Buffer {
  // Whatever could end the request line would smuggle fields in.
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new TunnelError(ErrorCode.USAGE, `Cannot request path ${JSON.stringify(path)}: it must begin with / and hold visible ASCII characters only: percent-encode the others`)
  }
  const host = target.kind === 'tcp' ? formatAddress(target) : 'localhost'
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1')
}
