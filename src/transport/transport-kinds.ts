import type { SegmentSizes } from '../shm/segment-sizes.js'
import { createShmTransport } from './shm/create-shm-transport.js'
import { streamTransport } from './stream/stream-transport.js'
import type { TransportKind } from './transport.js'

/** Names of the transports that programs offer. */
export const TRANSPORTS = ['stream', 'shm'] as const
export type TransportName = typeof TRANSPORTS[number]

/** Which transport a host and its plugin use: plain data that crosses threads and processes. */
export type TransportChoice =
  | { readonly kind: 'stream' }
  | {
    readonly kind: 'shm'
    /**
     * `shared-array-buffer`: host and plugin are threads of one process. `memfd`: they may be any two processes of one
     * Linux system.
     */
    readonly memory: 'shared-array-buffer' | 'memfd'
    /** The host's: it makes the segment, and tells the plugin how large it is. Those of a plugin are not used. */
    readonly sizes: SegmentSizes
  }

/**
 * Throws ERR_TUNNEL_USAGE for sizes that break a rule. Whether this system can have the transport is told by `check()`.
 */
export function transportKindOf (choice: TransportChoice): TransportKind {
  return choice.kind === 'stream' ? streamTransport : createShmTransport({ memory: choice.memory, sizes: choice.sizes })
}
