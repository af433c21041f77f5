import type { ServerChannel } from './server-channel.js'

/** Copies chunks into a channel, as far as credit and memory allow. */
export class ChunkWriter {
  readonly #channel: ServerChannel
  #chunks: readonly Uint8Array[] = []
  #index = 0
  /** Of the chunk at hand: bytes that are sent. */
  #at = 0

  constructor (channel: ServerChannel) {
    this.#channel = channel
  }

  /** What is to be sent next. All that was given before must be sent. */
  start (chunks: readonly Uint8Array[]): void {
    this.#chunks = chunks
    this.#index = this.#at = 0
  }

  /** Returns whether all is sent; otherwise the channel's `onClaimable()` follows. */
  pump (): boolean {
    let left = this.rest().reduce((sum, chunk) => sum + chunk.length, 0)
    while (left > 0) {
      const claim = this.#channel.claim(left)
      if (claim === null) return false
      const room = Math.min(claim.length, left)
      for (let used = 0; used < room;) {
        const chunk = this.#chunks[this.#index]!
        const bytes = Math.min(room - used, chunk.length - this.#at)
        claim.set(chunk.subarray(this.#at, this.#at + bytes), used)
        used += bytes
        this.#at += bytes
        if (this.#at < chunk.length) continue
        this.#index++
        this.#at = 0
      }
      this.#channel.commit(room, true)
      left -= room
    }
    this.start([])
    return true
  }

  /** Bytes not sent yet. */
  rest (): Uint8Array[] {
    return this.#chunks.slice(this.#index).map((chunk, i) => i === 0 ? chunk.subarray(this.#at) : chunk)
  }
}
