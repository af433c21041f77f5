import { type ChildProcess, fork } from 'node:child_process'
import { type EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { ExecutionContext } from 'ava'
import { fromErrorData } from '../../base/errors.js'
import type { SegmentMemory } from '../segment-memory.js'
import type { SegmentOrder, SegmentReply } from './segment-role.js'

const ROLE = new URL('segment-role.js', import.meta.url)

/** One side of a segment in another thread or process, which does as it is told. */
export class SegmentPeer {
  readonly #emitter: EventEmitter
  readonly #post: (order: SegmentOrder) => void

  constructor (emitter: EventEmitter, post: (order: SegmentOrder) => void) {
    this.#emitter = emitter
    this.#post = post
  }

  static inThread (t: ExecutionContext, kind: SegmentMemory['kind']): SegmentPeer {
    const worker = new Worker(ROLE, { argv: [kind] })
    t.teardown(async () => {
      await worker.terminate()
    })
    return new SegmentPeer(worker, (order) => {
      worker.postMessage(order)
    })
  }

  /** With `uid` it becomes that user once it has loaded its code. */
  static inProcess (
    t: ExecutionContext,
    kind: SegmentMemory['kind'],
    options: { uid?: number; env?: NodeJS.ProcessEnv } = {}
  ): { peer: SegmentPeer; child: ChildProcess } {
    const args = options.uid === undefined ? [kind] : [kind, String(options.uid)]
    const child = fork(fileURLToPath(ROLE), args, {
      serialization: 'advanced',
      execArgv: [],
      env: { ...process.env, ...options.env }
    })
    t.teardown(() => {
      child.kill('SIGKILL')
    })
    return {
      child,
      peer: new SegmentPeer(child, (order) => {
        child.send(order)
      })
    }
  }

  /** Throws the peer's error, with its code. */
  async tell (order: SegmentOrder): Promise<SegmentReply> {
    const answered = once(this.#emitter, 'message')
    this.#post(order)
    const [reply] = (await answered) as [SegmentReply]
    if (reply.error !== undefined) throw fromErrorData(reply.error)
    return reply
  }

  async bytesOf (order: SegmentOrder): Promise<Uint8Array> {
    return (await this.tell(order)).bytes!
  }

  async valueOf (order: SegmentOrder): Promise<number> {
    return (await this.tell(order)).value!
  }
}
