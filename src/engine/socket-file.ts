import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, unlinkSync, type BigIntStats } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { UNIX_PATH_MAX_BYTES } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { systemCode } from './socket-errors.js'

/** Which file a path named: inode numbers are unique per device. null: none. */
export type FileIdentity = string | null

/**
 * Makes a listening socket appear at `path` in one step, with mode 0600, and returns which file it is. There is no moment in
 * which others could connect: the socket is bound inside a directory of mode 0700 and moved out when it is private itself.
 * (A umask would do the same, but worker threads have none of their own.) On failure nothing is left on disk.
 */
export async function placeSocket (path: string, bind: (path: string) => Promise<void>): Promise<FileIdentity> {
  const directory = makePrivateDirectory(path)
  try {
    const temporary = join(directory, 's')
    await bind(temporary)
    chmodSync(temporary, 0o600)
    const identity = identityOf(statOf(temporary))
    // The look at the old file takes a while: replace only what was looked at.
    while (await findDeadSocket(path) !== identityOf(statOf(path)));
    renameSync(temporary, path)
    return identity
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Removes the file at `path` if it still is the one placed there. */
export function removeSocket (path: string, identity: FileIdentity): void {
  const stat = statOf(path)
  if (stat !== null && identityOf(stat) === identity) unlinkSync(path)
}

/** Random names may be long or collide; these are short, because the path of the socket below has to fit too, and are tried again. */
function makePrivateDirectory (path: string): string {
  for (;;) {
    const directory = join(dirname(path), `.${randomBytes(3).toString('base64url').slice(0, 3)}`)
    const bytes = Buffer.byteLength(directory) + '/s'.length
    if (bytes > UNIX_PATH_MAX_BYTES) {
      throw new TunnelError(ErrorCode.ADDRESS_INVALID,
        `Cannot listen on ${path}: the socket is first made at ${directory}/s, which has ${bytes} bytes, and a Unix socket path has at most ${UNIX_PATH_MAX_BYTES}: choose a shorter directory, for example /tmp`)
    }
    try {
      mkdirSync(directory, { mode: 0o700 })
      return directory
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

/** Returns which dead socket lies at `path` (null: nothing does), and throws if something that is not ours to replace does. */
async function findDeadSocket (path: string): Promise<FileIdentity> {
  const stat = statOf(path)
  if (stat === null) return null
  if (!stat.isSocket()) {
    throw new TunnelError(ErrorCode.ADDRESS_IN_USE, `Cannot listen on ${path}: it exists and is not a socket: it is left alone; choose another path or remove it`, { cure: 'path' })
  }
  const answer = await tryConnect(path)
  switch (answer) {
    case 'ECONNREFUSED':
    case 'ENOENT': return identityOf(stat)
    case 'EACCES':
    case 'EPERM':
      throw new TunnelError(ErrorCode.ADDRESS_DENIED, `Cannot listen on ${path}: a socket of another user is there (${answer}): choose another path`, { cure: 'path' })
    default:
      throw new TunnelError(ErrorCode.ADDRESS_IN_USE, `Cannot listen on ${path}: another host is listening there: stop it or choose another path`, { cure: 'path' })
  }
}

/** Returns what connecting failed with, or '' if it worked. */
function tryConnect (path: string): Promise<string> {
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
