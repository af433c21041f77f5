import { contentSlice } from '../../base/content.js'
import type { Random } from '../../engine/testing/random.js'
import { FrameFlag, FrameType } from '../../frame/layout.js'
import type { Claim, Transport } from '../transport.js'
import { type Frame, Recorder } from './recorder.js'

/** One end of a link: sends as a session does, and notes what it sent. */
export class Side {
  readonly transport: Transport
  readonly recorder = new Recorder()
  readonly sent: Frame[] = []
  /** Calls of `claim()` that returned null. */
  refusals = 0
  #position = 0

  constructor (transport: Transport) {
    this.transport = transport
  }

  tryClaim (bytes: number, channelId = 1): Claim | null {
    const claim = this.transport.claim(bytes, channelId)
    if (claim === null) this.refusals++
    return claim
  }

  async claim (bytes: number, channelId = 1): Promise<Claim> {
    for (;;) {
      const claim = this.tryClaim(bytes, channelId)
      if (claim !== null) return claim
      const writable = this.recorder.untilWritableCall()
      this.transport.flush()
      await writable
    }
  }

  /**
   * Fills the first `bytes` bytes of a claim with what no other payload of this side has, and commits it. Returns a
   * copy.
   */
  fill (claim: Claim, bytes: number): Uint8Array {
    const payload = contentSlice(this.#position, bytes)
    this.#position += bytes
    claim.view.set(payload)
    this.transport.commit(claim, bytes)
    return payload
  }

  sendClaim (claim: Claim, payload: Uint8Array, channelId = 1, flags = 0): void {
    this.transport.sendData(claim, channelId, flags)
    this.sent.push({ type: FrameType.DATA, channelId, argument: 0, flags, payload })
  }

  /** Sends `bytes` bytes in as many frames as claims make of it, waiting whenever the link is full. */
  async sendData (bytes: number, channelId = 1, flags = 0): Promise<void> {
    for (let rest = bytes; rest > 0;) {
      const claim = await this.claim(rest, channelId)
      const payload = this.fill(claim, Math.min(rest, claim.view.length))
      rest -= payload.length
      await this.untilWritable()
      this.sendClaim(claim, payload, channelId, rest === 0 ? flags : 0)
    }
  }

  async untilWritable (): Promise<void> {
    while (!this.transport.writable) {
      const writable = this.recorder.untilWritableCall()
      this.transport.flush()
      await writable
    }
  }

  send (type: FrameType, channelId = 0, argument = 0, flags = 0, payload: Uint8Array = new Uint8Array(0)): void {
    this.transport.send(type, channelId, argument, flags, payload)
    this.sent.push({ type, channelId, argument, flags, payload: new Uint8Array(payload) })
  }

  /** `count` frames of all types and of any size up to `maxPayloadBytes`, flushed now and then, and at the end. */
  async sendTraffic (random: Random, count: number, maxPayloadBytes: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.sendAny(random, maxPayloadBytes)
      if (random.below(4) === 0) this.transport.flush()
      if (random.below(8) === 0) await turn()
    }
    this.transport.flush()
  }

  async sendAny (random: Random, maxPayloadBytes: number): Promise<void> {
    const channelId = 1 + random.below(0xFFFF_FFFF)
    switch (random.below(10)) {
      case 0:
        return this.send(FrameType.OPEN, channelId)
      case 1:
        return this.send(FrameType.CREDIT, channelId, 1 + random.below(0xffff_ffff))
      case 2:
        return this.send(FrameType.PING, 0, random.below(0xffff_ffff))
      case 3:
        return this.send(FrameType.DATA, channelId, 0, FrameFlag.EOS)
      case 4:
        return this.send(FrameType.GOAWAY, 0, 5, 0, contentSlice(0, random.below(513)))
      default:
        return await this.sendData(
          1 + random.below([16, 4096, 4097, maxPayloadBytes][random.below(4)]!),
          channelId,
          random.below(2)
        )
    }
  }
}

/** One turn of the loop. */
export function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
