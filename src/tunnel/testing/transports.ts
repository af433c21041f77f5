import { createShmTransport, type ShmOptions } from '../../transport/shm/create-shm-transport.js'
import { streamTransport } from '../../transport/stream/stream-transport.js'
import type { TransportKind } from '../../transport/transport.js'

/** The transport, and for shared memory where that comes from. */
export type TransportName = 'stream' | ShmOptions['memory']

const hasMemfd = process.platform === 'linux'

/** What host and plugin may use when they run in one process, and when they do not. */
export const WITHIN_A_PROCESS: readonly TransportName[] = ['stream', 'shared-array-buffer']
export const BETWEEN_PROCESSES: readonly TransportName[] = hasMemfd ? ['stream', 'memfd'] : ['stream']
/** All that shared memory may come from. Both serve within one process, too. */
export const SHARED_MEMORY: ReadonlyArray<ShmOptions['memory']> = hasMemfd
  ? ['shared-array-buffer', 'memfd']
  : ['shared-array-buffer']

/** `options` are for shared memory. */
export function createTransport (name: TransportName, options: Omit<ShmOptions, 'memory'> = {}): TransportKind {
  return name === 'stream' ? streamTransport : createShmTransport({ ...options, memory: name })
}
