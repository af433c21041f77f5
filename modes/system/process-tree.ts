import { readdirSync, readFileSync } from 'node:fs'
import { type CpuUsage, TICK_US } from '../../src/metrics/cpu.js'

/** The environment variable by which the processes of a run are known, wherever they went. */
export const MARK = 'TUNNEL_BENCH_RUN'

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

/**
 * CPU time of the tree so far, its ended children included; exact to a tick of 10 ms per process. null where it cannot
 * be told.
 */
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

/**
 * The living processes that have the mark in the environment they were started with, but for this one; none where
 * there is no /proc. A process
 * that was given another environment, or writes its title over it, is not among them.
 */
export function markedProcesses (mark: string): number[] {
  const entry = `${MARK}=${mark}`
  return processIds().filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry)
    } catch {
      return false // it has just ended, or is another user's
    }
  })
}

function readProcesses (): ProcessStat[] | null {
  const pids = processIds()
  if (pids.length === 0) return null
  return pids.flatMap((pid) => {
    try {
      return [parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))]
    } catch {
      return [] // it has just ended
    }
  })
}

/** None where there is no /proc. */
function processIds (): number[] {
  if (process.platform !== 'linux') return []
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
  } catch {
    return []
  }
}

/**
 * proc(5): pid (command) state ppid pgrp …; the command may hold spaces and parentheses. Fields 14 to 17 are utime,
 * stime, cutime, cstime.
 */
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
