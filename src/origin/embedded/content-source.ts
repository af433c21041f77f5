import { contentBytes, LARGE_BODY_BYTES, PERIOD_BYTES } from '../../base/content.js'
import type { ServerChannel, ServerConstant, ServerConstants } from './server-channel.js'

/** The sequence is periodic: from any place of the first period on there are as many bytes as /large has. */
const RUN_BYTES = PERIOD_BYTES + LARGE_BODY_BYTES

const run = contentBytes(RUN_BYTES)

/** The content sequence, in the memory of one link where that has room for it: then no byte of it is ever copied. */
export class ContentSource {
  readonly #constant: ServerConstant | null

  constructor (constants: ServerConstants) {
    this.#constant = constants.publish(run)
  }

  get isConstant (): boolean { return this.#constant !== null }

  /**
   * Sends the sequence from `at` on, at most to `end`. Returns how many bytes; 0: no credit; -1: it has to be copied.
   */
  trySend (channel: ServerChannel, at: number, end: number): number {
    if (this.#constant === null) return -1
    const from = at % PERIOD_BYTES
    return channel.sendConstant(this.#constant, from, Math.min(end - at, RUN_BYTES - from))
  }

  viewAt (at: number, end: number): Uint8Array {
    const from = at % PERIOD_BYTES
    return run.subarray(from, Math.min(RUN_BYTES, from + end - at))
  }
}
