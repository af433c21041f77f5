import type { Role } from './hello.js'

export interface SessionOptions {
  readonly role: Role
  /** Plugin side: it serves its channels itself; see `Hello`. Default false. */
  readonly serves?: boolean
  /** Largest DATA payload this side takes. Default 65,536. */
  readonly maxPayloadBytes: number
  /**
   * Bytes granted to the peer for each new channel; a reader that has stalled costs this side as much memory. Default
   * 2 MiB: most responses wait for no credit, and the plugin reads as far ahead as a kernel does. docs/PROTOCOL.md,
   * Credit.
   */
  readonly windowBytes: number
  /** Channels at one time. Default 4,096. */
  readonly maxChannels: number
  /**
   * The peer's HELLO must be here this long after the start, and as long again it may take to attach shared memory.
   * Default 2,000; 0 waits for ever. This and the other times may also be `Infinity` for a host or plugin.
   */
  readonly helloTimeoutMs: number
  /** Time between PINGs; 0 sends none. Default 1,000. */
  readonly pingIntervalMs: number
  /** A PING unanswered this long ends the link; 0 waits for ever. Default 10,000. */
  readonly pingTimeoutMs: number
}

export const DEFAULT_SESSION_OPTIONS = {
  maxPayloadBytes: 65_536,
  windowBytes: 2_097_152,
  maxChannels: 4096,
  helloTimeoutMs: 2000,
  pingIntervalMs: 1000,
  pingTimeoutMs: 10_000
} as const
