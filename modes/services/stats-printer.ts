import { countersOf, type TunnelStats } from '../../src/tunnel/tunnel.js'
import { announce } from './service-output.js'

/**
 * Prints what a host or a plugin has counted so far every `intervalMs`, until the process ends; null: never. Counters
 * are sums over all links since it started.
 */
export function printStats (name: string, json: boolean, intervalMs: number | null, stats: () => TunnelStats): void {
  if (intervalMs === null) return
  setInterval(() => {
    const fields = statsFields(stats())
    const words = Object.entries(fields).filter(([, value]) => value !== null).map(([key, value]) => `${key}=${value}`)
    announce(json, { event: 'stats', name, ...fields }, `${name}: ${words.join(' ')}`)
  }, intervalMs).unref()
}

/** `tunnel_zero_copy_bytes_sent` and so on: the names that reports use. null: not known yet. */
export function statsFields (stats: TunnelStats): Record<string, number | null> {
  const { sockets, channels, clientsTurnedAway, roundTripNs, freeSlots } = stats
  const fields = { sockets, channels, clientsTurnedAway, roundTripNs, freeSlots, ...countersOf(stats) }
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      `tunnel_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      value
    ])
  )
}
