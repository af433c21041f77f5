import type { TunnelError } from '../base/errors.js'
import type { Reason } from '../frame/layout.js'
import type { Channel, ChannelHandler } from './channel.js'

/**
 * What a session's user is told. What one of these throws ends up uncaught (`throwLater()`), and ends the link
 * (`onReady`, `onAttached`), the channel (`onChannel`, and what its handler throws) or nothing.
 */
export interface SessionHandler {
  /** Host side: the plugin's HELLO is good. Returns why it is turned away all the same, or null. */
  refuse? (): { reason: Reason, text: string } | null
  /** Both HELLOs are exchanged: channels can be opened. */
  onReady (): void
  /** The peer has also attached the medium, so the handshake cannot fail any more. */
  onAttached? (): void
  /** Plugin side: a new channel. Returns its handler; answer with `accept()` or `reject()`. */
  onChannel? (channel: Channel): ChannelHandler
  /** The peer drains: no new channels; those that exist go on. */
  onGoAway? (): void
  /**
   * Exactly once, last, after every channel's onReset(). null: the link was attached and ended in good order (a
   * go-away, then no channels left).
   */
  onClose (error: TunnelError | null): void
}

export interface SessionCounters {
  channelsOpened: number
  channelsClosed: number
  channelsRejected: number
  creditStalls: number
  /** Times a channel began to wait for memory, and its reads rested. */
  parkedReads: number
  creditFramesSent: number
  lateFrames: number
}

export function emptySessionCounters (): SessionCounters {
  return {
    channelsOpened: 0,
    channelsClosed: 0,
    channelsRejected: 0,
    creditStalls: 0,
    parkedReads: 0,
    creditFramesSent: 0,
    lateFrames: 0
  }
}
