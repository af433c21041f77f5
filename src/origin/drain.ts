import type { CloseOptions } from './origin.js'

/** How often a draining server is looked at. */
const LOOK_INTERVAL_MS = 20

/**
 * Makes the `close()` of an origin: `cut` runs once, when `isIdle()` says that nothing is at hand any more, or when the
 * shortest time that any caller has allowed is over.
 */
export function closerOf (
  stopListening: () => void,
  isIdle: () => boolean,
  cut: () => void
): (options?: CloseOptions) => Promise<void> {
  let endsAtMs = Infinity
  let look = (): void => {}
  let closed: Promise<void> | null = null
  return async ({ drainMs = 0 } = {}) => {
    endsAtMs = Math.min(endsAtMs, performance.now() + drainMs)
    if (closed === null) {
      stopListening()
      closed = new Promise((resolve) => {
        const timer = setInterval(() => {
          look()
        }, LOOK_INTERVAL_MS)
        look = () => {
          if (performance.now() < endsAtMs && !isIdle()) return
          clearInterval(timer)
          look = () => {}
          cut()
          resolve()
        }
      })
    }
    look()
    await closed
  }
}
