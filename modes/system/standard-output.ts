import { writeSync } from 'node:fs'

/** The reader has gone, as `head` does, or the terminal has been closed: nobody is left to be told. */
const GONE = ['EPIPE', 'EIO', 'ECONNRESET', 'ENXIO']

export function isReaderGone (error: NodeJS.ErrnoException): boolean {
  return GONE.includes(error.code ?? '')
}

/** For the rest of the process: what cannot be printed is said once, on standard error, and makes the exit code 1. */
export function watchStandardOutput (name: string): void {
  let hasFailed = false
  process.stderr.on('error', () => {}) // there is nowhere to say it
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (hasFailed || isReaderGone(error)) return
    hasFailed = true
    failOutput(name, error)
  })
}

export function failOutput (name: string, error: NodeJS.ErrnoException): void {
  process.on('exit', (code) => { if (code === 0) process.exitCode = 1 })
  try {
    const cure = 'make room, or send the output elsewhere'
    writeSync(2, `${name}: Cannot write to standard output: ${error.message}: ${cure}\n`)
  } catch {}
}
