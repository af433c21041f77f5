import type { Address } from '../../base/address.js'
import type { Engine, Socket } from '../../engine/engine.js'
import { ShmSide } from '../../shm/endpoint.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import { checkSegmentSizes, type SegmentSizes, segmentSizes } from '../../shm/segment-sizes.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import type { TransportKind } from '../transport.js'
import type { ShmParts } from './shm-handshake.js'
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
  const parts = { memory, sizes: checkSegmentSizes(segmentSizes(sizes)), poison: poison ?? null }
  return {
    kind: 'shm',
    check () { memory.check() },
    accept: (engine, socket) => acceptShm(engine, socket, parts),
    connect: (engine, address, timeoutMs) => connectShm(engine, address, timeoutMs, parts)
  }
}

/** See `TransportKind.accept()`. This side makes the segment. */
export function acceptShm (engine: Engine, socket: Socket, parts: ShmParts): ShmTransport {
  return new ShmTransport(engine, ShmSide.HOST, parts, (reader) => {
    socket.start(reader)
    return socket
  })
}

/** See `TransportKind.connect()`. */
export function connectShm (engine: Engine, address: Address, timeoutMs: number, parts: ShmParts): ShmTransport {
  return new ShmTransport(engine, ShmSide.PLUGIN, parts, (reader) => engine.connect(address, reader, { timeoutMs }))
}
