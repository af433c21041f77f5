import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import type { OriginOptions } from '../origin.js'
import { startOrigin } from '../start-origin.js'

/**
 * An origin in a worker thread. Posts its address; then `close` closes it, and `exit` ends the thread while it is still
 * open.
 */
const origin = await startOrigin({ ...workerData as OriginOptions, port: 0 })
parentPort!.postMessage(origin.address)
const [message] = await once(parentPort!, 'message') as ['close' | 'exit']
if (message === 'exit') process.exit(7)
await origin.close()
