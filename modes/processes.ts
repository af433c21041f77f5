import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Launch } from './role-handle.js'

const LAST_WORDS_CHARACTERS = 2000

/** `--mode processes`: every role is an operating-system process of its own; it ends with this one, whatever ends this one. */
export const launchProcess: Launch = (name) => {
  const child = fork(fileURLToPath(new URL(`../workers/${name}.js`, import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  let lastWords = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => { lastWords = (lastWords + text).slice(-LAST_WORDS_CHARACTERS) })
  let startError: Error | null = null
  return {
    channel: {
      // A send to a child that has just died fails; that it died is told by `ended`.
      post: (message) => { child.send(message as object, () => {}) },
      on: (listener) => { child.on('message', listener) },
      off: (listener) => { child.off('message', listener) }
    },
    ended: new Promise((resolve) => {
      child.on('error', (error) => {
        startError = error
        if (child.pid === undefined) resolve(`could not be started: ${error.message}`)
      })
      child.on('close', (code, signal) => {
        const words = lastWords.trim() !== '' ? `: ${lastWords.trim()}` : startError !== null ? `: ${startError.message}` : ''
        resolve(`${signal !== null ? `was ended by ${signal}` : `exited with code ${code}`}${words}`)
      })
    }),
    kill: () => { child.kill('SIGKILL') }
  }
}
