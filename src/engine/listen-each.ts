import { tcpAddress, type Address } from '../base/address.js'
import { findAddresses } from './host-name.js'
import { systemCode } from './socket-errors.js'

/** How often another port is taken when the system's choice for one address is not free at the next. */
const PORT_TRIES = 5

/** A port that listens at one address. */
export interface Opened {
  readonly port: number
  readonly close: () => void
}

/** All addresses of one name. */
export interface OpenedEach {
  readonly addresses: readonly Address[]
  readonly close: () => void
}

/**
 * Listens on every address of `host`, at one port: `localhost` is reached over IPv4 and IPv6. Of several addresses
 * those that this machine
 * does not have are left out. Rejects with what `open` or the lookup rejected with; nothing listens then.
 */
export async function listenEach (
  host: string,
  port: number,
  open: (ip: string, port: number) => Promise<Opened>
): Promise<OpenedEach> {
  const ips = await findAddresses(host)
  for (let tries = 1; ; tries++) {
    const opened: Array<Opened & { ip: string }> = []
    const close = (): void => {
      for (const one of opened) one.close()
    }
    let missing: unknown
    try {
      for (const ip of ips) {
        try {
          opened.push({ ip, ...(await open(ip, opened[0]?.port ?? port)) })
        } catch (error) {
          if (!isMissing(error)) throw error
          missing = error
        }
      }
      if (opened.length === 0) throw missing
      return { addresses: opened.map(({ ip, port }) => tcpAddress(ip, port)), close }
    } catch (error) {
      const isBadLuck = port === 0 && opened.length > 0 && systemCode(error) === 'EADDRINUSE'
      close()
      if (!isBadLuck || tries === PORT_TRIES) throw error
    }
  }
}

/** This machine has no such address, or no such family. */
function isMissing (error: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(systemCode(error))
}
