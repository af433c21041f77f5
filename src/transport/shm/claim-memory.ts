import type { ShmEndpoint, ShmSide } from '../../shm/endpoint.js'
import { CONSTANT_PAYLOAD, INLINE_PAYLOAD } from '../../shm/layout.js'
import { invalid } from '../../shm/ring.js'
import type { Segment } from '../../shm/segment-memory.js'
import { SlotPool } from '../../shm/slot-pool.js'
import { ConstantMemory } from './constant-memory.js'
import { ShmClaim } from './slot-claim.js'

/** Claims for short payloads that may exist at one time. */
const MAX_INLINE_CLAIMS = 4096

/** If nothing comes back for this long, readers that have stalled hold the whole pool. */
const STARVING_AFTER_MS = 20

export interface ClaimMemoryParts {
  readonly endpoint: ShmEndpoint
  readonly segment: Segment
  readonly side: ShmSide
  readonly words: Int32Array
  readonly poison: number | null
  /** Claims that were refused may succeed although nothing has come back. */
  readonly onStarving: () => void
  /** The peer broke a rule, or does not read. */
  readonly onBroken: (error: unknown) => void
}

/** Memory for payloads: the slots of the direction that this side fills, its constants, and short private buffers. */
export class ClaimMemory {
  readonly pool: SlotPool
  readonly constants: ConstantMemory
  readonly #parts: ClaimMemoryParts
  readonly #inlineBytes: number
  readonly #slotClaims: ShmClaim[]
  readonly #freeInlineClaims: ShmClaim[] = []
  #inlineClaims = 0
  /** A claim was refused, and memory has come back since. */
  #refused = false
  #gained = false
  /** The pool is empty, and nothing has come back for a while: a channel without a slot sends without one. */
  #starving = false
  #starvingTimer: NodeJS.Timeout | null = null

  constructor (parts: ClaimMemoryParts) {
    const { segment: { buffer, layout }, side, words } = parts
    const { slots, slotBytes, inlineBytes, constantBytes } = layout.sizes
    const direction = layout.directions[side]
    this.#parts = parts
    this.#inlineBytes = inlineBytes
    this.pool = new SlotPool(slots)
    this.constants = new ConstantMemory(buffer, direction, constantBytes, words)
    this.#slotClaims = Array.from(
      { length: slots },
      (_, slot) => new ShmClaim(slot, new Uint8Array(buffer, direction.slots + slot * slotBytes, slotBytes))
    )
  }

  /**
   * Short payloads need no slot. A channel over its share waits until slots come back; where none do because readers
   * have stalled, one that has no slot gets an inline claim, however much it wants: slow, but it goes on.
   */
  tryClaim (bytes: number, channelId: number): ShmClaim | null {
    if (bytes > this.#inlineBytes) {
      let slot = this.pool.tryClaim(channelId)
      if (slot < 0 && this.takeReturns()) slot = this.pool.tryClaim(channelId)
      if (slot >= 0) return this.#slotClaims[slot]!.open(bytes)
    }
    if (!this.#canClaimInline(bytes, channelId)) {
      this.#handleRefusal()
      return null
    }
    this.#inlineClaims++
    return (this.#freeInlineClaims.pop() ?? new ShmClaim(INLINE_PAYLOAD, new Uint8Array(this.#inlineBytes))).open(bytes)
  }

  canClaim (bytes: number, channelId: number): boolean {
    const { pool } = this
    const hasSlot = bytes > this.#inlineBytes &&
      (pool.canClaim(channelId) || (this.takeReturns() && pool.canClaim(channelId)))
    if (hasSlot || this.#canClaimInline(bytes, channelId)) return true
    this.#handleRefusal()
    return false
  }

  #canClaimInline (bytes: number, channelId: number): boolean {
    return this.#inlineClaims < MAX_INLINE_CLAIMS &&
      (bytes <= this.#inlineBytes || (this.#starving && this.pool.heldBy(channelId) === 0))
  }

  #handleRefusal (): void {
    this.#refused = true
    this.#gained = false
    this.#starvingTimer ??= setTimeout(() => { this.#handleTimer() }, STARVING_AFTER_MS)
  }

  #handleTimer (): void {
    this.#starvingTimer = null
    if (!this.#refused || this.#gained || this.#starving) return
    this.#starving = this.#gained = true
    this.#parts.onStarving()
  }

  #gain (): void {
    this.#gained = true
    this.#starving = false
  }

  /** No timer runs any more. */
  stop (): void {
    if (this.#starvingTimer !== null) clearTimeout(this.#starvingTimer)
  }

  /** Nobody needs the claim's memory any more: it is not sent, or its payload travels inline. */
  free (claim: ShmClaim): void {
    if (claim.slot <= CONSTANT_PAYLOAD) return this.constants.abandon(claim)
    if (claim.slot === INLINE_PAYLOAD) {
      if (this.#inlineClaims-- === MAX_INLINE_CLAIMS) this.#gained = true
      this.#freeInlineClaims.push(claim)
      return
    }
    this.#gain()
    this.#poisonSlot(claim.slot)
    this.pool.unclaim(claim.slot)
  }

  /** Takes back the slots that the peer returns. Returns whether there were any. */
  takeReturns (): boolean {
    const { words, endpoint } = this.#parts
    const { peerReturns } = endpoint
    try {
      if (!peerReturns.refresh()) return false
      const first = endpoint.returnRingOf('peer')
      for (let place = peerReturns.tryNext(); place >= 0; place = peerReturns.tryNext()) {
        const slot = words[first + place]!
        if (!this.pool.tryReturn(slot)) {
          throw invalid(`it may give back a slot that it was sent, once: it gives back ${slot}`)
        }
        this.#poisonSlot(slot)
      }
    } catch (error) {
      this.#parts.onBroken(error)
      return false
    }
    this.#gain()
    return true
  }

  /** Memory that this side's users may still write to. */
  get claimed (): number { return this.pool.claimed }

  #poisonSlot (slot: number): void {
    const { poison } = this.#parts
    if (poison !== null) this.#slotClaims[slot]!.memory.fill(poison)
  }

  /** Somebody was refused: this side is to be woken when something comes back. */
  get hasRefused (): boolean { return this.#refused }

  /** What was refused may succeed now. */
  get mayRetry (): boolean { return this.#refused && this.#gained }

  /** Those that were refused are told to try again. */
  handleRetry (): void { this.#refused = false }
}
