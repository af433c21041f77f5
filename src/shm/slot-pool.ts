/** A channel's share is this part of what is free: see `SlotPool`. */
const SHARE = 16

/** Channels that hold no slot, and are kept in the table. */
const MAX_IDLE_HOLDERS = 4096

const FREE = 0
const CLAIMED = 1
const SENT = 2

/**
 * Who holds which slot of the pool that this side fills, from private state only: the peer can give back what it was
 * sent, and nothing else.
 *
 * A channel may claim a slot while it holds less than a sixteenth of what is free (the dynamic threshold of Choudhury
 * and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998, with alpha = 1/16). So the
 * shares of all channels together never exceed the pool: n busy channels come to rest at 1/(n + 16) of it each, and
 * 16/(n + 16) are left. Of readers that stall one after the other each takes at most a seventeenth of what was left, so
 * that halves with every eleven of them; a pool can still run dry: a channel with nothing then needs another way
 * (`ClaimMemory.tryClaim`).
 */
export class SlotPool {
  readonly slots: number
  /** Free slots, the last returned on top: it is still in the caches. */
  private readonly free: Int32Array
  private readonly state: Uint8Array
  private readonly owner: Uint32Array
  /**
   * By channel id. Those that hold nothing stay until there are many of them: to forget one and learn it again for
   * every message costs more.
   */
  private readonly held = new Map<number, number>()
  private freeCount: number
  private claimedCount = 0

  constructor (slots: number) {
    this.slots = slots
    this.free = Int32Array.from({ length: slots }, (_, i) => slots - 1 - i)
    this.freeCount = slots
    this.state = new Uint8Array(slots)
    this.owner = new Uint32Array(slots)
  }

  get available (): number { return this.freeCount }
  /** Slots that this side still fills or keeps: claimed and not sent. */
  get claimed (): number { return this.claimedCount }

  heldBy (channelId: number): number {
    return this.held.get(channelId) ?? 0
  }

  canClaim (channelId: number): boolean {
    return this.heldBy(channelId) * SHARE < this.freeCount
  }

  /** A slot for `channelId`, or -1: its share is used up. */
  tryClaim (channelId: number): number {
    const held = this.heldBy(channelId)
    if (held * SHARE >= this.freeCount) return -1
    const slot = this.free[--this.freeCount]!
    this.state[slot] = CLAIMED
    this.owner[slot] = channelId
    this.held.set(channelId, held + 1)
    if (this.held.size > this.slots + MAX_IDLE_HOLDERS) this.forgetIdle()
    this.claimedCount++
    return slot
  }

  /** A claimed slot is on its way: the peer is to give it back. */
  send (slot: number): void {
    this.state[slot] = SENT
    this.claimedCount--
  }

  /** A claimed slot will not be sent. */
  unclaim (slot: number): void {
    this.claimedCount--
    this.put(slot)
  }

  /** The peer gives back `slot`, whatever that is. False: it does not have it. */
  tryReturn (slot: number): boolean {
    if (this.state[slot] !== SENT) return false
    this.put(slot)
    return true
  }

  private put (slot: number): void {
    this.state[slot] = FREE
    this.free[this.freeCount++] = slot
    const channelId = this.owner[slot]!
    this.held.set(channelId, this.held.get(channelId)! - 1)
  }

  private forgetIdle (): void {
    for (const [channelId, held] of this.held) if (held === 0) this.held.delete(channelId)
  }
}
