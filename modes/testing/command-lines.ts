import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CommandLine, Printed } from './command-line-process.js'

let child: ChildProcess | null = null
let nextId = 0
const waiting = new Map<number, { resolve: (printed: Printed) => void, reject: (error: Error) => void }>()

/**
 * What a program prints that ends by itself and soon, and starts nothing: a refusal, a help text, a report. All command
 * lines of a test file share one process, one after the other. Rejects when one of them ends that process.
 */
export async function print (
  name: string,
  args: readonly string[],
  options: Pick<CommandLine, 'cwd' | 'env'> = {}
): Promise<Printed> {
  child ??= start()
  const id = nextId++
  return await new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject })
    // Only while it works does the process keep the test's alive.
    child!.channel!.ref()
    child!.send({ id, commandLine: { name, args, ...options } })
  })
}

function start (): ChildProcess {
  const program = fileURLToPath(new URL('command-line-process.js', import.meta.url))
  const started = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  started.unref()
  started.on('message', ({ id, printed }: { id: number, printed: Printed }) => {
    waiting.get(id)!.resolve(printed)
    waiting.delete(id)
    if (waiting.size === 0) started.channel?.unref()
  })
  started.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`A command line ended its process (${signal ?? code})`))
    waiting.clear()
    child = null
  })
  return started
}
