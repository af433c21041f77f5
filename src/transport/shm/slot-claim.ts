import type { Claim } from '../transport.js'

/** A claim over a slot, or over private memory for a payload that is to travel inline. Reused: there is one per slot. */
export class ShmClaim implements Claim {
  /** The slot, or -1. */
  readonly slot: number
  /** All of its memory. */
  readonly memory: Uint8Array
  view: Uint8Array
  committedBytes = 0
  copied = false

  constructor (slot: number, memory: Uint8Array) {
    this.slot = slot
    this.memory = this.view = memory
  }

  open (bytes: number): this {
    this.view = bytes >= this.memory.length ? this.memory : this.memory.subarray(0, bytes)
    this.committedBytes = 0
    return this
  }
}
