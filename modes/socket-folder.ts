import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
      throw new TunnelError(ErrorCode.ADDRESS_DENIED, `Cannot make a folder for the tunnel's sockets in ${tmpdir()}: ${(error as Error).message}: set TMPDIR to a folder that can be written`)
    }
    process.on('exit', this.#remove)
  }

  pathOf (name: string): string {
    return join(this.#path, name)
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
