/**
 * Byte credit of one direction of one channel, as pure arithmetic. The receiver grants a window of bytes; the sender
 * spends it; the receiver grants again what it has consumed, in batches of half the window. At all times `available +
 * in flight + kept by the receiver + consumed but not yet granted = window`.
 */
export class SendCredit {
  readonly windowBytes: number
  #available: number

  constructor (windowBytes: number) {
    this.windowBytes = windowBytes
    this.#available = windowBytes
  }

  get available (): number { return this.#available }

  /** Spends `bytes`, at most `available`. */
  spend (bytes: number): void {
    this.#available -= bytes
  }

  /** False: the peer grants more than it can have consumed, which breaks the protocol. */
  tryGrant (bytes: number): boolean {
    if (bytes > this.windowBytes - this.#available) return false
    this.#available += bytes
    return true
  }
}

export class ReceiveCredit {
  readonly windowBytes: number
  /** What the sender may still send. */
  #outstanding: number
  #consumed = 0

  constructor (windowBytes: number) {
    this.windowBytes = windowBytes
    this.#outstanding = windowBytes
  }

  /** False: the peer sends more than it was granted, which breaks the protocol. */
  tryReceive (bytes: number): boolean {
    if (bytes > this.#outstanding) return false
    this.#outstanding -= bytes
    return true
  }

  /**
   * `bytes` of what was received are consumed. Returns how many bytes to grant now: 0, or at least half the window.
   * `isLast`: no more will come, and whatever is consumed is granted, so that the sender knows.
   */
  consume (bytes: number, isLast = false): number {
    this.#consumed += bytes
    if (!isLast && this.#consumed * 2 < this.windowBytes) return 0
    const grant = this.#consumed
    this.#consumed = 0
    this.#outstanding += grant
    return grant
  }
}
