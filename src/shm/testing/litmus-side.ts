import { parentPort, workerData } from 'node:worker_threads'
import { memfdMemory } from '../memfd-memory.js'
import { type LitmusOptions, runLitmus } from './litmus.js'

/**
 * Side 1 of a litmus test: in a worker thread with a SharedArrayBuffer, or in a process that attaches a segment. Tells
 * its result.
 */
if (parentPort !== null) {
  const { buffer, options } = workerData as { buffer: SharedArrayBuffer, options: LitmusOptions }
  parentPort.postMessage('ready')
  parentPort.postMessage(runLitmus(new Int32Array(buffer), 1, options))
} else {
  const request = memfdMemory().request()
  process.once('message', ({ ticket, options }: { ticket: number[], options: LitmusOptions }) => {
    const { buffer, layout } = request.attach(Uint8Array.from(ticket))
    process.send!('ready', () => {
      const result = runLitmus(new Int32Array(buffer, layout.directions[0].slots), 1, options)
      process.send!(result, () => { process.disconnect() })
    })
  })
  process.send!([...request.bytes])
}
