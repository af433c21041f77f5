import { CONSTANT_PAYLOAD, CONSTANT_UNIT_BYTES } from '../../shm/layout.js'
import type { DirectionLayout } from '../../shm/segment-sizes.js'
import type { Claim, Constant, Constants } from '../transport.js'
import { ShmClaim } from './slot-claim.js'

/** Bytes in a segment that are sent from where they lie as often as needed. */
class ShmConstant implements Constant {
  /** From the beginning of the direction's constants; a multiple of the unit. */
  readonly offset: number
  readonly view: Uint8Array

  constructor (offset: number, view: Uint8Array) {
    this.offset = offset
    this.view = view
  }

  get bytes (): number { return this.view.length }
}

/**
 * The constants of the direction that this side fills. They are laid one behind the other, and never freed. Each begins
 * a unit of its own, so what the receiver counts in a unit's word is about one constant; a receiver that lies in it
 * spoils only what it reads itself.
 */
export class ConstantMemory implements Constants {
  readonly #words: Int32Array
  readonly #memory: Uint8Array
  readonly #returns: number
  /** Claims that began in each unit and were not abandoned. */
  readonly #uses: Int32Array
  #used = 0

  constructor (
    buffer: ArrayBufferLike,
    { constants, constantReturns }: DirectionLayout,
    constantBytes: number,
    words: Int32Array
  ) {
    this.#words = words
    this.#memory = new Uint8Array(buffer, constants, constantBytes)
    this.#returns = constantReturns >> 2
    this.#uses = new Int32Array(constantBytes / CONSTANT_UNIT_BYTES)
  }

  get maxClaimBytes (): number {
    return this.#memory.length
  }

  publish (bytes: Uint8Array): ShmConstant | null {
    const offset = this.#used
    if (bytes.length === 0 || bytes.length > this.#memory.length - offset) return null
    const constant = new ShmConstant(offset, this.#memory.subarray(offset, offset + bytes.length))
    constant.view.set(bytes)
    this.#used = Math.ceil((offset + bytes.length) / CONSTANT_UNIT_BYTES) * CONSTANT_UNIT_BYTES
    return constant
  }

  tryRewrite (constant: Constant, bytes: Uint8Array): boolean {
    const { offset, view } = constant as ShmConstant
    const first = offset / CONSTANT_UNIT_BYTES
    for (let unit = first; unit * CONSTANT_UNIT_BYTES < offset + view.length; unit++) {
      if (this.#uses[unit] !== Atomics.load(this.#words, this.#returns + unit)) return false
    }
    view.set(bytes)
    return true
  }

  claim (constant: Constant, offset: number, bytes: number): ShmClaim {
    const own = constant as ShmConstant
    const from = own.offset + offset
    const claim = new ShmClaim(CONSTANT_PAYLOAD - from, own.view)
    claim.committedBytes = bytes
    this.#uses[Math.floor(from / CONSTANT_UNIT_BYTES)]!++
    return claim
  }

  /** It will not be sent. */
  abandon ({ slot }: ShmClaim): void {
    this.#uses[Math.floor((CONSTANT_PAYLOAD - slot) / CONSTANT_UNIT_BYTES)]!--
  }
}

/** Before there is a segment. */
export const NO_CONSTANTS: Constants = {
  maxClaimBytes: 0,
  publish: () => null,
  tryRewrite: () => false,
  claim: (): Claim => { throw new RangeError('nothing was published') }
}
