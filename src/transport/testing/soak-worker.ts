import { parentPort, workerData } from 'node:worker_threads'
import { unixAddress } from '../../base/address.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { ShmSide } from '../../shm/endpoint.js'
import { createShmTransport, type ShmOptions } from '../shm/create-shm-transport.js'
import type { Transport } from '../transport.js'
import { type SoakOptions, SoakSide } from './soak-side.js'

export interface SoakWorkerOptions extends SoakOptions {
  readonly path: string
  readonly memory: ShmOptions['memory']
}

/** One side of a soak, in a thread or a process of its own. Tells 'listening', then its result. */
const options =
  parentPort === null ? (JSON.parse(process.argv[2]!) as SoakWorkerOptions) : (workerData as SoakWorkerOptions)
const { path, memory, sizes, side } = options
const tell = (message: unknown): void => {
  if (parentPort === null) process.send!(message)
  else parentPort.postMessage(message)
}

const engine = createTestEngine()
const kind = createShmTransport({ memory, sizes, poison: 0xA5 })
const address = unixAddress(path)

async function accept (): Promise<Transport> {
  return await new Promise((resolve, reject) => {
    const listening = engine.listen(address, (socket) => {
      resolve(kind.accept(engine, socket))
      listening.then(async (listener) => { await listener.close() }, reject)
    })
    listening.then(() => { tell('listening') }, reject)
  })
}

const transport = side === ShmSide.HOST ? await accept() : kind.connect(engine, address, 0)
tell(await new SoakSide(transport, options).over)
if (parentPort === null) process.disconnect()
