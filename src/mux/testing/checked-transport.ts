import type { TunnelError } from '../../base/errors.js'
import type { FrameHeader } from '../../frame/header.js'
import { FrameType } from '../../frame/layout.js'
import type { Claim, Constants, Transport, TransportHandler } from '../../transport/transport.js'

/**
 * A transport that holds its user to the contract of `Transport`: every claim ends once, every payload is released
 * once, and no released memory is looked at (it is overwritten). Remembers every frame that passes.
 */
export class CheckedTransport implements Transport {
  readonly sent: FrameHeader[] = []
  readonly received: FrameHeader[] = []
  readonly #inner: Transport
  readonly #claims = new Map<Claim, 'claimed' | 'committed'>()
  readonly #violations: string[] = []
  #unreleased = 0
  #closes = 0

  constructor (inner: Transport) {
    this.#inner = inner
  }

  get kind (): string { return this.#inner.kind }
  get counters (): Transport['counters'] { return this.#inner.counters }
  get room (): number { return this.#inner.room }
  get writable (): boolean { return this.#inner.writable }
  get isAttached (): boolean { return this.#inner.isAttached ?? true }

  /** What was done wrong or not done, once the link is closed. */
  get problems (): string[] {
    const problems = [...this.#violations]
    if (this.#claims.size > 0) problems.push(`${this.#claims.size} claims never ended`)
    if (this.#unreleased > 0) problems.push(`${this.#unreleased} payloads were never released`)
    if (this.#closes !== 1) problems.push(`onClose() was called ${this.#closes} times`)
    return problems
  }

  start (handler: TransportHandler): void {
    this.#inner.start({
      onFrame: (header, payload, release) => {
        this.#check(this.#closes === 0, 'a frame came after onClose()')
        this.received.push({ ...header })
        this.#unreleased++
        let released = false
        handler.onFrame(header, payload, () => {
          this.#check(!released, `a payload of ${payload.length} bytes was released twice`)
          if (released) return
          released = true
          this.#unreleased--
          payload.fill(0xdd)
          release()
        })
      },
      onWritable: () => { handler.onWritable() },
      onBroken: (error) => { handler.onBroken!(error) },
      onAttached: () => { handler.onAttached?.() },
      onClose: (error) => {
        this.#closes++
        handler.onClose(error)
      }
    })
  }

  claim (bytes: number, channelId: number): Claim | null {
    this.#check(bytes >= 1, `claim(${bytes})`)
    const claim = this.#inner.claim(bytes, channelId)
    if (claim !== null) this.#claims.set(claim, 'claimed')
    return claim
  }

  canClaim (bytes: number, channelId: number): boolean { return this.#inner.canClaim(bytes, channelId) }

  commit (claim: Claim, bytes: number, copied?: boolean): void {
    this.#check(this.#claims.get(claim) === 'claimed', 'commit() of what is not claimed')
    this.#check(bytes >= 1 && bytes <= claim.view.length, `commit(${bytes}) of ${claim.view.length} bytes`)
    this.#claims.set(claim, 'committed')
    this.#inner.commit(claim, bytes, copied)
  }

  get constants (): Constants {
    const inner = this.#inner.constants
    return {
      maxClaimBytes: inner.maxClaimBytes,
      publish: (bytes) => inner.publish(bytes),
      tryRewrite: (constant, bytes) => inner.tryRewrite(constant, bytes),
      claim: (constant, offset, bytes) => {
        this.#check(
          offset >= 0 && bytes >= 1 && offset + bytes <= constant.bytes,
          `a claim of ${bytes} bytes at ${offset} of ${constant.bytes}`
        )
        const claim = inner.claim(constant, offset, bytes)
        this.#claims.set(claim, 'committed')
        return claim
      }
    }
  }

  abandon (claim: Claim): void {
    this.#check(this.#claims.delete(claim), 'abandon() of a claim that has ended')
    this.#inner.abandon(claim)
  }

  sendData (claim: Claim, channelId: number, flags: number): void {
    this.#check(this.#claims.get(claim) === 'committed', 'sendData() of what is not committed')
    this.#check(this.#inner.writable, 'sendData() while not writable')
    this.#claims.delete(claim)
    this.sent.push({ type: FrameType.DATA, channelId, payloadBytes: claim.committedBytes, flags, argument: 0 })
    this.#inner.sendData(claim, channelId, flags)
  }

  send (type: FrameType, channelId: number, argument: number, flags = 0, payload = new Uint8Array(0)): void {
    this.sent.push({ type, channelId, payloadBytes: payload.length, flags, argument })
    this.#inner.send(type, channelId, argument, flags, payload)
  }

  offer (request: Uint8Array | null): Uint8Array { return this.#inner.offer(request) }
  attach (ticket: Uint8Array): void { this.#inner.attach(ticket) }
  flush (): void { this.#inner.flush() }
  setMaxPayloadBytes (bytes: number): void { this.#inner.setMaxPayloadBytes(bytes) }
  close (): void { this.#inner.close() }
  abort (error: TunnelError): void { this.#inner.abort(error) }

  #check (holds: boolean, violation: string): void {
    if (!holds) this.#violations.push(violation)
  }
}
