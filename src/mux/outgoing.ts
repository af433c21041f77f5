import { throwLater } from '../base/errors.js'
import { FrameFlag, FrameType, HEADER_BYTES } from '../frame/layout.js'
import type { Claim, Transport } from '../transport/transport.js'
import type { Channel } from './channel.js'
import { MemoryQueue } from './memory-queue.js'
import { Scheduler } from './scheduler.js'

/**
 * What a link sends of its channels: memory for it in the order of asking, frames in fair order, and all of a turn of
 * the loop together.
 */
export class Outgoing {
  readonly #transport: Transport
  readonly #counters: { parkedReads: number }
  readonly #atTurnEnd: (task: () => void) => void
  readonly #scheduler: Scheduler<Channel>
  readonly #memoryQueue: MemoryQueue<Channel>
  #pumpDue = false
  #wakeDue = false
  #stopped = false

  constructor (transport: Transport, counters: { parkedReads: number }, atTurnEnd: (task: () => void) => void) {
    this.#transport = transport
    this.#counters = counters
    this.#atTurnEnd = atTurnEnd
    this.#scheduler = new Scheduler((channel) => channel.hasFrames)
    this.#memoryQueue = new MemoryQueue(
      (channel, bytes) => transport.canClaim(bytes, channel.id),
      () => transport.room,
      () => {
        this.#wake()
      }
    )
  }

  /** Frames carry at most so many bytes: what the peer takes. */
  setMaxPayloadBytes (bytes: number): void {
    this.#scheduler.quantumBytes = HEADER_BYTES + bytes
  }

  /** null: no memory; the channel is told when there is some again. */
  tryClaim (channel: Channel, bytes: number): Claim | null {
    const claim = this.#transport.claim(bytes, channel.id)
    if (claim === null) {
      if (this.#memoryQueue.handleRefusal(channel, bytes)) this.#counters.parkedReads++
    } else this.#memoryQueue.remove(channel)
    return claim
  }

  /** The channel has frames to send. */
  activate (channel: Channel): void {
    this.#scheduler.activate(channel)
    this.schedulePump()
  }

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

  /** The channel has ended: it needs no memory any more. */
  forget (channel: Channel): void {
    this.#memoryQueue.remove(channel)
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
