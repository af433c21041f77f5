/**
 * The signals of a long-running command: SIGTERM and the first SIGINT close in good order, a second SIGINT stops at once.
 * `stopNow` must leave nothing behind and needs not be waited for long.
 */
export function onShutdown (close: () => Promise<void>, stopNow: () => Promise<void>): void {
  let closing = false
  const begin = (): void => {
    if (closing) return
    closing = true
    close().then(() => process.exit(0), (error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  }
  process.on('SIGTERM', begin)
  process.on('SIGINT', () => {
    if (!closing) {
      begin()
      return
    }
    setTimeout(() => process.exit(130), 1000)
    void stopNow().finally(() => process.exit(130))
  })
}
