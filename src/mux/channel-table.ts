import { diagnostics, type LinkMessage } from '../base/diagnostics.js'
import { reasonName } from '../frame/header.js'
import type { Reason } from '../frame/layout.js'
import { Channel } from './channel.js'
import type { Outgoing } from './outgoing.js'
import type { SessionCounters } from './session-handler.js'

/** The channels of a link, by id. The host hands ids out in rising order, round the circle of 32 bits without 0. */
export class ChannelTable {
  readonly #outgoing: Outgoing
  readonly #receiveWindowBytes: number
  readonly #counters: SessionCounters
  readonly #link: LinkMessage
  readonly #channels = new Map<number, Channel>()
  /** The newest id used. None comes back while a late frame could name it. */
  #lastId = 0

  constructor (outgoing: Outgoing, receiveWindowBytes: number, counters: SessionCounters, link: LinkMessage) {
    this.#outgoing = outgoing
    this.#receiveWindowBytes = receiveWindowBytes
    this.#counters = counters
    this.#link = link
  }

  get size (): number { return this.#channels.size }

  get (id: number): Channel | undefined {
    return this.#channels.get(id)
  }

  /** All of them now; the table may change meanwhile. */
  list (): Channel[] {
    return [...this.#channels.values()]
  }

  open (id: number): Channel {
    const channel = new Channel(id, this.#outgoing, this.#outgoing.sendWindowBytes, this.#receiveWindowBytes)
    this.#channels.set(id, channel)
    this.#counters.channelsOpened++
    const { channelOpen } = diagnostics
    if (channelOpen.hasSubscribers) channelOpen.publish({ ...this.#link, channel: id })
    return channel
  }

  /** `reason`: of a reset; null: both directions have ended. */
  delete ({ id }: Channel, reason: Reason | null): void {
    this.#channels.delete(id)
    this.#counters.channelsClosed++
    const { channelClose, channelReset } = diagnostics
    if (reason === null) {
      if (channelClose.hasSubscribers) channelClose.publish({ ...this.#link, channel: id })
    } else if (channelReset.hasSubscribers) {
      channelReset.publish({ ...this.#link, channel: id, reason: reasonName(reason) })
    }
  }

  /** Host side: the id of the next channel. */
  takeId (): number {
    do this.#lastId = (this.#lastId + 1) >>> 0
    while (this.#lastId === 0 || this.#channels.has(this.#lastId))
    return this.#lastId
  }

  /** Plugin side: the rule that an OPEN of `id` breaks, or null. */
  ruleOfId (id: number): string | null {
    if (this.wasUsed(id)) return `channel ids must rise: OPEN of ${id} came after ${this.#lastId}`
    // An id that is still open comes up again after a whole round.
    return this.#channels.has(id) ? `OPEN names channel ${id}, which is open` : null
  }

  /** Plugin side: the host has used `id`. */
  noteId (id: number): void {
    this.#lastId = id
  }

  /** A channel of this id exists or existed. */
  wasUsed (id: number): boolean {
    return ((id - this.#lastId) | 0) <= 0
  }
}
