import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** How often the CPU quota stopped this process's groups, and for how long, added up over CPUs. */
export interface Throttling {
  readonly count: number
  readonly us: number
}

/** mountinfo of proc(5): root of the mount, where it is, type, and options of the file system. */
const MOUNT = /^\S+ \S+ \S+ (\S+) (\S+) .*?- (cgroup2?) \S+ (\S+)/

/**
 * The CPU quota of this process: of its control group and of all around it, in cgroups(7) of version 1 or 2. Found
 * once; `root` is where
 * the file system begins.
 */
export class CpuCgroup {
  readonly #folders: readonly string[]

  constructor (root = '/') {
    const read = (path: string): string[] => (tryRead(posix.join(root, path)) ?? '').split('\n')
    const own = read('proc/self/cgroup').map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
    this.#folders = read('proc/self/mountinfo').flatMap((line) => {
      const [, mountRoot = '', mountPoint = '', type = '', options = ''] = MOUNT.exec(line) ?? []
      if (type === 'cgroup' && !options.split(',').includes('cpu')) return []
      const isOwn = (controllers: string): boolean =>
        type === 'cgroup' ? controllers.split(',').includes('cpu') : type === 'cgroup2' && controllers === ''
      const path = own.find(([, controllers]) => controllers !== undefined && isOwn(controllers))?.[2]
      return path === undefined ? [] : levels(posix.join(root, unescape(mountPoint)), unescape(mountRoot), path)
    })
  }

  /** In CPUs, which may be 1.5; null: none. */
  quota (): number | null {
    const quotas = this.#folders.flatMap((folder) => {
      const version1 = (): Array<string | null> =>
        ['quota', 'period'].map((name) => tryRead(`${folder}/cpu.cfs_${name}_us`))
      const [quota, period] = tryRead(`${folder}/cpu.max`)?.split(/\s+/) ?? version1()
      const cpus = Number(quota) / Number(period)
      return cpus > 0 && Number.isFinite(cpus) ? [cpus] : []
    })
    return quotas.length === 0 ? null : Math.min(...quotas)
  }

  /** So far; null where the system does not tell. */
  throttling (): Throttling | null {
    const stats = this.#folders.flatMap((folder) => {
      const lines = (tryRead(`${folder}/cpu.stat`) ?? '').split('\n')
      const stat = new Map(lines.map((line) => line.split(' ') as [string, string]))
      const count = Number(stat.get('nr_throttled') ?? NaN)
      // Version 1 counts in nanoseconds.
      const us = Number(stat.get('throttled_usec') ?? Number(stat.get('throttled_time') ?? NaN) / 1000)
      return Number.isFinite(count) && Number.isFinite(us) ? [{ count, us: Math.round(us) }] : []
    })
    if (stats.length === 0) return null
    return stats.reduce((sum, { count, us }) => ({ count: sum.count + count, us: sum.us + us }))
  }
}

export function throttlingSince (now: Throttling | null, before: Throttling | null): Throttling | null {
  return now === null || before === null ? null : { count: now.count - before.count, us: now.us - before.us }
}

/**
 * The group's folder and those around it. A container sees its own group at the mount point, by a path that begins
 * elsewhere.
 */
function levels (mountPoint: string, mountRoot: string, path: string): string[] {
  const prefix = mountRoot === '/' ? '' : mountRoot
  const inside = `${path}/`.startsWith(`${prefix}/`) ? path.slice(prefix.length) : ''
  const names = inside.split('/').filter((name) => name !== '')
  if (names.includes('..')) return [mountPoint]
  return Array.from({ length: names.length + 1 }, (_, count) => [mountPoint, ...names.slice(0, count)].join('/'))
}

/** mountinfo writes spaces and the like as \040. */
function unescape (path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

function tryRead (file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}
