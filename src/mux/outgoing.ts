import { throwLater } from '../base/errors.js'
import { FrameFlag, FrameType, HEADER_BYTES, type Reason } from '../frame/layout.js'
import type { Claim, Constant, Transport } from '../transport/transport.js'
import type { Channel, ChannelLink } from './channel.js'
import type { Hello } from './hello.js'
import { MemoryQueue } from './memory-queue.js'
import { Scheduler } from './scheduler.js'
import type { SessionCounters } from './session-handler.js'

/**
 * What a link sends of its channels: memory for it in the order of asking, frames in fair order, and all of a turn of
 * the loop together.
 */
export class Outgoing implements ChannelLink {
  maxPayloadBytes = 0
  confirmsLastBytes = false
  /** What the peer grants each new channel. */
  sendWindowBytes = 0
  readonly #transport: Transport
  readonly #counters: SessionCounters
  readonly #onChannelClosed: (channel: Channel, reason: Reason | null) => void
  readonly #atTurnEnd: (task: () => void) => void
  readonly #scheduler = new Scheduler<Channel>()
  readonly #memoryQueue: MemoryQueue<Channel>
  #pumpDue = false
  #wakeDue = false
  #stopped = false

  constructor (
    transport: Transport,
    counters: SessionCounters,
    atTurnEnd: (task: () => void) => void,
    onChannelClosed: (channel: Channel, reason: Reason | null) => void
  ) {
    this.#transport = transport
    this.#counters = counters
    this.#atTurnEnd = atTurnEnd
    this.#onChannelClosed = onChannelClosed
    this.#memoryQueue = new MemoryQueue(
      (channel, bytes) => transport.canClaim(bytes, channel.id),
      () => transport.room,
      () => {
        this.#wake()
      }
    )
  }

  /** The peer's HELLO: how much it takes. */
  setLimits ({ maxPayloadBytes, windowBytes, serves }: Hello): void {
    this.maxPayloadBytes = maxPayloadBytes
    this.sendWindowBytes = windowBytes
    this.confirmsLastBytes = serves
    this.#scheduler.quantumBytes = HEADER_BYTES + maxPayloadBytes
  }

  /** Any frame but one with a channel's data. */
  send (type: FrameType, channelId: number, argument: number, payload?: Uint8Array): void {
    if (this.#stopped) return
    this.#transport.send(type, channelId, argument, 0, payload)
    this.schedulePump()
  }

  sendHello (payload: Uint8Array): void {
    this.send(FrameType.HELLO, 0, 0, payload)
  }

  sendReject (channelId: number, reason: Reason): void {
    this.#counters.channelsRejected++
    this.send(FrameType.REJECT, channelId, reason)
  }

  // --- For channels

  get maxConstantBytes (): number {
    return Math.max(this.maxPayloadBytes, this.#transport.constants.maxClaimBytes)
  }

  /** null: no memory; the channel is told when there is some again. */
  tryClaim (channel: Channel, bytes: number): Claim | null {
    const claim = this.#transport.claim(bytes, channel.id)
    if (claim === null) {
      if (this.#memoryQueue.handleRefusal(channel, bytes)) this.#counters.parkedReads++
    } else this.#memoryQueue.remove(channel)
    return claim
  }

  commit (claim: Claim, bytes: number, copied: boolean): void {
    this.#transport.commit(claim, bytes, copied)
  }

  claimConstant (constant: Constant, offset: number, bytes: number): Claim {
    return this.#transport.constants.claim(constant, offset, bytes)
  }

  abandon (claim: Claim): void {
    this.#transport.abandon(claim)
  }

  onFrames (channel: Channel): void {
    this.#scheduler.activate(channel)
    this.schedulePump()
  }

  sendCredit (channel: Channel, bytes: number): void {
    this.#counters.creditFramesSent++
    this.send(FrameType.CREDIT, channel.id, bytes)
  }

  onCreditStall (): void {
    this.#counters.creditStalls++
  }

  onGathered (channel: Channel): void {
    this.#atTurnEnd(() => { channel.deliverGathered() })
  }

  onClosed (channel: Channel, reason: Reason | null): void {
    this.#memoryQueue.remove(channel)
    this.#onChannelClosed(channel, reason)
  }

  // --- Turns

  /** Something is to leave at the end of this turn. */
  schedulePump (): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    this.#atTurnEnd(this.#pump)
  }

  /** The transport takes more, or has memory again. */
  scheduleWake (): void {
    if (this.#wakeDue) return
    this.#wakeDue = true
    this.#atTurnEnd(this.#wake)
  }

  /** Nothing leaves any more. */
  stop (): void {
    this.#stopped = true
    this.#memoryQueue.stop()
  }

  /** Hands frames to the link in fair order while it takes them, then lets them leave together. */
  readonly #pump = (): void => {
    this.#pumpDue = false
    if (this.#stopped) return
    const transport = this.#transport
    while (transport.writable) {
      const channel = this.#scheduler.next()
      if (channel === null) break
      const { claim, end } = channel.takeFrame()
      const flags = end ? FrameFlag.EOS : 0
      this.#scheduler.charge(channel, HEADER_BYTES + (claim?.committedBytes ?? 0))
      if (claim !== null) transport.sendData(claim, channel.id, flags)
      else transport.send(FrameType.DATA, channel.id, 0, flags)
      this.#handleSent(channel)
    }
    transport.flush()
  }

  #handleSent (channel: Channel): void {
    try {
      channel.handleSent()
    } catch (error) {
      // Of the channel's user. The other channels' frames have still to leave.
      throwLater(error)
    }
  }

  readonly #wake = (): void => {
    this.#wakeDue = false
    if (this.#stopped) return
    this.#memoryQueue.wake()
    this.#pump()
  }
}
