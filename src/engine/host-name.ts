import { lookup } from 'node:dns'
import net from 'node:net'

/** How long addresses are taken as they are. */
const FRESH_MS = 5_000
/** And how long while they are being looked up again. */
const USABLE_MS = 30_000
const MAX_NAMES = 64

type Found = (error: Error | null, addresses: readonly string[]) => void

interface Name {
  addresses: readonly string[]
  foundAtMs: number
  /** Callbacks that wait for the lookup under way; null: none is. */
  waiting: Found[] | null
  /** The address that took the last connection. */
  working: string | null
}

const names = new Map<string, Name>()

/**
 * Calls `found` with all addresses of `host` in the order in which to try them: the one that worked last, then the
 * system's order with families in
 * turn (RFC 8305, section 4). A literal is its own address. May call before it returns. Every name has one lookup
 * under way at most, and none while
 * its addresses are fresh; errors are not kept.
 */
export function addressesOf (host: string, found: Found): void {
  if (net.isIP(host) !== 0) return found(null, [host])
  const name = nameOf(host)
  const ageMs = performance.now() - name.foundAtMs
  if (ageMs < USABLE_MS) {
    if (ageMs >= FRESH_MS && name.waiting === null) refresh(host, name)
    return found(null, workingFirst(name))
  }
  if (name.waiting === null) refresh(host, name)
  name.waiting!.push(found)
}

/** As `addressesOf()`, for those who can wait. */
export async function findAddresses (host: string): Promise<readonly string[]> {
  return await new Promise((resolve, reject) => {
    addressesOf(host, (error, addresses) => { if (error === null) resolve(addresses); else reject(error) })
  })
}

/** `address` of `host` took a connection: it is tried first from now on. */
export function noteWorking (host: string, address: string): void {
  const name = names.get(host)
  if (name !== undefined) name.working = address
}

/**
 * How long a connection attempt may take while other addresses are left to try: a part of its whole time
 * limit (0: none).
 */
export function attemptMsOf (timeoutMs: number): number {
  return timeoutMs > 0 ? Math.ceil(timeoutMs / 4) : 5_000
}

function nameOf (host: string): Name {
  let name = names.get(host)
  if (name === undefined) {
    for (const [oldest, { waiting }] of names) if (names.size >= MAX_NAMES && waiting === null) names.delete(oldest)
    names.set(host, name = { addresses: [], foundAtMs: -Infinity, waiting: null, working: null })
  }
  return name
}

function refresh (host: string, name: Name): void {
  name.waiting = []
  lookup(host, { all: true }, (error, found) => {
    const waiting = name.waiting!
    name.waiting = null
    if (error === null) {
      name.addresses = familiesInTurn(found.map(({ address }) => address))
      name.foundAtMs = performance.now()
    }
    for (const each of waiting) each(error, error === null ? workingFirst(name) : [])
  })
}

function workingFirst ({ addresses, working }: Name): readonly string[] {
  return working !== null && addresses.includes(working)
    ? [working, ...addresses.filter((address) => address !== working)]
    : addresses
}

function familiesInTurn (addresses: readonly string[]): string[] {
  const family = (address: string): number => net.isIP(address)
  const first = addresses.filter((address) => family(address) === family(addresses[0]!))
  const other = addresses.filter((address) => family(address) !== family(addresses[0]!))
  return Array.from({ length: Math.max(first.length, other.length) },
    (_, at) => [first[at], other[at]]).flat().filter((address) => address !== undefined)
}
