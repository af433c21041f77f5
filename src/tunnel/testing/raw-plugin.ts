import type { Engine } from '../../engine/engine.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import { decodeHello, encodeHello, Role } from '../../mux/hello.js'
import { ShmSide } from '../../shm/endpoint.js'
import type { Segment, SegmentMemory } from '../../shm/segment-memory.js'
import { segmentSizes } from '../../shm/segment-sizes.js'
import { memfdMemory } from '../../shm/memfd-memory.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { connectShm } from '../../transport/shm/create-shm-transport.js'
import { StreamTransport } from '../../transport/stream/stream-transport.js'
import { RiggedEngine } from '../../transport/testing/rigged-engine.js'
import { writeDescriptor } from '../../transport/testing/shm-pair.js'
import type { Transport } from '../../transport/transport.js'
import type { Address } from '../../base/address.js'
import { until } from './rig.js'
import type { TransportName } from './transports.js'

const LIMITS = { maxPayloadBytes: 65_536, windowBytes: 524_288, maxChannels: 16 }

/** A plugin without a session: it shakes hands as it should, and then sends whatever it is told to. */
export class RawPlugin {
  readonly transport: Transport
  /** What the host said in its GOAWAY. */
  goAway: { readonly reason: number, readonly text: string } | null = null
  /** The channel opened last. */
  channelId = 0
  closed = false
  #isAttached = false
  #segment: Segment | null = null
  readonly #engine: RiggedEngine

  constructor (engine: Engine, address: Address, name: TransportName) {
    this.#engine = new RiggedEngine(engine)
    this.transport =
      name === 'stream'
        ? StreamTransport.connect(this.#engine, address, 0)
        : connectShm(this.#engine, address, 0, {
          memory: this.#watch(name === 'memfd' ? memfdMemory() : sharedArrayMemory()),
          sizes: segmentSizes(),
          poison: null
        })
    this.transport.start({
      onFrame: ({ type, channelId, argument }, payload, release) => {
        const bytes = Uint8Array.from(payload)
        release()
        if (type === FrameType.HELLO) {
          this.transport.attach(decodeHello(bytes, { role: Role.HOST, transport: this.transport.kind }).attachment)
          this.transport.setMaxPayloadBytes(LIMITS.maxPayloadBytes)
          this.#isAttached = true
        } else if (type === FrameType.GOAWAY) {
          this.goAway = { reason: argument, text: Buffer.from(bytes).toString() }
        } else if (type === FrameType.OPEN) {
          this.channelId = channelId
        }
      },
      onWritable: () => {},
      onClose: () => { this.closed = true }
    })
    const attachment = this.transport.offer(null)
    this.send(
      FrameType.HELLO,
      0,
      0,
      encodeHello({ ...LIMITS, role: Role.PLUGIN, transport: this.transport.kind, attachment })
    )
  }

  async attached (): Promise<void> {
    await until(() => this.#isAttached)
  }

  send (type: FrameType, channelId: number, argument = 0, payload?: Uint8Array): void {
    this.transport.send(type, channelId, argument, 0, payload)
    this.transport.flush()
  }

  /**
   * A header as no honest program makes it, by whatever way frames take. `slot`: of shared memory, where it is in one.
   */
  sendHeader (type: number, channelId: number, payloadBytes: number, flags = 0, slot?: number): void {
    const header = new Uint8Array(HEADER_BYTES)
    encodeHeader(header, 0, { type: type as FrameType, channelId, payloadBytes, flags, argument: 0 })
    if (this.#segment === null) return this.inject(header)
    writeDescriptor(this.#segment, ShmSide.PLUGIN, header, slot)
    this.inject(Uint8Array.of(1))
  }

  /** Bytes on the socket. */
  inject (bytes: Uint8Array): void {
    this.#engine.sockets[0]!.inject(bytes)
  }

  get segment (): Segment { return this.#segment! }

  #watch (memory: SegmentMemory): SegmentMemory {
    return {
      ...memory,
      request: () => {
        const request = memory.request()
        return {
          ...request,
          attach: (ticket) => {
            this.#segment = request.attach(ticket)
            return this.#segment
          }
        }
      }
    }
  }
}
