import { type Address, tcpAddress, unixAddress } from '../../src/base/address.js'
import type { EngineName } from '../../src/engine/engine.js'
import type { Given } from '../options/flags.js'
import { portOf } from '../options/option-values.js'
import { usageError } from '../plan/usage-error.js'
import { RoleHandle } from '../roles/role-handle.js'
import { launchThread } from '../roles/threads.js'
import { valueOf } from './service-options.js'

/** The origin of a plugin that runs on its own: one that it starts, or somebody else's by its URL. */

export const ORIGIN_PORT = '9876'
const ORIGIN_HOST = '127.0.0.1'
/** How long an exit that nobody planned waits for the origin's thread. */
const CLOSE_AT_EXIT_MS = 500
const UNIX_PREFIX = 'unix:'

/** In a thread of its own: plugin and origin work at the same time. It drives its sockets as the plugin does. */
export async function startOwnOrigin (given: Given, engine: EngineName): Promise<RoleHandle<'origin'>> {
  const port = portOf('origin-port', given['origin-port'] ?? ORIGIN_PORT)
  const server = valueOf.server(given)
  const options = { server, engine, spin: valueOf.spin(given), host: ORIGIN_HOST, port, path: null }
  const origin = await RoleHandle.start(launchThread, 'origin', options)
  if (origin.ready.server === 'uws') closeAtExit(origin)
  return origin
}

/** An open app of uWebSockets.js in another thread aborts a process that ends: the thread gets time to close it. */
function closeAtExit (origin: RoleHandle<'origin'>): void {
  let isOpen = true
  origin.died.catch(() => { isOpen = false })
  process.once('exit', () => {
    if (!isOpen) return
    void origin.close()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CLOSE_AT_EXIT_MS)
  })
}

/** The tunnel carries bytes, so of a URL only its host and port matter; https is passed through, not ended here. */
export function parseOriginUrl (text: string): Address {
  if (text.startsWith(UNIX_PREFIX)) return unixAddress(text.slice(UNIX_PREFIX.length))
  const fail = (rule: string): never => { throw usageError('origin', text, rule) }
  let url: URL
  try {
    url = new URL(String(text))
  } catch {
    return fail(
      'must be embedded, or a URL with a port up to 65535, for example http://127.0.0.1:3000, or unix: and the path ' +
      'of a socket'
    )
  }
  const standardPort =
    { 'http:': 80, 'https:': 443 }[url.protocol] ?? fail('must begin with http://, https:// or unix:')
  if (url.href !== `${url.protocol}//${url.host}/`) fail('must name a host and a port only: paths come from the client')
  if (url.port === '0') fail('must name a port from 1 to 65535')
  return tcpAddress(url.hostname, url.port === '' ? standardPort : Number(url.port))
}
