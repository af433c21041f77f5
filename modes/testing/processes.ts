import { execFileSync } from 'node:child_process'

export interface ProcessInfo {
  readonly pid: number
  readonly command: string
}

/** The processes that `pid` has started and that still run. */
export function childrenOf (pid: number): ProcessInfo[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state=,args='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const [, child, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      return Number(parent) === pid && !state!.startsWith('Z') ? [{ pid: Number(child), command: command! }] : []
    })
}

/** The roles of a run. */
export function rolesOf (pid: number): ProcessInfo[] {
  return childrenOf(pid).filter(({ command }) => command.includes('/workers/'))
}

/** The command lines of running processes, whoever started them, that match. */
export function processesLike (pattern: RegExp): string[] {
  return execFileSync('ps', ['-A', '-o', 'state=,args='], { encoding: 'utf8' }).split('\n').flatMap((line) => {
    const [, state, command] = /^\s*(\S+)\s+(.*)$/.exec(line) ?? []
    return command !== undefined && pattern.test(command) && !state!.startsWith('Z') ? [command] : []
  })
}
