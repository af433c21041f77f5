import { tcpAddress, unixAddress } from '../base/address.js'
import { ErrorCode, messageOf, TunnelError } from '../base/errors.js'
import { oneLine } from '../base/text.js'
import { createEngine } from '../engine/create-engine.js'
import { startLabOrigin } from './lab-origin.js'
import { startNodeOrigin } from './node-origin.js'
import type { Origin, OriginOptions } from './origin.js'
import { loadUws, startUwsOrigin, type Uws } from './uws-origin.js'

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
      note: `uWebSockets.js does not load (${wordsOf(error)}), so node:http answers`
    }
  }
  return await startUwsOrigin(uws, places)
}

function unavailable (cause: unknown): TunnelError {
  return new TunnelError(
    ErrorCode.ORIGIN_UNAVAILABLE,
    `Cannot start the origin on uWebSockets.js: it does not load with Node ${process.version} on ${process.platform} ` +
    `${process.arch} (${wordsOf(cause)}): ` +
      'reinstall with optional dependencies (npm install --include=optional), use a Node version and a glibc that ' +
      'its binaries support, or use the origin on node:http',
    { cause, cure: 'server' }
  )
}

/** The loader's own words, which name the missing file or glibc in their last line. */
function wordsOf (error: unknown): string {
  return oneLine(messageOf(error))
}
