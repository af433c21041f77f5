import type { TunnelError } from '../base/errors.js'
import type { Reader, Socket } from '../engine/engine.js'

/** Memory of one read, about what the tunnel's slots hold. */
export const PIECE_BYTES = 65_536
/** Pieces of one direction that may be in flight: then reading pauses, and the sender feels it. */
export const PIECES_PER_DIRECTION = 4

/** Free pieces of a relay; what a burst needed is kept, up to `limit`. */
export class PiecePool {
  readonly #free: Uint8Array[] = []
  readonly #limit: number

  constructor (limit: number) {
    this.#limit = limit
  }

  take (): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(PIECE_BYTES)
  }

  put (piece: Uint8Array): void {
    if (this.#free.length < this.#limit) this.#free.push(piece)
  }
}

/** One end of a relayed connection: what it reads is written to the other end from where it lies. */
export class RelayEnd implements Reader {
  /** As in the tunnel, so that idle connections hold no memory here either. */
  readonly claimReserves = true
  socket!: Socket
  other!: RelayEnd
  isClosed = false
  readonly #pool: PiecePool
  readonly #onClose: (error: TunnelError | null) => void
  #claimed: Uint8Array | null = null
  #inFlight = 0
  #paused = false

  constructor (pool: PiecePool, onClose: (error: TunnelError | null) => void) {
    this.#pool = pool
    this.#onClose = onClose
  }

  claim (): Uint8Array | null {
    if (this.#claimed !== null) return this.#claimed
    this.#paused = this.#inFlight >= PIECES_PER_DIRECTION
    if (!this.#paused) this.#claimed = this.#pool.take()
    return this.#claimed
  }

  commit (bytes: number): void {
    const piece = this.#claimed!
    this.#claimed = null
    this.#inFlight++
    this.other.socket.write(piece.subarray(0, bytes), () => {
      this.#inFlight--
      this.#pool.put(piece)
      if (!this.#paused || this.isClosed) return
      this.#paused = false
      this.socket.resume()
    })
  }

  end (): void {
    this.other.socket.shutdown()
  }

  close (error: TunnelError | null): void {
    this.isClosed = true
    if (this.#claimed !== null) this.#pool.put(this.#claimed)
    this.#claimed = null
    // After a good end of both directions the other end is done or about to be; anything else is an abort, and passes
    // through.
    if (error !== null && !this.other.isClosed) this.other.socket.reset()
    this.#onClose(error)
  }
}
