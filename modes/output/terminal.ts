import { onStopSignal, STOP_TIMEOUT_MS } from '../system/signals.js'

/** What commands that measure have in common on a terminal: progress, and Ctrl-C. */

/** Erases from the cursor to the end of the line (ECMA-48 EL). */
const CLEAR_LINE = '\x1b[K'

/** Something to know that is no error. */
export function printNote (note: string): void {
  console.error(`tunnel-bench: ${note}`)
}

export interface Progress {
  line (text: string): void
  /** What is going on; `text` is told how wide the terminal is. */
  status (text: (columns: number) => string): void
  clear (): void
}

/** For what `process.stdout` is: a terminal, or something that keeps every line. */
export function createProgress (): Progress {
  return process.stdout.isTTY ? terminalProgress(process.stdout) : lineProgress
}

const lineProgress: Progress = { line: (text) => { console.log(text) }, status: () => {}, clear: () => {} }

/** The status is in the last line and is overwritten. */
export function terminalProgress (terminal: NodeJS.WriteStream): Progress {
  const clear = (): void => { terminal.write(`\r${CLEAR_LINE}`) }
  return {
    line: (text) => {
      clear()
      console.log(text)
    },
    status: (text) => {
      clear()
      terminal.write(text(terminal.columns || 80)) // a terminal may say that it has 0 columns
    },
    clear
  }
}

/**
 * Aborted by the first Ctrl-C, SIGTERM or SIGHUP, which ends the command in good order; the second stops at once.
 * Without `stopNow` there is nothing to close, and nothing that takes so long that it has to be said.
 */
export function interruptSignal (stopNow?: () => Promise<void>): AbortSignal {
  const controller = new AbortController()
  onStopSignal(() => {
    if (!controller.signal.aborted) {
      if (stopNow !== undefined) {
        console.error('\ntunnel-bench: interrupted: closing in good order; once more to stop at once')
      }
      controller.abort()
      return
    }
    if (stopNow === undefined) process.exit(130)
    // Not without closing: an open uWebSockets.js app in a thread makes the process abort.
    setTimeout(() => process.exit(130), STOP_TIMEOUT_MS)
    void stopNow().finally(() => process.exit(130))
  })
  return controller.signal
}
