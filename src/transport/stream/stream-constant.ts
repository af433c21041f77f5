import type { Claim, Constant, Constants } from '../transport.js'

/** Bytes that are sent again and again, and mostly from where they lie. */
export class StreamConstant implements Constant {
  readonly content: Uint8Array
  /** Claims that are unsent, and writes that the kernel has not taken. */
  uses = 0

  constructor (content: Uint8Array) {
    this.content = content
  }

  get bytes (): number { return this.content.length }
}

export class StreamConstants implements Constants {
  readonly maxClaimBytes = 0

  publish (bytes: Uint8Array): StreamConstant | null {
    return bytes.length === 0 ? null : new StreamConstant(new Uint8Array(bytes))
  }

  tryRewrite (constant: Constant, bytes: Uint8Array): boolean {
    const { uses, content } = constant as StreamConstant
    if (uses > 0) return false
    content.set(bytes)
    return true
  }

  claim (constant: Constant, offset: number, bytes: number): ConstantClaim {
    return new ConstantClaim(constant as StreamConstant, offset, bytes)
  }
}

export class ConstantClaim implements Claim {
  readonly constant: StreamConstant
  readonly offset: number
  readonly committedBytes: number

  constructor (constant: StreamConstant, offset: number, bytes: number) {
    this.constant = constant
    this.offset = offset
    this.committedBytes = bytes
    constant.uses++
  }

  get view (): Uint8Array {
    return this.constant.content.subarray(this.offset, this.offset + this.committedBytes)
  }
}
