import { parentPort } from 'node:worker_threads'
import { Random } from '../../../engine/testing/random.js'
import type { SegmentLayout } from '../../../shm/segment-sizes.js'
import { Scribbler, type Target } from './scribbler.js'

/** One link to attack from a thread of its own, while its sides run: between their checks and their uses, too. */
export interface ScribblerOrder {
  readonly buffer: SharedArrayBuffer
  readonly layout: SegmentLayout
  readonly seed: number
  readonly targets: readonly Target[]
  readonly mutations: number
  /** The most turns of an empty loop between two mutations. */
  readonly pause: number
  /** One word; other than 0: stop. */
  readonly stop: Int32Array
}

/** Answers each order with the number of mutations made. */
parentPort!.on('message', ({ buffer, layout, seed, targets, mutations, pause, stop }: ScribblerOrder) => {
  const random = new Random(seed)
  const scribbler = new Scribbler(buffer, layout, random)
  while (scribbler.mutations < mutations && Atomics.load(stop, 0) === 0) {
    scribbler.mutate(targets)
    for (let left = random.below(pause); left > 0; left--) Atomics.load(stop, 0)
  }
  parentPort!.postMessage(scribbler.mutations)
})
