/** Calls `action` at once, or not at all: so seldom that it takes at most a tenth of the time. */
export function seldom<Args extends unknown[]> (
  action: (...args: Args) => void,
  nowMs: () => number = () => performance.now()
): (...args: Args) => void {
  let nextMs = -Infinity
  return (...args) => {
    const startMs = nowMs()
    if (startMs < nextMs) return
    action(...args)
    const endMs = nowMs()
    nextMs = endMs + 9 * (endMs - startMs)
  }
}
