import type { Address } from '../base/address.js'
import type { EngineChoice, SpinChoice } from '../engine/create-engine.js'
import type { SocketFileEvent } from '../engine/socket-file.js'

/** `lab`: `labServer()` on an Engine. `auto`: `uws` where its binary loads, otherwise `node`. */
export const SERVERS = ['auto', 'lab', 'uws', 'node'] as const
export type ServerChoice = typeof SERVERS[number]

/**
 * What answers HTTP behind the tunnel, and without it in the baseline. Endpoints and bodies are those of `routes.ts`,
 * whichever server runs.
 */
export interface Origin {
  /** The server that really runs. */
  readonly server: Exclude<ServerChoice, 'auto'>
  /** TCP, as asked for and with the real port. */
  readonly address: Address
  /** All addresses of the host that it listens on. */
  readonly addresses: readonly Address[]
  /** The Unix socket, where one was asked for. */
  readonly unixAddress: Address | null
  /** Why something slower runs than `auto` prefers, in a sentence. */
  readonly note?: string
  /**
   * Stops listening, lets requests at hand finish for a time, and closes every connection. Called again with a shorter
   * time it shortens the wait.
   */
  close (options?: CloseOptions): Promise<void>
}

export interface CloseOptions {
  /** How long requests at hand may go on, in ms. Default 0: they are cut off at once. */
  readonly drainMs?: number
}

export interface OriginOptions {
  readonly server: ServerChoice
  /** What moves the bytes of `lab`, and how long it looks for work. Default `auto`. */
  readonly engine?: EngineChoice
  readonly spin?: SpinChoice
  /** IP address or name. Default 127.0.0.1. */
  readonly host?: string
  /** 0 is any free port. */
  readonly port: number
  /** Path of a Unix socket to listen on as well, with mode 0600. Default null: none. */
  readonly path?: string | null
  /** Told what happens to that socket's file. */
  readonly onSocketFile?: ((event: SocketFileEvent) => void) | undefined
}
