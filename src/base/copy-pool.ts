import { copyBytes } from './copy-bytes.js'
import { ErrorCode, TunnelError } from './errors.js'

/**
 * The shortest buffer; each further class is twice as long. Half of a buffer is empty at most, so what is kept is what
 * was copied.
 */
const MIN_BYTES = 64
const MIN_BITS = 32 - Math.clz32(MIN_BYTES - 1)
/** Free buffers of a class that are kept. */
const MAX_FREE = 256

/** A copy in a buffer of the pool, valid until `release()`, which is to be called once. */
export interface Copy {
  readonly view: Uint8Array
  readonly release: () => void
}

/**
 * Copies of short payloads, in buffers that are used again. Where the next copy is as long as the last one in its
 * buffer nothing is allocated, not even a view: so it is with the messages of a benchmark, and with many others.
 */
export class CopyPool {
  /** By class. */
  readonly #free: PooledCopy[][] = []

  /** A copy of `bytes` bytes, at least 1, of `source` from `start` on. */
  copy (source: Uint8Array, start: number, bytes: number): Copy {
    const sizeClass = Math.max(0, 32 - Math.clz32(bytes - 1) - MIN_BITS)
    const free = this.#free[sizeClass] ??= []
    const copy = free.pop() ?? new PooledCopy(MIN_BYTES << sizeClass, free)
    copy.open(bytes)
    copyBytes(source, start, bytes, copy.view, 0)
    return copy
  }
}

class PooledCopy implements Copy {
  view: Uint8Array
  readonly release: () => void
  readonly #memory: Uint8Array
  #isFree = true

  constructor (bytes: number, free: PooledCopy[]) {
    this.#memory = this.view = new Uint8Array(bytes)
    this.release = () => {
      if (this.#isFree) throw new TunnelError(ErrorCode.INTERNAL, 'Cannot release a copy: it was released before')
      this.#isFree = true
      if (free.length < MAX_FREE) free.push(this)
    }
  }

  open (bytes: number): void {
    this.#isFree = false
    if (this.view.length !== bytes) this.view = this.#memory.subarray(0, bytes)
  }
}
