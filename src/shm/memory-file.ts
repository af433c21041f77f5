import { closeSync, constants as fsConstants, fchmodSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { ErrorCode, type TunnelError } from '../base/errors.js'
import { Linux, type SystemCalls } from '../native/system-calls.js'
import { cannotAttach, cannotOffer, ELSEWHERE, SMALLER } from './segment-errors.js'

const { EINTR } = constants.errno
const OUT_OF = 'this process or the system is out of descriptors or memory: raise the limit (ulimit -n)'
const SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL

/**
 * A nameless file in memory (memfd) of `bytes` zeros: all of them really there, so that touching one cannot fail later;
 * of a length that nobody can change, so that the peer cannot cut it off (touching what is gone is SIGBUS); for this
 * user only. Close it with `calls.close`.
 */
export function createMemoryFile (calls: SystemCalls, bytes: number): number {
  const fd = calls.memfd_create('http-tunnel-segment', Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING)
  if (fd < 0) {
    const name = nameOf(calls.errno())
    if (isPassing(name)) {
      throw cannotOffer(ErrorCode.LIMIT, `no file in memory can be made now (memfd_create: ${name}): ${OUT_OF}`)
    }
    throw refused(`a file in memory (memfd_create: ${name})`)
  }
  try {
    fchmodSync(fd, 0o600)
    setLength(fd, bytes)
    reserve(calls, fd, bytes)
    if (calls.fcntl(fd, Linux.F_ADD_SEALS, SEALS) < 0) {
      const name = nameOf(calls.errno())
      throw refused(`to seal a file in memory (F_ADD_SEALS: ${name}), and one without seals the peer could cut off`)
    }
    return fd
  } catch (error) {
    calls.close(fd)
    throw error
  }
}

function setLength (fd: number, bytes: number): void {
  try {
    ftruncateSync(fd, bytes)
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw cannotOffer(ErrorCode.LIMIT, code === 'EFBIG'
      ? `its ${bytes} bytes are more than a file of this process may have (EFBIG): raise that limit (ulimit -f), ` +
        'or choose fewer or smaller slots'
      : `a file in memory cannot have its ${bytes} bytes (ftruncate: ${code}): ${OUT_OF}`, cause)
  }
}

function reserve (calls: SystemCalls, fd: number, bytes: number): void {
  let error
  // A signal that Node handles elsewhere may interrupt it; what it had reserved is given back then.
  do error = calls.posix_fallocate(fd, 0, bytes); while (error === EINTR)
  if (error === 0) return
  const name = nameOf(error)
  if (isPassing(name)) {
    throw cannotOffer(
      ErrorCode.LIMIT,
      `memory is full (${name}): there are no ${bytes} bytes: ${SMALLER}`,
      undefined,
      'segment'
    )
  }
  throw refused(`to reserve ${bytes} bytes (posix_fallocate: ${name})`)
}

function refused (what: string): TunnelError {
  return cannotOffer(ErrorCode.UNAVAILABLE, `this system refuses ${what}: ${ELSEWHERE}`, undefined, 'transport')
}

/**
 * Opens the memory file that process `pid` has as `fd`, if it is what `createMemoryFile` makes: a stranger may have
 * named any file, and may be changing it right now. Close it with `fs.closeSync`.
 */
export function openMemoryFile (calls: SystemCalls, pid: number, fd: number, bytes: number): number {
  const opened = open(`/proc/${pid}/fd/${fd}`)
  try {
    // First the seals, then the length: it is final only once they are on.
    const seals = calls.fcntl(opened, Linux.F_GET_SEALS, 0)
    const { size, uid } = fstatSync(opened)
    if (seals < 0) {
      throw stale(`the ticket must name a memory file: descriptor ${fd} of process ${pid} is something else`)
    }
    if (uid !== calls.geteuid()) {
      throw cannotAttach(
        ErrorCode.UNAVAILABLE,
        `it is another user's memory (user id ${uid}; this process has ${calls.geteuid()}): run host and plugin as ` +
        'one user'
      )
    }
    if ((seals & SEALS) !== SEALS) {
      throw stale(
        `it must be sealed against a change of length (seals 0x${SEALS.toString(16)}): it has 0x${seals.toString(16)}`
      )
    }
    if (size !== bytes) throw stale(`it must have the ${bytes} bytes that the ticket says: it has ${size}`)
    return opened
  } catch (error) {
    closeSync(opened)
    throw error
  }
}

function open (path: string): number {
  try {
    // Without waiting for anybody (a FIFO), and without taking a terminal for its own. Node adds O_CLOEXEC.
    return openSync(path, fsConstants.O_RDWR | fsConstants.O_NONBLOCK | fsConstants.O_NOCTTY)
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    if (isPassing(code)) throw cannotAttach(ErrorCode.LIMIT, `${path} cannot be opened now (${code}): ${OUT_OF}`, cause)
    // Anything but a lack of rights may be what has become of the process, or of the descriptor.
    throw cannotAttach(
      code === 'EACCES' || code === 'EPERM' ? ErrorCode.UNAVAILABLE : ErrorCode.PEER_CLOSED,
      `${path} cannot be opened (${code}): host and plugin must run on one machine, as one user and in one PID ` +
      'namespace ' +
        `(container), and both be alive: or ${ELSEWHERE}`,
      cause,
      'transport'
    )
  }
}

/** A host that closes a link, or dies, gives its descriptor's number back: what is found under it then is anything. */
function stale (rule: string): TunnelError {
  return cannotAttach(ErrorCode.PEER_CLOSED, `${rule}: the peer has probably closed the link, or is gone`)
}

/** What a process or system is out of now, and may have again later. */
export function isPassing (code: string): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EAGAIN'].includes(code)
}

function nameOf (errno: number): string {
  return getSystemErrorName(-errno)
}
