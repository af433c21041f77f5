import { createEngine } from '../src/engine/create-engine.js'
import type { SliceReply, SliceTask } from '../src/load/slice-pool.js'
import { runSliceTask } from '../src/load/slice-task.js'

/** Entry point of a load generator's pool thread. */
export default async function loadSlice (task: SliceTask): Promise<SliceReply> {
  return await runSliceTask(createEngine(task.engine, { spin: 0 }), task)
}
