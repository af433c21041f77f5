import type { Channel, ChannelHandler } from '../mux/channel.js'
import type { Session } from '../mux/session.js'

/** What answers a plugin's channels in the place of an origin behind it. */
export interface ChannelServer {
  /** A link is attached. `constants`: memory for what is sent again and again (`Channel.sendConstant()`). */
  attach (constants: Session['constants']): LinkServer
}

/** A server for the time of one link. */
export interface LinkServer {
  /** Takes the channel: answers `accept()` or `reject()`. */
  onChannel (channel: Channel): ChannelHandler
  /** The plugin closes: channels without a request at hand end now, the others after its response. */
  drain (): void
  /** The link is gone. Every channel has been told. */
  close (): void
}
