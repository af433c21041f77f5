import { type Address, tcpAddress, unixAddress } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { createEngine, type EngineChoice, type SpinChoice } from '../engine/create-engine.js'
import type { SocketFileEvent } from '../engine/socket-file.js'
import { startLabOrigin } from './lab-origin.js'
import { startNodeOrigin } from './node-origin.js'
import { loadUws, startUwsOrigin, type Uws } from './uws-origin.js'

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

/**
 * Starts an origin in this thread. Rejects with ORIGIN_UNAVAILABLE where `uws` was asked for and does not load, with
 * UNAVAILABLE where the engine of `lab` cannot be had, with ADDRESS_IN_USE, ADDRESS_DENIED or ADDRESS_INVALID where it
 * cannot listen.
 *
 * @param load How to load uWebSockets.js.
 */
export async function startOrigin (options: OriginOptions, load: () => Promise<Uws> = loadUws): Promise<Origin> {
  const { server, host = '127.0.0.1', port, path = null, onSocketFile, engine = 'auto', spin = 'auto' } = options
  const places = { host, port, path, onSocketFile }
  tcpAddress(host, port)
  if (path !== null) unixAddress(path)
  if (server === 'lab') {
    let note: string | undefined
    const onFallback = (why: string): void => { note = why }
    const origin = await startLabOrigin(createEngine(engine, { spin, onFallback }), places)
    return note === undefined ? origin : { ...origin, note }
  }
  if (server === 'node') return await startNodeOrigin(places)
  let uws: Uws
  try {
    uws = await load()
  } catch (error) {
    if (server === 'uws') throw unavailable(error)
    return {
      ...(await startNodeOrigin(places)),
      note: `uWebSockets.js does not load (${oneLine(error)}), so node:http answers`
    }
  }
  return await startUwsOrigin(uws, places)
}

function unavailable (cause: unknown): TunnelError {
  return new TunnelError(
    ErrorCode.ORIGIN_UNAVAILABLE,
    `Cannot start the origin on uWebSockets.js: it does not load with Node ${process.version} on ${process.platform} ` +
    `${process.arch} (${oneLine(cause)}): ` +
      'reinstall with optional dependencies (npm install --include=optional), use a Node version and a glibc that ' +
      'its binaries support, or use the origin on node:http',
    { cause, cure: 'server' }
  )
}

/** The loader's own words, which name the missing file or glibc in their last line. */
function oneLine (error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/\s+/g, ' ').trim()
}
