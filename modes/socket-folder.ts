import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UNIX_PATH_MAX_BYTES } from '../src/base/address.js'
import { ErrorCode, TunnelError } from '../src/base/errors.js'

const PREFIX = 'tunnel-bench-'

/**
 * A private folder for the sockets of one run, below the system's folder for temporary files. Its name tells which process made it:
 * a process that is killed cannot remove it, so the next one does.
 */
export class SocketFolder {
  readonly #path: string
  readonly #remove = (): void => { this.remove() }

  /** Throws ERR_TUNNEL_ADDRESS_DENIED. */
  constructor () {
    removeLeftovers()
    try {
      this.#path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
    } catch (error) {
      throw new TunnelError(ErrorCode.ADDRESS_DENIED, `Cannot make a folder for the tunnel's sockets in ${tmpdir()}: ${(error as Error).message}: set TMPDIR to a folder that can be written`, { cause: error })
    }
    process.on('exit', this.#remove)
  }

  /** Throws ERR_TUNNEL_ADDRESS_INVALID where TMPDIR is too long for a socket. */
  pathOf (name: string): string {
    const path = join(this.#path, name)
    const bytes = Buffer.byteLength(path)
    if (bytes > UNIX_PATH_MAX_BYTES) {
      throw new TunnelError(ErrorCode.ADDRESS_INVALID,
        `Cannot make the socket ${path}: its path has ${bytes} bytes, and may have ${UNIX_PATH_MAX_BYTES} at most: set TMPDIR, which is ${tmpdir()}, to a shorter folder`)
    }
    return path
  }

  remove (): void {
    process.off('exit', this.#remove)
    tryRemove(this.#path)
  }
}

function removeLeftovers (): void {
  for (const name of namesIn(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) tryRemove(join(tmpdir(), name))
  }
}

function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Another user's leftovers cannot be removed, and need not be. */
function tryRemove (path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {}
}

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
