import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { childChannel } from '../../workers/control.js'
import type { Launch, RoleRunner } from './role-handle.js'

const LAST_WORDS_CHARACTERS = 2000

/**
 * `--mode processes`: every role is an operating-system process of its own; it ends with this one, whatever ends this
 * one.
 */
export const launchProcess: Launch = (name) => startProcess(new URL(`../../workers/${name}.js`, import.meta.url))

export function startProcess (entryPoint: URL): RoleRunner {
  const child = fork(fileURLToPath(entryPoint), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  let lastWords = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS_CHARACTERS)
  })
  let startError: Error | null = null
  return {
    channel: childChannel(child),
    pid: child.pid ?? null,
    ended: new Promise((resolve) => {
      child.on('error', (error) => {
        startError = error
        if (child.pid === undefined) resolve(`could not be started: ${error.message}`)
      })
      child.on('close', (code, signal) => {
        const words =
          lastWords.trim() !== '' ? `: ${lastWords.trim()}` : startError !== null ? `: ${startError.message}` : ''
        resolve(`${signal !== null ? `was ended by ${signal}` : `exited with code ${code}`}${words}`)
      })
    }),
    kill: () => { child.kill('SIGKILL') }
  }
}
