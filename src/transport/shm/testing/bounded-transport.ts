import type { TunnelError } from '../../../base/errors.js'
import { ShmSide } from '../../../shm/endpoint.js'
import type { Segment } from '../../../shm/segment-memory.js'
import type { Claim, Transport, TransportHandler } from '../../transport.js'

/**
 * A transport over shared memory that looks at every piece of memory it hands out: a payload lies in one slot of the
 * peer's pool or in private memory or in the constants, a claim in one slot of this side's pool or in private memory.
 * Calls `onFlush` right after each flush, before the peer can have looked.
 */
export class BoundedTransport implements Transport {
  readonly violations: string[] = []
  onFlush: () => void = () => {}
  readonly #inner: Transport
  readonly #side: ShmSide
  readonly #segment: () => Segment
  readonly #held = new Set<number>()

  constructor (inner: Transport, side: ShmSide, segment: () => Segment) {
    this.#inner = inner
    this.#side = side
    this.#segment = segment
  }

  get kind (): string { return this.#inner.kind }
  get counters (): Transport['counters'] { return this.#inner.counters }
  get constants (): Transport['constants'] { return this.#inner.constants }
  get room (): number { return this.#inner.room }
  get writable (): boolean { return this.#inner.writable }
  get isAttached (): boolean { return this.#inner.isAttached ?? true }

  start (handler: TransportHandler): void {
    this.#inner.start({
      onFrame: (header, payload, release) => {
        if (payload.length !== header.payloadBytes) {
          this.violations.push(`a payload of ${payload.length} bytes whose header says ${header.payloadBytes}`)
        }
        // Nothing but the handshake comes before there is a segment.
        const slot = payload.length > 0 ? this.#check('payload', payload, 1 - this.#side as ShmSide) : null
        if (slot === null) return handler.onFrame(header, payload, release)
        if (this.#held.has(slot)) this.violations.push(`slot ${slot} was handed out again before its release`)
        this.#held.add(slot)
        handler.onFrame(header, payload, () => {
          this.#held.delete(slot)
          release()
        })
      },
      onWritable: () => { handler.onWritable() },
      onBroken: (error) => { handler.onBroken!(error) },
      onAttached: () => { handler.onAttached?.() },
      onClose: (error) => { handler.onClose(error) }
    })
  }

  claim (bytes: number, channelId: number): Claim | null {
    const claim = this.#inner.claim(bytes, channelId)
    if (claim !== null) {
      if (claim.view.length < 1 || claim.view.length > bytes) {
        this.violations.push(`a claim of ${claim.view.length} bytes for ${bytes}`)
      }
      this.#check('claim', claim.view, this.#side)
    }
    return claim
  }

  flush (): void {
    this.#inner.flush()
    this.onFlush()
  }

  canClaim (bytes: number, channelId: number): boolean { return this.#inner.canClaim(bytes, channelId) }
  commit (claim: Claim, bytes: number, copied?: boolean): void { this.#inner.commit(claim, bytes, copied) }
  abandon (claim: Claim): void { this.#inner.abandon(claim) }
  sendData (claim: Claim, channelId: number, flags: number): void { this.#inner.sendData(claim, channelId, flags) }
  send (...frame: Parameters<Transport['send']>): void { this.#inner.send(...frame) }
  setMaxPayloadBytes (bytes: number): void { this.#inner.setMaxPayloadBytes(bytes) }
  offer (request: Uint8Array | null): Uint8Array { return this.#inner.offer(request) }
  attach (ticket: Uint8Array): void { this.#inner.attach(ticket) }
  close (): void { this.#inner.close() }
  abort (error: TunnelError): void { this.#inner.abort(error) }

  /** Returns the slot that `view` lies in; null: private memory. */
  #check (what: string, view: Uint8Array, filledBy: ShmSide): number | null {
    let segment
    try {
      segment = this.#segment()
    } catch {
      return null
    }
    const { buffer, layout: { sizes: { slots, slotBytes, inlineBytes, constantBytes }, directions } } = segment
    if (view.buffer !== buffer) {
      if (view.length > Math.max(inlineBytes, 1024)) {
        this.violations.push(`a ${what} of ${view.length} bytes in private memory`)
      }
      return null
    }
    const { constants } = directions[filledBy]
    if (view.byteOffset >= constants && view.byteOffset + view.length <= constants + constantBytes) return null
    const offset = view.byteOffset - directions[filledBy].slots
    const slot = offset / slotBytes
    if (!Number.isInteger(slot) || slot < 0 || slot >= slots || view.length > slotBytes) {
      this.violations.push(
        `a ${what} of ${view.length} bytes at ${view.byteOffset}, which is no slot of direction ${filledBy}`
      )
    }
    return slot
  }
}
