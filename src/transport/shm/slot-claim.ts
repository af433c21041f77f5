import type { Claim } from '../transport.js'

/**
 * A claim over a slot, or over private memory for a payload that is to travel inline: these are reused, and there is
 * one per slot. Or over constants.
 */
export class ShmClaim implements Claim {
  /** What goes into the descriptor: the slot, -1, or for constants -2 or less. */
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
