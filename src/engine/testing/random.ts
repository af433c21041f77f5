/** Repeatable random integers: xorshift32 (Marsaglia, 2003). The seed is any integer but 0. */
export class Random {
  private state: number

  constructor (seed: number) {
    this.state = Math.imul(seed, 0x9E3779B9) | 0
    for (let i = 0; i < 8; i++) this.below(1)
  }

  /** 0 to `limit` - 1. */
  below (limit: number): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return (this.state >>> 0) % limit
  }
}
