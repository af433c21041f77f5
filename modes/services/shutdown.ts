import { reportError } from '../options/cures.js'
import { onStopSignal, STOP_TIMEOUT_MS } from '../system/signals.js'

/**
 * The signals of a long-running command. SIGTERM, SIGHUP and the first SIGINT close in good order, exit code 0; a
 * second SIGINT
 * stops at once, exit code 130. Register it before what is closed has started, so that there is no moment at which a
 * signal
 * leaves things behind.
 *
 * @param close Lets connections at hand go on for at most `drainMs`. Called again with 0, it shortens that.
 */
export function onShutdown (name: string, drainMs: number, close: (drainMs: number) => Promise<void>): void {
  let isClosing = false
  let isStopping = false
  const begin = (ms: number): void => {
    isClosing = true
    close(ms).then(() => process.exit(isStopping ? 130 : 0), (error: unknown) => {
      reportError(name, error)
      process.exit(1)
    })
  }
  onStopSignal((signal) => {
    if (!isClosing) return begin(drainMs)
    if (signal !== 'SIGINT' || isStopping) return
    isStopping = true
    setTimeout(() => process.exit(130), STOP_TIMEOUT_MS)
    begin(0)
  })
}
