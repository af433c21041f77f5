import type { ExecutionContext } from 'ava'
import { labServer } from '../../src/origin/embedded/lab-link.js'
import { type RunningServer, testEmbedded } from '../../src/origin/testing/servers.js'
import { TunnelRig } from '../../src/tunnel/testing/rig.js'
import { createTransport } from '../../src/tunnel/testing/transports.js'

/**
 * An origin inside a plugin, reached through a host and shared memory. Imported before the suites of the origins, it is
 * what they test.
 */
export async function openEmbedded (t: ExecutionContext): Promise<RunningServer> {
  const rig = new TunnelRig(t, createTransport('shared-array-buffer'))
  const { port } = await rig.startHost()
  await rig.startServingPlugin(labServer()).plugin.attached()
  return { port, url: `http://127.0.0.1:${port}` }
}

testEmbedded(openEmbedded)
