export const NO_BYTES = new Uint8Array(0)

/** Up to here a loop is faster than `set()`, which needs a view made for it. */
const LOOP_UP_TO_BYTES = 256

/** Copies `bytes` bytes between different memory. Both ranges must lie inside. */
export function copyBytes (
  source: Uint8Array,
  start: number,
  bytes: number,
  target: Uint8Array,
  targetStart: number
): void {
  if (bytes > LOOP_UP_TO_BYTES) target.set(source.subarray(start, start + bytes), targetStart)
  else for (let i = 0; i < bytes; i++) target[targetStart + i] = source[start + i]!
}
