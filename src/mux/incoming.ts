import { throwLater, TunnelError } from '../base/errors.js'
import { frameTypeName } from '../frame/header.js'
import { FrameType, Reason } from '../frame/layout.js'
import type { ChannelTable } from './channel-table.js'
import { decodeConnection } from './connection-text.js'
import { Role } from './hello.js'
import type { Outgoing } from './outgoing.js'
import type { SessionCounters, SessionHandler } from './session-handler.js'
import type { SessionOptions } from './session-options.js'

/** How the peer broke the protocol: the rule, or a whole error. null: it did not. */
export type Violation = string | TunnelError | null

/** What a link receives for its channels: new ones, their data, credit and ends. */
export class Incoming {
  readonly #options: SessionOptions
  readonly #channels: ChannelTable
  readonly #outgoing: Outgoing
  readonly #counters: SessionCounters
  readonly #handler: SessionHandler

  constructor (
    options: SessionOptions,
    channels: ChannelTable,
    outgoing: Outgoing,
    counters: SessionCounters,
    handler: SessionHandler
  ) {
    this.#options = options
    this.#channels = channels
    this.#outgoing = outgoing
    this.#counters = counters
    this.#handler = handler
  }

  /** `isEnd`: it has the flag EOS. */
  handleData (channelId: number, isEnd: boolean, payload: Uint8Array, release: () => void): Violation {
    const channel = this.#channels.get(channelId)
    const violation = channel === undefined
      ? this.#handleLate(FrameType.DATA, channelId)
      : channel.receiveData(payload, isEnd, release)
    if (channel === undefined || violation !== null) release()
    return violation
  }

  /** Plugin side. `isDraining`: no new channels are taken. */
  handleOpen (channelId: number, payload: Uint8Array, isDraining: boolean): Violation {
    const { role, serves, maxChannels } = this.#options
    if (role === Role.HOST) return 'a plugin must not send OPEN'
    if (payload.length > 0 && serves !== true) return 'OPEN must be empty for a plugin that does not serve'
    const rule = this.#channels.ruleOfId(channelId)
    if (rule !== null) return rule
    let addresses
    try {
      addresses = decodeConnection(payload)
    } catch (error) {
      return error as TunnelError
    }
    this.#channels.noteId(channelId)
    if (isDraining || this.#channels.size >= maxChannels) {
      this.#outgoing.sendReject(channelId, isDraining ? Reason.SHUTDOWN : Reason.LIMIT)
      return null
    }
    const channel = this.#channels.open(channelId)
    channel.addresses = addresses
    try {
      channel.handler = this.#handler.onChannel!(channel)
    } catch (error) {
      throwLater(error)
      channel.reject(Reason.NONE)
    }
    return null
  }

  /** ACCEPT, REJECT, CREDIT or RESET. */
  handleControl (type: FrameType, channelId: number, argument: number): Violation {
    if ((type === FrameType.ACCEPT || type === FrameType.REJECT) && this.#options.role !== Role.HOST) {
      return `a host must not send ${frameTypeName(type)}`
    }
    const channel = this.#channels.get(channelId)
    if (channel === undefined) return this.#handleLate(type, channelId)
    if (type === FrameType.CREDIT) return channel.receiveCredit(argument)
    if (type === FrameType.ACCEPT) return channel.receiveAccept()
    if (type === FrameType.REJECT) this.#counters.channelsRejected++
    channel.receiveReset(argument as Reason)
    return null
  }

  /** Frames for a channel that has ended were on their way when it did. A channel that never was is a mistake. */
  #handleLate (type: FrameType, channelId: number): Violation {
    if (!this.#channels.wasUsed(channelId)) {
      return `${frameTypeName(type)} names channel ${channelId}, which was never opened`
    }
    this.#counters.lateFrames++
    return null
  }
}
