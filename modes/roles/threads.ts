import { messageOf } from '../../src/base/errors.js'
import { Worker } from 'node:worker_threads'
import { portChannel } from '../../workers/control.js'
import type { Launch, RoleRunner } from './role-handle.js'

/** `--mode threads`: every role is a worker thread of this process. */
export const launchThread: Launch = (name) => startThread(new URL(`../../workers/${name}.js`, import.meta.url), name)

export function startThread (entryPoint: URL, name: string): RoleRunner {
  const worker = new Worker(entryPoint, { name })
  let lastWords = ''
  worker.on('error', (error) => { lastWords = `: ${messageOf(error)}` })
  return {
    channel: portChannel(worker),
    pid: null,
    ended: new Promise((resolve) => {
      worker.on('exit', (code) => {
        resolve(`exited with code ${code}${lastWords}`)
      })
    }),
    kill: () => {
      void worker.terminate()
    }
  }
}
