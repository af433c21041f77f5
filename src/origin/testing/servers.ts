import test, { type ExecutionContext } from 'ava'
import { type Origin, startOrigin } from '../origin.js'
import { loadUws } from '../uws-origin.js'

export type Server = 'node' | 'uws'

const uwsLoads = await loadUws().then(() => true, () => false)
const SKIPPED = ' (skipped: uWebSockets.js does not load here)'

/** Servers that run on this machine. */
export const servers: readonly Server[] = uwsLoads ? ['node', 'uws'] : ['node']

/** Declares the same test for both servers, one after the other; a server that does not run here shows as a skipped test. */
export function testServers (title: string, run: (t: ExecutionContext, server: Server) => Promise<void>): void {
  test.serial(`node: ${title}`, run, 'node')
  if (uwsLoads) test.serial(`uws: ${title}`, run, 'uws')
  else test.skip(`uws: ${title}${SKIPPED}`, run, 'uws')
}

export interface RunningOrigin {
  readonly origin: Origin
  readonly port: number
  /** For example `http://127.0.0.1:1234`. */
  readonly url: string
}

/** An origin on a free port that closes with the test. */
export async function openOrigin (t: ExecutionContext, server: Server): Promise<RunningOrigin> {
  const origin = await startOrigin({ server, port: 0 })
  t.teardown(async () => await origin.close())
  if (origin.address.kind !== 'tcp') throw new Error('an origin listens on TCP')
  const { port } = origin.address
  return { origin, port, url: `http://127.0.0.1:${port}` }
}
