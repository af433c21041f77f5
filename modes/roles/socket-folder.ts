import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { UNIX_PATH_MAX_BYTES } from '../../src/base/address.js'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { holdLock, isAbandoned, type SocketLock } from '../../src/engine/socket-lock.js'
import { runMark } from '../system/guard.js'
import { markedProcesses } from '../system/process-tree.js'

const NAME = /^tunnel-bench-\d+-/
const LOCK = 'lock.sock'
const OWNER = 'owner.json'
/** What the longest name of a socket takes, with the slash before it. */
const SOCKET_NAME_BYTES = 24

/** What a run says of itself in its folder, for the run that finds it. */
interface Owner {
  readonly pid: number
  readonly startedAt: string
  readonly host: string
  /** null where the system does not tell. */
  readonly boot: string | null
  /** What the processes that it started carry; null where it started none. */
  readonly mark: string | null
}

/**
 * A private folder for the sockets of one run, below the system's folder for temporary files. A run that is killed
 * cannot remove
 * it, so the next one does. Whether its run is alive is asked of the kernel: the run listens on a socket in it. That
 * holds across
 * PID namespaces, where a process's number says nothing.
 */
export class SocketFolder {
  readonly #path: string
  #lock: SocketLock | null = null
  readonly #remove = (): void => { this.remove() }

  private constructor (path: string) {
    this.#path = path
    process.on('exit', this.#remove)
  }

  /**
   * `onFound` is told what runs that were killed have left. Rejects with ERR_TUNNEL_ADDRESS_DENIED or
   * ERR_TUNNEL_ADDRESS_INVALID.
   */
  static async make (onFound: (sentence: string) => void): Promise<SocketFolder> {
    await removeLeftovers(onFound)
    let folder: SocketFolder | null = null
    try {
      folder = new SocketFolder(mkdtempSync(join(tmpdir(), `tunnel-bench-${process.pid}-`)))
      await folder.#claim()
      return folder
    } catch (error) {
      folder?.remove()
      if (error instanceof TunnelError) throw error
      const { code, message } = error as NodeJS.ErrnoException
      const isFull = code === 'ENOSPC' || code === 'EDQUOT'
      const cure = isFull
        ? 'make room there, or set TMPDIR to another folder'
        : 'set TMPDIR to a folder that can be written'
      throw new TunnelError(ErrorCode.ADDRESS_DENIED,
        `Cannot make a folder for the tunnel's sockets in ${tmpdir()}: ${message}: ${cure}`, { cause: error })
    }
  }

  pathOf (name: string): string {
    return join(this.#path, name)
  }

  remove (): void {
    process.off('exit', this.#remove)
    this.#lock?.release()
    this.#lock = null
    tryRemove(this.#path)
  }

  async #claim (): Promise<void> {
    const bytes = Buffer.byteLength(this.#path) + SOCKET_NAME_BYTES
    if (bytes > UNIX_PATH_MAX_BYTES) {
      throw new TunnelError(ErrorCode.ADDRESS_INVALID,
        `Cannot make the tunnel's sockets in ${tmpdir()}: their paths would have up to ${bytes} bytes, ` +
        `and a Unix socket path has at most ${UNIX_PATH_MAX_BYTES}: set TMPDIR to a shorter folder, for example /tmp`)
    }
    this.#lock = await holdLock(this.pathOf(LOCK))
    const startedAt = new Date().toISOString()
    const owner: Owner = { pid: process.pid, startedAt, host: hostname(), boot: bootOf(), mark: runMark() }
    writeFileSync(this.pathOf(OWNER), JSON.stringify(owner))
  }
}

async function removeLeftovers (onFound: (sentence: string) => void): Promise<void> {
  for (const name of namesIn(tmpdir()).filter((one) => NAME.test(one))) {
    const path = join(tmpdir(), name)
    const owner = readOwner(path)
    if (owner === null || !await isDead(path, owner)) continue
    const still = owner.mark === null ? [] : markedProcesses(owner.mark)
    const running = still.length === 0 ? '' : `; processes that it started still run, end them: ${still.join(', ')}`
    const outcome = tryRemove(path) ? 'removed it' : 'it cannot be removed'
    const by = `process ${owner.pid}, started ${owner.startedAt}`
    onFound(`found ${path}, left by a run that was killed (${by}): ${outcome}${running}`)
  }
}

/** null where it is not this user's, or does not say enough: such a folder is left alone. */
function readOwner (path: string): Owner | null {
  try {
    const stat = lstatSync(path)
    if (!stat.isDirectory() || stat.uid !== process.getuid?.()) return null
    const text = readFileSync(join(path, OWNER), 'utf8')
    const { pid, startedAt, host, boot, mark } = JSON.parse(text) as Record<string, unknown>
    const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === 'string'
    if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof host !== 'string') return null
    if (!isTextOrNull(boot) || !isTextOrNull(mark)) return null
    return { pid, startedAt, host, boot, mark }
  } catch {
    return null
  }
}

async function isDead (path: string, { host, boot }: Owner): Promise<boolean> {
  // A folder may be shared with another machine, whose sockets this kernel knows nothing of; of an earlier boot
  // nothing lives.
  if (host !== hostname() && (boot === null || boot !== bootOf())) return false
  if (boot !== bootOf()) return true
  return await isAbandoned(join(path, LOCK))
}

function bootOf (): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return null
  }
}

function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function tryRemove (path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}
