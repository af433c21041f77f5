import http from 'node:http'
import type { Engine } from '../engine/engine.js'
import { startOrigin } from '../origin/start-origin.js'
import { request } from './testing/http.js'
import { testEach } from './testing/test-each.js'
import { SHARED_MEMORY as over } from './testing/transports.js'

const CLIENTS = 50
const WINDOW_MS = 500

/** Counts what an engine does from here on: every delivery, poll and sleep of shared memory is a task of some turn. */
function countTasks (engine: Engine): { tasks: number } {
  const count = { tasks: 0 }
  const atTurnEnd = engine.atTurnEnd.bind(engine)
  engine.atTurnEnd = (task, phase) => {
    count.tasks++
    atTurnEnd(task, phase)
  }
  return count
}

testEach(`${CLIENTS} open connections on which nothing happens cost nothing: both sides sleep`, async (t, rig) => {
  const origin = await startOrigin({ server: 'node', port: 0 })
  t.teardown(() => origin.close())
  const { port, hostRig, pluginRig } = await rig.start(origin.address)
  const counts = [countTasks(hostRig.engine), countTasks(pluginRig.engine)]
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  await Promise.all(Array.from({ length: CLIENTS }, () => request(port, '/large', { agent })))
  t.true(counts.every(({ tasks }) => tasks > CLIENTS), 'or the count counts nothing')
  // What the last responses left to do (slots that go back, a timer) is done within a turn or two.
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  for (const count of counts) count.tasks = 0
  await new Promise((resolve) => { setTimeout(resolve, WINDOW_MS) })
  t.is(hostRig.host.stats().channels, CLIENTS)
  // A ping at most; a loop that does not sleep would pass many thousand times.
  for (const { tasks } of counts) t.true(tasks <= 20, `${tasks} tasks in ${WINDOW_MS} ms`)
  agent.destroy()
}, { over })
