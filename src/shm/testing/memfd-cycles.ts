import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { memfdMemory } from '../memfd-memory.js'
import type { SegmentSizes } from '../segment-sizes.js'

/**
 * Makes, attaches, fills and frees as many segments of 16 MiB as told, with --expose-gc, and sends what the process
 * held.
 */
const SIZES: SegmentSizes = { slotBytes: 65_536, slots: 127, ringEntries: 64, inlineBytes: 512, constantBytes: 4096 }
const cycles = Number(process.argv[2])
const memory = memfdMemory()

export interface Held {
  readonly residentBytes: number
  readonly addressBytes: number
  /** Lines of /proc/self/maps. */
  readonly mappings: number
}

function held (): Held {
  const [addressPages, residentPages] = readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number)
  return {
    residentBytes: residentPages! * 4096,
    addressBytes: addressPages! * 4096,
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length
  }
}

function cycle (): void {
  const request = memory.request()
  const { segment, ticket, settle } = memory.offer(request.bytes, SIZES)
  const plugin = request.attach(ticket)
  settle()
  for (const { buffer } of [plugin, segment]) touch(new Uint8Array(buffer))
  plugin.free()
  segment.free()
}

/** Every page, so that it counts as resident. */
function touch (bytes: Uint8Array): void {
  for (let at = 128; at < bytes.length; at += 4096) bytes[at] = 1
}

/** Finalizers run in a turn of their own after a collection. */
async function collect (): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await turn()
  }
}

cycle()
await collect()
const before = held()
let peakResidentBytes = 0
for (let i = 0; i < cycles; i++) {
  cycle()
  if (i % 20 === 0) await collect()
  peakResidentBytes = Math.max(peakResidentBytes, held().residentBytes)
}
await collect()
process.send!({ before, after: held(), peakResidentBytes })
