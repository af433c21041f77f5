import { memfdMemory } from '../../shm/memfd-memory.js'
import { checkSegmentSizes, type SegmentSizes, segmentSizes } from '../../shm/segment-sizes.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import type { TransportKind } from '../transport.js'
import { ShmTransport } from './shm-transport.js'

export interface ShmOptions {
  /**
   * `shared-array-buffer`: host and plugin are threads of one process. `memfd`: processes of one user on one Linux
   * machine; needs koffi.
   */
  readonly memory: 'shared-array-buffer' | 'memfd'
  /** The host's say; the plugin is told. Defaults: see `SegmentSizes`. */
  readonly sizes?: Partial<SegmentSizes>
  /** For tests: slots that are given back are filled with this byte. */
  readonly poison?: number
}

/** Throws ERR_TUNNEL_USAGE for sizes that break a rule. */
export function createShmTransport ({ memory: kind, sizes, poison }: ShmOptions): TransportKind {
  const memory = kind === 'memfd' ? memfdMemory() : sharedArrayMemory()
  const checked = checkSegmentSizes(segmentSizes(sizes))
  return {
    kind: 'shm',
    check () {
      memory.check()
    },
    accept: (engine, socket) => ShmTransport.accept(engine, socket, { memory, sizes: checked, poison: poison ?? null }),
    connect: (engine, address, timeoutMs) =>
      ShmTransport.connect(engine, address, timeoutMs, { memory, sizes: checked, poison: poison ?? null })
  }
}
