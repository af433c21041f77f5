import { createRequire } from 'node:module'
import { ErrorCode, TunnelError } from '../base/errors.js'

/**
 * Linux system calls that Node does not offer, under the names of their manual pages, through koffi. This file declares; who calls checks.
 * Where a page says "returns -1 and sets errno", ask `errno()` at once: the next call replaces it.
 */
export interface SystemCalls {
  memfd_create (name: string, flags: number): number
  fcntl (fd: number, command: number, argument: number): number
  /** Returns an errno, 0: done. */
  posix_fallocate (fd: number, offset: number, bytes: number): number
  /** Failed if not `isMapped()`. */
  mmap (address: bigint | null, bytes: number, protection: number, flags: number, fd: number, offset: number): bigint
  munmap (address: bigint, bytes: number): number
  /** For descriptors that a system call made: in a worker thread `fs.close` warns about those. */
  close (fd: number): number
  geteuid (): number
  /** Why the last call of this thread failed. */
  errno (): number
  /**
   * Memory at `address` as an ArrayBuffer that owns nothing: touching it after `munmap` ends the process. Make one per mapping.
   * Throws where the runtime forbids external ArrayBuffers (Electron).
   */
  view (address: bigint, bytes: number): ArrayBuffer
}

/** Values of Linux's asm-generic headers, which all processors with a binary of koffi share. */
export const Linux = {
  MFD_CLOEXEC: 0x1,
  MFD_ALLOW_SEALING: 0x2,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
  F_SEAL_SEAL: 0x1,
  F_SEAL_SHRINK: 0x2,
  F_SEAL_GROW: 0x4,
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  MAP_SHARED: 0x1,
  MAP_PRIVATE: 0x2,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_NORESERVE: 0x4000
} as const

/** `mmap` returns -1 when it fails. Addresses are multiples of a page, so the lower 32 bits tell, however long a pointer is. */
export function isMapped (address: bigint): boolean {
  return BigInt.asIntN(32, address) !== -1n
}

/** The part of koffi that is used here. Declared by hand: the package is optional, and its types go with it. */
export interface Koffi {
  load (path: null): { func (prototype: string): (...values: unknown[]) => unknown }
  errno (): number
  view (address: bigint, bytes: number): ArrayBuffer
}

const require = createRequire(import.meta.url)
const CURE = 'use --transport=stream, or --mode=threads'

let bound: SystemCalls | undefined

/** Bound once per thread. Throws ERR_TUNNEL_UNAVAILABLE where koffi is missing or does not load, and on any system but Linux. */
export function loadSystemCalls (): SystemCalls {
  bound ??= bindSystemCalls(process.platform, () => require('koffi') as Koffi)
  return bound
}

/** What `loadSystemCalls` does the first time; for tests on a `platform` and with a koffi of their own. */
export function bindSystemCalls (platform: string, loadKoffi: () => Koffi): SystemCalls {
  if (platform !== 'linux') throw new TunnelError(ErrorCode.UNAVAILABLE, `Cannot make system calls: they are Linux's, and this system is ${platform}: ${CURE}`)
  try {
    return declare(loadKoffi())
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const missing = code === 'MODULE_NOT_FOUND' && message.includes("'koffi'")
    throw new TunnelError(ErrorCode.UNAVAILABLE, missing
      ? `Cannot make system calls: the optional package koffi is not installed: run npm install koffi; or ${CURE}`
      : `Cannot make system calls: koffi does not work here (${message.split('\n')[0]}): run npm install koffi for this system; or ${CURE}`, { cause })
  }
}

function declare (koffi: Koffi): SystemCalls {
  const libc = koffi.load(null)
  /** File offsets have 64 bits. glibc promises that for the names ending in 64 only; musl for the plain ones, and may lack the others. */
  const wide = (before: string, name: string, after: string): unknown => {
    try {
      return libc.func(`${before} ${name}64${after}`)
    } catch {
      return libc.func(`${before} ${name}${after}`)
    }
  }
  return {
    memfd_create: libc.func('int memfd_create(const char *name, unsigned int flags)') as SystemCalls['memfd_create'],
    fcntl: libc.func('int fcntl(int fd, int command, int argument)') as SystemCalls['fcntl'],
    posix_fallocate: wide('int', 'posix_fallocate', '(int fd, int64_t offset, int64_t bytes)') as SystemCalls['posix_fallocate'],
    mmap: wide('void *', 'mmap', '(void *address, size_t bytes, int protection, int flags, int fd, int64_t offset)') as SystemCalls['mmap'],
    munmap: libc.func('int munmap(void *address, size_t bytes)') as SystemCalls['munmap'],
    close: libc.func('int close(int fd)') as SystemCalls['close'],
    geteuid: libc.func('unsigned int geteuid()') as SystemCalls['geteuid'],
    errno: () => koffi.errno(),
    view: (address, bytes) => koffi.view(address, bytes)
  }
}
