import { readFileSync } from 'node:fs'
import type net from 'node:net'
import { nowNs } from '../../base/clock.js'

/** Many connections that end together ask together. */
const KEPT_NS = 1e6
/** A line of /proc/net/tcp (proc(5)): number, local and remote address, state, bytes that are not acknowledged. */
const LINE = /^ *\d+: \w+:(\w{4}) \w+:(\w{4}) \w\w (\w{8}):/gm

let readAtNs = -Infinity
let table: Map<number, number> | null = null

/**
 * How many bytes of a TCP connection the other side's kernel has not acknowledged. Node has no call for it, Linux
 * has a file. null: this system has no such file.
 */
export function unackedBytes ({ localPort, remotePort }: net.Socket): number | null {
  // Without a peer there is nobody to acknowledge anything.
  if (localPort === undefined || remotePort === undefined) return 0
  const now = nowNs()
  if (now - readAtNs >= KEPT_NS) {
    table = readTable()
    readAtNs = now
  }
  return table === null ? null : table.get(keyOf(localPort, remotePort)) ?? 0
}

function readTable (): Map<number, number> | null {
  const bytes = new Map<number, number>()
  let isKnown = false
  for (const name of ['tcp', 'tcp6']) {
    let text
    try {
      text = readFileSync(`/proc/net/${name}`, 'latin1')
    } catch {
      continue
    }
    isKnown = true
    for (const [, local, remote, unacked] of text.matchAll(LINE)) {
      const key = keyOf(parseInt(local!, 16), parseInt(remote!, 16))
      // Two connections may share both ports, on other addresses.
      bytes.set(key, Math.max(bytes.get(key) ?? 0, parseInt(unacked!, 16)))
    }
  }
  return isKnown ? bytes : null
}

function keyOf (localPort: number, remotePort: number): number {
  return localPort * 65_536 + remotePort
}
