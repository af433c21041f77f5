import { randomInt } from 'node:crypto'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { networkInterfaces } from 'node:os'

type Callback = (error: Error | null, found: dns.LookupAddress[]) => void

interface Entry {
  readonly addresses: () => readonly string[]
  lookups: number
}

const names = new Map<string, Entry>()
const systemLookup = dns.lookup

/** Node's own `lookup()`, but for the names that tests have made. */
function lookup (host: string, options: dns.LookupAllOptions, callback: Callback): void {
  const entry = names.get(host)
  if (entry === undefined) return systemLookup(host, options, callback)
  entry.lookups++
  const addresses = entry.addresses()
  const error = addresses.length > 0
    ? null
    : Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' })
  setImmediate(callback, error, addresses.map((address) => ({ address, family: net.isIP(address) })))
}

/**
 * Addresses of this machine (all of 127.0.0.0/8 is, on Linux) that no other test has, so that a port of one
 * is free at the others.
 */
export function loopbacks (count: number): string[] {
  return Array.from({ length: count }, () => `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`)
}

/**
 * A host name of this process alone, fresh for every cache, with these addresses in this order (none: it is
 * not known).
 */
export function makeName (addresses: readonly string[] | (() => readonly string[])): {
  readonly host: string
  readonly lookups: number
} {
  const host = `host-${names.size}.test`
  const entry = { addresses: typeof addresses === 'function' ? addresses : () => addresses, lookups: 0 }
  names.set(host, entry)
  dns.lookup = lookup as typeof dns.lookup
  syncBuiltinESMExports()
  return {
    host,
    get lookups () {
      return entry.lookups
    }
  }
}

export function hasIPv6 (): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))
}
