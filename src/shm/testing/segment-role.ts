import { parentPort } from 'node:worker_threads'
import { type ErrorData, toErrorData } from '../../base/errors.js'
import type { Segment } from '../segment-memory.js'
import { memfdMemory } from '../memfd-memory.js'
import { sharedArrayMemory } from '../shared-array-memory.js'
import type { SegmentSizes } from '../segment-sizes.js'

export type SegmentOrder =
  | { readonly do: 'request' | 'settle' | 'free' }
  | { readonly do: 'offer', readonly request: Uint8Array, readonly sizes: SegmentSizes }
  | { readonly do: 'attach', readonly ticket: Uint8Array }
  | { readonly do: 'write', readonly at: number, readonly value: number }
  | { readonly do: 'read', readonly at: number }

export interface SegmentReply {
  readonly bytes?: Uint8Array
  readonly value?: number
  readonly error?: ErrorData
}

/**
 * The attaching side in a worker thread, or either side in a child process: does one order at a time, and answers each.
 * It has at most one request, offer and segment.
 */
let request: ReturnType<typeof memory.request> | undefined
let segment: Segment | undefined
let settle = (): void => {}
const [, , kind, uid] = process.argv
const memory = kind === 'memfd' ? memfdMemory() : sharedArrayMemory()

function carryOut (order: SegmentOrder): SegmentReply {
  switch (order.do) {
    case 'request':
      request = memory.request()
      return { bytes: request.bytes }
    case 'offer': {
      const offer = memory.offer(order.request, order.sizes)
      segment = offer.segment
      settle = offer.settle
      return { bytes: offer.ticket }
    }
    case 'attach':
      segment = request!.attach(order.ticket)
      return { value: segment.layout.totalBytes }
    case 'settle':
      settle()
      return {}
    case 'write':
      new Uint8Array(segment!.buffer)[order.at] = order.value
      return {}
    case 'read':
      return { value: new Uint8Array(segment!.buffer)[order.at]! }
    case 'free':
      segment!.free()
      return {}
  }
}

function answer (order: SegmentOrder): SegmentReply {
  try {
    return carryOut(order)
  } catch (error) {
    return { error: toErrorData(error) }
  }
}

if (parentPort !== null) {
  const port = parentPort
  port.on('message', (order: SegmentOrder) => { port.postMessage(answer(order)) })
} else {
  memory.check() // loads what it needs, while it may
  if (uid !== undefined) process.setuid!(Number(uid))
  process.on('message', (order: SegmentOrder) => { process.send!(answer(order)) })
  process.on('disconnect', () => { process.exit() })
}
