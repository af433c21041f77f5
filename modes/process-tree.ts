import { readdirSync, readFileSync } from 'node:fs'
import type { CpuUsage } from '../src/metrics/cpu.js'

/** Linux counts the times in /proc/…/stat in ticks of 1/100 s for user space, on every architecture (USER_HZ). */
const TICK_US = 10_000

interface ProcessStat {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  /** Ended children that were waited for included. */
  readonly userTicks: number
  readonly systemTicks: number
}

/** The living processes of a group and all their descendants, wherever they went; null where there is no /proc. */
export function treeOf (group: number): ProcessStat[] | null {
  const all = readProcesses()
  if (all === null) return null
  const found = new Map(all.filter((one) => one.group === group).map((one) => [one.pid, one]))
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const one of all) if (found.has(one.parent)) found.set(one.pid, one)
  }
  return [...found.values()].filter(({ state }) => state !== 'Z' && state !== 'X')
}

/** CPU time of the tree so far, its ended children included; exact to a tick of 10 ms per process. null where it cannot be told. */
export function treeCpu (group: number): CpuUsage | null {
  const tree = treeOf(group)
  if (tree === null) return null
  const usage: CpuUsage = { userUs: 0, systemUs: 0 }
  for (const { userTicks, systemTicks } of tree) {
    usage.userUs += userTicks * TICK_US
    usage.systemUs += systemTicks * TICK_US
  }
  return usage
}

function readProcesses (): ProcessStat[] | null {
  if (process.platform !== 'linux') return null
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
      try {
        return [parseStat(readFileSync(`/proc/${name}/stat`, 'latin1'))]
      } catch {
        return [] // it has just ended
      }
    })
  } catch {
    return null
  }
}

/** proc(5): pid (command) state ppid pgrp …; the command may hold spaces and parentheses. Fields 14 to 17 are utime, stime, cutime, cstime. */
export function parseStat (stat: string): ProcessStat {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const number = (field: number): number => Number(fields[field - 3])
  return {
    pid: Number(stat.slice(0, stat.indexOf(' '))),
    state: fields[0]!,
    parent: number(4),
    group: number(5),
    userTicks: number(14) + number(16),
    systemTicks: number(15) + number(17)
  }
}
