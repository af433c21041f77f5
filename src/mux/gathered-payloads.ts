/** Payloads that a channel's user may hold before further short ones are gathered. */
export const MANY_PAYLOADS = 64

/** From here on what a payload costs beyond its bytes is less than they are. */
const SHORT_BYTES = 1024
const GATHER_BYTES = 4096

/**
 * Short payloads for a user who holds many already, one after the other in one piece of memory. Credit counts bytes,
 * and each payload that is held
 * costs about a KiB more: so what a peer can make this side keep is about what it was granted, also where it sends
 * single bytes.
 */
export class GatheredPayloads {
  #memory: Uint8Array | null = null
  #bytes = 0

  get isEmpty (): boolean { return this.#bytes === 0 }

  /** Copies the payload behind the others. False: it is long enough to be handed on by itself, or there is no room. */
  tryAdd (payload: Uint8Array): boolean {
    if (payload.length >= SHORT_BYTES || this.#bytes + payload.length > GATHER_BYTES) return false
    this.#memory ??= new Uint8Array(GATHER_BYTES)
    this.#memory.set(payload, this.#bytes)
    this.#bytes += payload.length
    return true
  }

  /** All of them as one payload. */
  take (): Uint8Array {
    const payload = this.#memory!.slice(0, this.#bytes)
    this.#bytes = 0
    return payload
  }
}
