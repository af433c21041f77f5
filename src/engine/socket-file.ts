import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  type BigIntStats
} from 'node:fs'
import net from 'node:net'
import { resolve as absolute } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { UNIX_PATH_MAX_BYTES, unixAddress } from '../base/address.js'
import { callSafely, ErrorCode, TunnelError } from '../base/errors.js'
import { listenError, systemCode } from './socket-errors.js'

/** So often a listener looks whether its file is still there. */
const LOOK_MS = 1_000
const LOCK_RETRY_MS = 5
/** A lock is held for some milliseconds. One that stays unchanged for so long was left by a process that was killed. */
const LOCK_STALE_MS = 2_000

/** What happens to the file of a socket that listens. */
export type SocketFileEvent =
  /** Somebody had removed it, and it has been made again. */
  | { readonly kind: 'restored' }
  /** Somebody has removed it, and it cannot be made again; that is tried once a second, and said once. */
  | { readonly kind: 'unreachable', readonly error: TunnelError }

/** Which file a path named: inode numbers are unique per device. null: none. */
type FileIdentity = string | null

/** Binds at `path`, listens, and returns what closes that. If it can, with mode 0600 from the beginning. */
type Open = (path: string) => Promise<() => void>

/**
 * A listening Unix socket and its file. The socket is bound under the name it keeps: cleaners spare what
 * /proc/net/unix lists, and it lists that name.
 * Who binds there or removes a dead socket holds a lock, the directory `PATH.lock`, so of several who start at once
 * one gets the path.
 */
export class SocketFile {
  readonly #path: string
  readonly #open: Open
  readonly #onEvent: (event: SocketFileEvent) => void
  #timer: NodeJS.Timeout | undefined
  #identity: FileIdentity = null
  #closeSocket: (() => void) | null = null
  #isUnreachable = false
  /** The file is being made again. */
  #restoring: Promise<void> | null = null
  #isClosed = false

  private constructor (path: string, open: Open, onEvent: (event: SocketFileEvent) => void) {
    this.#path = absolutePath(path)
    this.#open = open
    this.#onEvent = (event) => {
      callSafely(() => {
        onEvent(event)
      })
    }
  }

  /** Replaces a dead socket at `path`, and nothing else. Rejects as `Engine.listen()` does; nothing is left then. */
  static async listen (
    path: string,
    open: Open,
    onEvent: (event: SocketFileEvent) => void = () => {}
  ): Promise<SocketFile> {
    const file = new SocketFile(path, open, onEvent)
    try {
      await file.#place()
      file.#timer = setInterval(() => {
        file.#look()
      }, LOOK_MS).unref()
      return file
    } catch (error) {
      throw listenError(unixAddress(path), error)
    }
  }

  /**
   * Removes the file if it still is the one placed there, and closes the socket, at once where it is not
   * being made again. Never rejects.
   */
  async close (): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    if (this.#restoring !== null) await this.#restoring
    try {
      // While the socket is open the inode of its file cannot be given to another one: look first, close then.
      if (this.#isThere()) unlinkSync(this.#path)
    } catch {} // The directory has become another's: the file stays, dead, as after a kill.
    this.#closeSocket?.()
  }

  async #place (): Promise<void> {
    const path = this.#path
    await withLock(path, async () => {
      await removeDeadSocket(path)
      try {
        this.#closeSocket = await this.#open(path)
        chmodSync(path, 0o600)
        this.#identity = identityOf(statOf(path))
      } catch (error) {
        this.#closeSocket?.()
        this.#closeSocket = null
        // Under the lock it is nobody else's.
        if (statOf(path)?.isSocket() === true) unlinkSync(path)
        throw error
      }
    })
  }

  #isThere (): boolean {
    return this.#identity !== null && identityOf(statOf(this.#path)) === this.#identity
  }

  #look (): void {
    if (this.#restoring !== null || this.#isThere()) return
    this.#restoring = this.#restore().finally(() => {
      this.#restoring = null
    })
  }

  async #restore (): Promise<void> {
    this.#closeSocket?.()
    this.#closeSocket = this.#identity = null
    try {
      await this.#place()
      this.#isUnreachable = false
      this.#onEvent({ kind: 'restored' })
    } catch (error) {
      if (!this.#isUnreachable) {
        this.#onEvent({
          kind: 'unreachable',
          error: listenError(unixAddress(this.#path), error)
        })
      }
      this.#isUnreachable = true
    }
  }
}

/**
 * Runs `close`, after which what lies at `path` is still there: libuv removes the file at the path that a
 * server was bound to, whosever it is.
 */
export function keepFile (path: string, close: () => void): void {
  const aside = `${path}.lock~`
  let isAside = false
  try {
    renameSync(path, aside)
    isAside = true
  } catch {} // There is none, or none that this user could remove.
  try {
    close()
  } finally {
    if (isAside) renameSync(aside, path)
  }
}

/** The name that others see in /proc/net/unix, where it fits. */
function absolutePath (path: string): string {
  const whole = absolute(path)
  return Buffer.byteLength(whole) <= UNIX_PATH_MAX_BYTES ? whole : path
}

async function withLock (path: string, task: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  let seen: FileIdentity = null
  let seenAtMs = 0
  while (!tryMakeDirectory(lock)) {
    const stat = statOf(lock)
    const holder = stat === null ? null : `${identityOf(stat)}:${stat.ctimeNs}`
    if (holder !== seen) [seen, seenAtMs] = [holder, performance.now()]
    else if (performance.now() - seenAtMs > LOCK_STALE_MS) removeStaleLock(path, lock)
    await delay(LOCK_RETRY_MS)
  }
  try {
    await task()
  } finally {
    try {
      rmdirSync(lock)
    } catch {} // Somebody took it for a stale one: this process was stopped for a while.
  }
}

function tryMakeDirectory (path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 })
    return true
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    return false
  }
}

function removeStaleLock (path: string, lock: string): void {
  try {
    rmdirSync(lock)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return
    throw new TunnelError(
      ErrorCode.ADDRESS_IN_USE,
      `Cannot listen on ${path}: ${lock} is in the way (${systemCode(cause)}), which only a host that is ` +
        'just starting ' +
        'may hold: remove it or choose another path',
      { cause, cure: 'path' }
    )
  }
}

/** Throws if what lies at `path` is not ours to replace. */
async function removeDeadSocket (path: string): Promise<void> {
  const stat = statOf(path)
  if (stat === null) return
  if (!stat.isSocket()) {
    const what = stat.isSymbolicLink()
      ? `it is a symbolic link to ${readlinkSync(path)}`
      : 'it exists and is not a socket'
    throw new TunnelError(ErrorCode.ADDRESS_IN_USE,
      `Cannot listen on ${path}: ${what}: it is left alone; choose another path or remove it`, { cure: 'path' })
  }
  const answer = await tryConnect(path)
  switch (answer) {
    case 'ENOENT': return
    case 'ECONNREFUSED': return unlinkSync(path)
    case 'EACCES':
    case 'EPERM':
      throw new TunnelError(
        ErrorCode.ADDRESS_DENIED,
        `Cannot listen on ${path}: a socket of another user is there (${answer}): choose another path`,
        { cure: 'path' }
      )
    default:
      throw new TunnelError(ErrorCode.ADDRESS_IN_USE,
        `Cannot listen on ${path}: another host is listening there: stop it or choose another path`, { cure: 'path' })
  }
}

/** Returns what connecting failed with, or '' if it worked. */
export function tryConnect (path: string): Promise<string> {
  return new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.on('connect', () => {
      probe.destroy()
      resolve('')
    })
    probe.on('error', (error) => resolve(systemCode(error)))
  })
}

function statOf (path: string): BigIntStats | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
}

function identityOf (stat: BigIntStats | null): FileIdentity {
  return stat === null ? null : `${stat.dev}:${stat.ino}`
}
