import { anyClient } from './testing/any-client.js'
import { openServer, testCompleteServers } from './testing/servers.js'

for (const [what, check] of Object.entries(anyClient)) {
  testCompleteServers(what, async (t, server) => { await check(t, (await openServer(t, server)).port) })
}
