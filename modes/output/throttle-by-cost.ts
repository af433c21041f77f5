/** Throttles `action` so that it takes at most 10 % of wall time: it is called at once, or not at all. */
export function throttleByCost<Args extends unknown[]> (
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
