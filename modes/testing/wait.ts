import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 30_000

/**
 * Resolves as soon as `holds`, which is asked again and again; rejects when it has not for long. For what sends no
 * event.
 */
export async function until (what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + DEADLINE_MS
  while (!await holds()) {
    if (performance.now() > endsAt) throw new Error(`Still not: ${what}`)
    await delay(20)
  }
}

export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
