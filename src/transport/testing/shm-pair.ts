import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unixAddress } from '../../base/address.js'
import type { Engine } from '../../engine/engine.js'
import { deferred } from '../../engine/testing/rig.js'
import { HEADER_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import { DescriptorOffset, INLINE_PAYLOAD } from '../../shm/layout.js'
import type { Segment, SegmentMemory } from '../../shm/segment-memory.js'
import { type SegmentSizes, segmentSizes } from '../../shm/segment-sizes.js'
import { acceptShm, connectShm } from '../shm/create-shm-transport.js'
import type { ShmTransport } from '../shm/shm-transport.js'
import { garbageBytes } from './garbage.js'
import type { PairOptions, SideName, TransportPair } from './harness.js'
import { other } from './link.js'
import { RiggedEngine, type RiggedSocket } from './rigged-engine.js'

export interface ShmPair extends TransportPair {
  readonly a: ShmTransport
  readonly b: ShmTransport
  readonly sockets: { readonly a: RiggedSocket, readonly b: RiggedSocket }
  /** Of the host. */
  readonly segment: Segment
}

export interface ShmPairOptions extends PairOptions {
  readonly memory: SegmentMemory
  readonly sizes?: Partial<SegmentSizes>
  readonly poison?: number
}

const SIDE_OF = { a: ShmSide.PLUGIN, b: ShmSide.HOST } as const

/** Two attached shm transports: `a` connected (the plugin), `b` accepted (the host, which made the segment). */
export async function makeShmPair (
  createEngine: () => Engine,
  { memory, sizes, poison, pieceBytes }: ShmPairOptions
): Promise<ShmPair> {
  const engine = new RiggedEngine(createEngine(), pieceBytes)
  let segment!: Segment
  const watched: SegmentMemory = {
    kind: memory.kind,
    check () {
      memory.check()
    },
    request: () => memory.request(),
    offer: (request, chosen) => {
      const offer = memory.offer(request, chosen)
      segment = offer.segment
      return offer
    }
  }
  const parts = { memory: watched, sizes: segmentSizes(sizes), poison: poison ?? null }
  const directory = mkdtempSync(join(tmpdir(), 'shm-'))
  const accepted = deferred<ShmTransport>()
  const listener = await engine.listen(unixAddress(join(directory, 's')), (socket) => {
    accepted.resolve(acceptShm(engine, socket, parts))
  })
  const a = connectShm(engine, listener.address, 0, parts)
  const b = await accepted.promise
  a.attach(b.offer(a.offer(null)))
  const [connecting, accepting] = engine.sockets
  const sockets = { a: connecting!, b: accepting! }
  const transports = { a, b }
  return {
    a,
    b,
    sockets,
    segment,
    kill (side) {
      sockets[side].socket.abort()
    },
    sendGarbage (to, garbage) {
      writeDescriptor(segment, SIDE_OF[other(to)], garbageBytes(garbage).subarray(0, HEADER_BYTES))
      sockets[other(to)].inject(Uint8Array.of(1))
    },
    stopReading (side) {
      transports[side].paused = true
    },
    resumeReading (side: SideName) {
      transports[side].resume()
    },
    async free () {
      await listener.close()
      rmSync(directory, { recursive: true })
    }
  }
}

/** Publishes a descriptor with any header, behind the back of the side that owns the ring. */
export function writeDescriptor (
  { buffer, layout }: Segment,
  side: ShmSide,
  header: Uint8Array,
  slot = INLINE_PAYLOAD
): void {
  const words = new Int32Array(buffer)
  const { writePosition, ring } = layout.directions[side]
  const position = Atomics.load(words, writePosition >> 2)
  const offset = ring + (position & (layout.sizes.ringEntries - 1)) * layout.descriptorBytes
  new Uint8Array(buffer).set(header, offset)
  words[(offset + DescriptorOffset.SLOT) >> 2] = slot
  Atomics.store(words, writePosition >> 2, (position + 1) | 0)
}
