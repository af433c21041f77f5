import type { ConnectionAddresses } from '../../base/address.js'

/**
 * What a server inside the plugin needs of the tunnel: channels that carry bytes, and memory for what it sends again
 * and again. The tunnel's own channels and links satisfy these; origins know no more of the tunnel than this.
 */

/** One connection of a client. */
export interface ServerChannel {
  /** Both ends of the client's connection; null where the host did not say, and for a client on a Unix socket. */
  readonly addresses: ConnectionAddresses | null
  /** Bytes sent, or to be sent, of which the host has not said that the client's connection has taken them. */
  readonly unconfirmedBytes: number
  /** The server takes the connection. */
  accept (): void
  /** Memory for up to `bytes` bytes to send, or null: no credit or no memory, and `onClaimable()` follows. */
  claim (bytes?: number): Uint8Array | null
  /** The first `bytes` bytes of the claim are to be sent. `copied`: the program copied them there. */
  commit (bytes: number, copied?: boolean): void
  /**
   * Sends up to `bytes` bytes of a constant, behind what was committed. Returns how many; 0: no credit, and
   * `onClaimable()` follows.
   */
  sendConstant (constant: ServerConstant, offset: number, bytes: number): number
  /** Half-close. */
  end (): void
  /** Cuts the connection off, behind what was sent. */
  reset (): void
}

/** Calls of a channel to its server. */
export interface ServerChannelHandler {
  /** `view` is valid until `release()`; only what is released makes room for more. */
  onData (view: Uint8Array, release: () => void): void
  /** The client will send no more. */
  onEnd (): void
  /** The connection was cut off. The last call. */
  onReset (): void
  onClaimable (): void
  /** Both directions have ended. The last call. */
  onDone (): void
}

export interface ServerConstant {
  readonly bytes: number
}

/** See `Constants` of the transport. */
export interface ServerConstants {
  publish (bytes: Uint8Array): ServerConstant | null
  tryRewrite (constant: ServerConstant, bytes: Uint8Array): boolean
}

/** A server during one link to a host. */
export interface EmbeddedLink {
  onChannel (channel: ServerChannel): ServerChannelHandler
  /** The plugin closes: connections without a request at hand end now, the others after its response. */
  drain (): void
  /** The link is gone, and every channel with it. */
  close (): void
}

/** What answers a plugin's channels in place of an origin behind it: `TunnelPlugin.start({ serve })`. */
export interface EmbeddedServer {
  attach (constants: ServerConstants): EmbeddedLink
}
