import test, { type ExecutionContext } from 'ava'
import type { EngineName } from '../../engine/engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import type { Origin, OriginOptions } from '../origin.js'
import { startOrigin } from '../start-origin.js'
import { loadUws } from '../uws-origin.js'

/** An origin, and for `lab` its engine. */
export type OriginServer = 'node' | 'uws' | `lab/${EngineName}`
export type Server = OriginServer | 'embedded'

const uwsLoads = await loadUws().then(() => true, () => false)
const SKIPPED = ' (skipped: uWebSockets.js does not load here)'

const labs = ENGINES_HERE.map((engine) => `lab/${engine}` as const)

/** Servers that run on this machine. */
export const servers: readonly OriginServer[] = ['node', ...labs, ...(uwsLoads ? ['uws' as const] : [])]

/** What starts it. */
export function optionsOf (server: OriginServer): Pick<OriginOptions, 'server' | 'engine'> {
  if (server === 'node' || server === 'uws') return { server }
  return { server: 'lab', engine: server.slice('lab/'.length) as EngineName }
}

/** How the origin inside a plugin is opened; null: these tests are about the others. */
let openEmbedded: ((t: ExecutionContext) => Promise<RunningServer>) | null = null

/** Suites that are imported after this run against the origin inside a plugin, and no other. */
export function testEmbedded (open: (t: ExecutionContext) => Promise<RunningServer>): void {
  openEmbedded = open
}

/** Declares the same test for every server, one after the other; one that does not run here shows as a skipped test. */
export function testServers (title: string, run: (t: ExecutionContext, server: Server) => Promise<void>): void {
  if (openEmbedded !== null) {
    test.serial(`embedded: ${title}`, run, 'embedded')
    return
  }
  for (const server of servers) test.serial(`${server}: ${title}`, run, server)
  if (!uwsLoads) test.skip(`uws: ${title}${SKIPPED}`, run, 'uws')
}

/** As `testServers()`, without uWebSockets.js, which is fast and knows not all of HTTP. */
export function testCompleteServers (title: string, run: (t: ExecutionContext, server: Server) => Promise<void>): void {
  const complete = openEmbedded !== null ? ['embedded' as const] : servers.filter((server) => server !== 'uws')
  for (const server of complete) test.serial(`${server}: ${title}`, run, server)
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
export async function openOrigin (t: ExecutionContext, server: OriginServer): Promise<RunningOrigin> {
  const origin = await startOrigin({ ...optionsOf(server), port: 0 })
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
export function testOrigins (title: string, run: (t: ExecutionContext, server: OriginServer) => Promise<void>): void {
  testServers(title, run as (t: ExecutionContext, server: Server) => Promise<void>)
}
