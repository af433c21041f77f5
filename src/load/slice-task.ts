import { toErrorData } from '../base/errors.js'
import type { Engine } from '../engine/engine.js'
import { runLoadSlice } from './generator.js'
import type { LoadProgress } from './record/progress.js'
import type { SliceCommand, SliceMessage, SliceReply, SliceTask } from './slice-pool.js'

/**
 * The pool thread's side of `runInPool()`: runs the slice over `engine` and speaks to the pool through the task's port.
 */
export async function runSliceTask (engine: Engine, { job, port, tellsProgress }: SliceTask): Promise<SliceReply> {
  const stopping = new AbortController()
  const started = new Promise<number>((resolve) => {
    port.on('message', (command: SliceCommand) => {
      if (command.kind === 'start') resolve(command.startAtMs)
      else stopping.abort()
    })
  })
  const agreeOnStart = async (): Promise<number> => {
    port.postMessage({ kind: 'connected' } satisfies SliceMessage)
    return await started
  }
  const onProgress = !tellsProgress
    ? undefined
    : (progress: LoadProgress): void => {
        port.postMessage({ kind: 'progress', progress } satisfies SliceMessage)
      }
  try {
    return {
      kind: 'result',
      result: await runLoadSlice(engine, job, { agreeOnStart, signal: stopping.signal, onProgress })
    }
  } catch (error) {
    return { kind: 'error', error: toErrorData(error) }
  } finally {
    port.close()
  }
}
