import test, { type ExecutionContext } from 'ava'
import { type Origin, startOrigin } from '../origin.js'
import { loadUws } from '../uws-origin.js'

export type Server = 'node' | 'uws' | 'embedded'

const uwsLoads = await loadUws().then(() => true, () => false)
const SKIPPED = ' (skipped: uWebSockets.js does not load here)'

/** Servers that run on this machine. */
export const servers: ReadonlyArray<'node' | 'uws'> = uwsLoads ? ['node', 'uws'] : ['node']

/** How the origin inside a plugin is opened; null: these tests are about the two others. */
let openEmbedded: ((t: ExecutionContext) => Promise<RunningServer>) | null = null

/** Suites that are imported after this run against the origin inside a plugin, and no other. */
export function testEmbedded (open: (t: ExecutionContext) => Promise<RunningServer>): void {
  openEmbedded = open
}

/** Declares the same test for both servers, one after the other; a server that does not run here shows as a skipped test. */
export function testServers (title: string, run: (t: ExecutionContext, server: Server) => Promise<void>): void {
  if (openEmbedded !== null) {
    test.serial(`embedded: ${title}`, run, 'embedded')
    return
  }
  test.serial(`node: ${title}`, run, 'node')
  if (uwsLoads) test.serial(`uws: ${title}`, run, 'uws')
  else test.skip(`uws: ${title}${SKIPPED}`, run, 'uws')
}

/** What suites for every server need. */
export interface RunningServer {
  readonly port: number
  /** For example `http://127.0.0.1:1234`. */
  readonly url: string
}

export interface RunningOrigin extends RunningServer {
  readonly origin: Origin
}

/** An origin on a free port that closes with the test. */
export async function openOrigin (t: ExecutionContext, server: 'node' | 'uws'): Promise<RunningOrigin> {
  const origin = await startOrigin({ server, port: 0 })
  t.teardown(async () => await origin.close())
  if (origin.address.kind !== 'tcp') throw new Error('an origin listens on TCP')
  const { port } = origin.address
  return { origin, port, url: `http://127.0.0.1:${port}` }
}

/** The server of a suite that every server passes, on a free port; it closes with the test. */
export async function openServer (t: ExecutionContext, server: Server): Promise<RunningServer> {
  return server === 'embedded' ? await openEmbedded!(t) : await openOrigin(t, server)
}

/** As `testServers()`, for what only a server with a TCP port of its own can do. */
export function testOrigins (title: string, run: (t: ExecutionContext, server: 'node' | 'uws') => Promise<void>): void {
  testServers(title, run as (t: ExecutionContext, server: Server) => Promise<void>)
}
