/**
 * The bytes every origin serves and every load generator expects: an endless sequence of period 65,521. The period is a
 * prime, so bytes that moved by any power of two (a wrong slot, a wrong page) never look right by accident.
 * Generator: xorshift32 (Marsaglia, 2003), seed 0x9E3779B9.
 */
export const PERIOD_BYTES = 65_521

/** Body of `GET /small`: the 2 bytes `ok`. Also the body of `GET /health`. */
export const SMALL_BODY: Uint8Array = new Uint8Array([0x6f, 0x6b])

/** Length of the body of `GET /large`. */
export const LARGE_BODY_BYTES = 262_144

const period = (() => {
  const bytes = new Uint8Array(PERIOD_BYTES)
  let x = 0x9E3779B9
  for (let i = 0; i < PERIOD_BYTES; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x & 0xff
  }
  return bytes
})()

/** The first `bytes` bytes of the sequence, in memory of its own. */
export function contentBytes (bytes: number): Uint8Array {
  return contentSlice(0, bytes)
}

/** `bytes` bytes of the sequence from position `offset`, in memory of its own. */
export function contentSlice (offset: number, bytes: number): Uint8Array {
  const slice = new Uint8Array(bytes)
  for (let done = 0; done < bytes;) {
    const from = (offset + done) % PERIOD_BYTES
    const length = Math.min(PERIOD_BYTES - from, bytes - done)
    slice.set(period.subarray(from, from + length), done)
    done += length
  }
  return slice
}
