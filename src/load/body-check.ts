/** Below this, a loop beats the call into Buffer.compare (measured: about 60 ns whatever the length, a loop about 1 ns a byte). */
const LOOP_MAX_BYTES = 48

/** Compares one body after another with the expected bytes while they stream by, without keeping any of them. */
export class BodyCheck {
  readonly #expected: Buffer
  #receivedBytes = 0
  #isWrong = false

  constructor (expected: Buffer) {
    this.#expected = expected
  }

  /** A new body begins. */
  reset (): void {
    this.#receivedBytes = 0
    this.#isWrong = false
  }

  /** Body bytes [start, end) of `view`, which continue what was added before. */
  add (view: Buffer, start: number, end: number): void {
    const offset = this.#receivedBytes
    this.#receivedBytes += end - start
    if (this.#isWrong) return
    this.#isWrong = this.#receivedBytes > this.#expected.length || !isEqual(view, start, end, this.#expected, offset)
  }

  /** True as soon as no further byte can make this body right. */
  get isWrong (): boolean { return this.#isWrong }

  /** What is wrong with the body, now that it is complete (or hopeless); null: nothing. */
  verdict (): string | null {
    if (!this.#isWrong && this.#receivedBytes === this.#expected.length) return null
    if (this.#receivedBytes > this.#expected.length) return `body is longer than the expected ${this.#expected.length} bytes`
    return this.#isWrong ? 'body differs from the expected bytes' : `body is shorter than the expected ${this.#expected.length} bytes`
  }
}

function isEqual (view: Buffer, start: number, end: number, expected: Buffer, offset: number): boolean {
  if (end - start > LOOP_MAX_BYTES) return view.compare(expected, offset, offset + end - start, start, end) === 0
  for (let i = start; i < end; i++) {
    if (view[i] !== expected[offset + i - start]) return false
  }
  return true
}
