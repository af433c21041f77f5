import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { markedProcesses, treeOf } from './process-tree.js'
import { ignoreStopSignals } from './signals.js'

/**
 * The guard's program; see `guard.ts`. Argument: the mark. Standard input: `+GROUP` and `-GROUP`, a line each, until
 * the run is gone.
 */

/** How long programs, and roles that find their run gone, have to end by themselves. */
const GRACE_MS = 3000
const LOOK_INTERVAL_MS = 50

const [, , mark = ''] = process.argv
const groups = new Set<number>()

ignoreStopSignals()
for await (const line of createInterface({ input: process.stdin })) {
  const group = Number(line.slice(1))
  if (line.startsWith('+')) groups.add(group)
  else groups.delete(group)
}
for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  const endsAt = performance.now() + GRACE_MS
  const told = new Set<number>()
  for (let left = living(); left.length > 0 && performance.now() < endsAt; left = living()) {
    for (const pid of left) if (!told.has(pid)) tryKill(pid, signal)
    for (const pid of left) told.add(pid)
    await delay(LOOK_INTERVAL_MS)
  }
}

/** Processes; without /proc, groups as negative numbers. */
function living (): number[] {
  const trees = [...groups].flatMap((group) =>
    treeOf(group)?.map(({ pid }) => pid) ?? (tryKill(-group, 0) ? [-group] : []))
  return [...new Set([...trees, ...markedProcesses(mark)])]
}

function tryKill (pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // it has ended
  }
}
