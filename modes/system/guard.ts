import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { MARK } from './process-tree.js'

/**
 * A small process that ends what this one has started when this one is gone, however it ended: SIGKILL leaves it no
 * time to do so
 * itself. The guard reads a pipe, which the kernel closes with the last process that could write to it.
 */
let guard: ChildProcess | null = null

/** What is started from now on is guarded. Further calls do nothing. */
export function startGuard (): void {
  if (guard !== null) return
  const mark = randomUUID()
  // A session of its own: what a terminal sends to this process's group is not for it.
  const program = fileURLToPath(new URL('guard-process.js', import.meta.url))
  guard = spawn(process.execPath, [program, mark], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.on('error', () => {}) // it could not be started: then all is as it would be without
  guard.stdin!.on('error', () => {})
  guard.unref()
  ;(guard.stdin as unknown as { unref: () => void }).unref()
  process.env[MARK] = mark
}

/** What the processes that are started from now on carry in their environment; null without a guard. */
export function runMark (): string | null {
  return guard === null ? null : process.env[MARK] ?? null
}

/** A process group that has to end with this process. Its processes are known by it where the system has no /proc. */
export function guardGroup (group: number): void {
  guard?.stdin?.write(`+${group}\n`)
}

/** It has ended: its number may become somebody else's. */
export function forgetGroup (group: number): void {
  guard?.stdin?.write(`-${group}\n`)
}
