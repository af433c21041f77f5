import { createRequire } from 'node:module'
import { ErrorCode, TunnelError } from '../base/errors.js'

/**
 * Linux system calls that Node does not offer, under the names of their manual pages, through koffi. This file
 * declares; its callers check. Where a page says "returns -1 and sets errno", ask `errno()` at once: before any other
 * call, and before anything is allocated.
 */
export interface SystemCalls {
  memfd_create (name: string, flags: number): number
  fcntl (fd: number, command: number, argument: number): number
  /** Of a Unix socket before `bind`: the mode that its file is made with. */
  fchmod (fd: number, mode: number): number
  /** Returns an errno, 0: done. */
  posix_fallocate (fd: number, offset: number, bytes: number): number
  /** Failed if not `isMapped()`. */
  mmap (address: bigint | null, bytes: number, protection: number, flags: number, fd: number, offset: number): bigint
  munmap (address: bigint, bytes: number): number
  /** For descriptors that a system call made: in a worker thread `fs.close` warns about those. */
  close (fd: number): number
  geteuid (): number
  epoll_create1 (flags: number): number
  /** `event`: a `struct epoll_event`. */
  epoll_ctl (epollFd: number, operation: number, fd: number, event: Memory): number
  epoll_wait (epollFd: number, events: Memory, maxEvents: number, timeoutMs: number): number
  timerfd_create (clock: number, flags: number): number
  /** `spec`: a `struct itimerspec`, interval first; `old`: not asked for. */
  timerfd_settime (fd: number, flags: number, spec: Memory, old: null): number
  socket (domain: number, type: number, protocol: number): number
  /** `pair`: two 32-bit descriptors. */
  socketpair (domain: number, type: number, protocol: number, pair: Memory): number
  /** `address` and its length here and below: a `struct sockaddr`. */
  bind (fd: number, address: Memory, bytes: number): number
  listen (fd: number, backlog: number): number
  accept4 (fd: number, address: null, bytes: null, flags: number): number
  connect (fd: number, address: Memory, bytes: number): number
  getsockname (fd: number, address: Memory, bytes: Memory): number
  getpeername (fd: number, address: Memory, bytes: Memory): number
  getsockopt (fd: number, level: number, option: number, value: Memory, bytes: Memory): number
  setsockopt (fd: number, level: number, option: number, value: Memory, bytes: number): number
  /** The requests that store an int at `value`. */
  ioctl (fd: number, request: number, value: Memory): number
  recv (fd: number, memory: Memory, bytes: number, flags: number): number
  send (fd: number, memory: Memory, bytes: number, flags: number): number
  shutdown (fd: number, how: number): number
  /** Makes `newFd` another name of `oldFd`, closing what it was. */
  dup3 (oldFd: number, newFd: number, flags: number): number
  /** 1: `address` holds the bytes of the address that `text` names; 0: it names none. */
  inet_pton (family: number, text: string, address: Memory): number
  /** The other way: `text`, of `bytes` bytes, ends with a NUL. */
  inet_ntop (family: number, address: Memory, text: Memory, bytes: number): unknown
  /** 0: there is no such interface. */
  if_nametoindex (name: string): number
  /** Lets others have this processor who wait for it. */
  sched_yield (): number
  /** Why the last call of this thread failed. */
  errno (): number
  /**
   * Memory at `address` as an ArrayBuffer that owns nothing: touching it after `munmap` ends the process. Make one per
   * mapping. Throws where the runtime forbids external ArrayBuffers (Electron).
   */
  view (address: bigint, bytes: number): ArrayBuffer
}

/** Passed by address, which must not move: everything but memory of WebAssembly that grows. */
type Memory = Uint8Array | Uint16Array | Int32Array

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
  MAP_NORESERVE: 0x4000,
  O_CLOEXEC: 0x80000,
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_NONBLOCK: 0x800,
  SOCK_CLOEXEC: 0x80000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  SHUT_WR: 1,
  /** tcp(7): how many bytes the other side's kernel has not acknowledged. */
  SIOCOUTQ: 0x5411,
  MSG_NOSIGNAL: 0x4000,
  MSG_MORE: 0x8000,
  EPOLL_CLOEXEC: 0x80000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,
  EPOLLIN: 0x1,
  EPOLLOUT: 0x4,
  EPOLLERR: 0x8,
  EPOLLHUP: 0x10,
  CLOCK_MONOTONIC: 1,
  TFD_NONBLOCK: 0x800,
  TFD_CLOEXEC: 0x80000,
  EINTR: 4,
  EAGAIN: 11,
  EPIPE: 32,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  EINPROGRESS: 115
} as const

const PROTOTYPES = {
  memfd_create: 'int memfd_create(const char *name, unsigned int flags)',
  fchmod: 'int fchmod(int fd, unsigned int mode)',
  fcntl: 'int fcntl(int fd, int command, int argument)',
  posix_fallocate: 'int posix_fallocate(int fd, int64_t offset, int64_t bytes)',
  mmap: 'void * mmap(void *address, size_t bytes, int protection, int flags, int fd, int64_t offset)',
  munmap: 'int munmap(void *address, size_t bytes)',
  close: 'int close(int fd)',
  geteuid: 'unsigned int geteuid()',
  epoll_create1: 'int epoll_create1(int flags)',
  epoll_ctl: 'int epoll_ctl(int epoll_fd, int operation, int fd, void *event)',
  epoll_wait: 'int epoll_wait(int epoll_fd, void *events, int max_events, int timeout)',
  timerfd_create: 'int timerfd_create(int clock, int flags)',
  timerfd_settime: 'int timerfd_settime(int fd, int flags, const void *spec, void *old)',
  socket: 'int socket(int domain, int type, int protocol)',
  socketpair: 'int socketpair(int domain, int type, int protocol, void *pair)',
  bind: 'int bind(int fd, const void *address, unsigned int bytes)',
  listen: 'int listen(int fd, int backlog)',
  accept4: 'int accept4(int fd, void *address, void *bytes, int flags)',
  connect: 'int connect(int fd, const void *address, unsigned int bytes)',
  getsockname: 'int getsockname(int fd, void *address, void *bytes)',
  getpeername: 'int getpeername(int fd, void *address, void *bytes)',
  getsockopt: 'int getsockopt(int fd, int level, int option, void *value, void *bytes)',
  setsockopt: 'int setsockopt(int fd, int level, int option, const void *value, unsigned int bytes)',
  ioctl: 'int ioctl(int fd, unsigned long request, void *value)',
  recv: 'intptr_t recv(int fd, void *memory, size_t bytes, int flags)',
  send: 'intptr_t send(int fd, const void *memory, size_t bytes, int flags)',
  shutdown: 'int shutdown(int fd, int how)',
  dup3: 'int dup3(int old_fd, int new_fd, int flags)',
  inet_pton: 'int inet_pton(int family, const char *text, void *address)',
  inet_ntop: 'void *inet_ntop(int family, const void *address, void *text, unsigned int bytes)',
  if_nametoindex: 'unsigned int if_nametoindex(const char *name)',
  sched_yield: 'int sched_yield()'
} satisfies Record<Exclude<keyof SystemCalls, 'errno' | 'view'>, string>

/**
 * File offsets have 64 bits in these. glibc promises that for the names ending in 64 only; musl for the plain ones, and
 * may lack the others.
 */
const WIDE = ['posix_fallocate', 'mmap']

/**
 * `mmap` returns -1 when it fails. Addresses are multiples of a page, so the lower 32 bits are enough, however long a
 * pointer is.
 */
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

let bound: SystemCalls | undefined

/**
 * Bound once per thread. Throws ERR_TUNNEL_UNAVAILABLE where koffi is missing or does not load, and on any system but
 * Linux.
 */
export function loadSystemCalls (): SystemCalls {
  bound ??= bindSystemCalls(process.platform, () => require('koffi') as Koffi)
  return bound
}

/** What `loadSystemCalls` does the first time; for tests on a `platform` and with a koffi of their own. */
export function bindSystemCalls (platform: string, loadKoffi: () => Koffi): SystemCalls {
  if (platform !== 'linux') {
    throw new TunnelError(
      ErrorCode.UNAVAILABLE,
      `Cannot make system calls: they are Linux's, and this system is ${platform}`
    )
  }
  try {
    return declare(loadKoffi())
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const missing = code === 'MODULE_NOT_FOUND' && message.includes("'koffi'")
    throw new TunnelError(
      ErrorCode.UNAVAILABLE,
      missing
        ? 'Cannot make system calls: the optional package koffi is not installed (npm install koffi)'
        : `Cannot make system calls: koffi does not work here (${message.split('\n')[0]}; npm install koffi on it)`,
      { cause }
    )
  }
}

function declare (koffi: Koffi): SystemCalls {
  const libc = koffi.load(null)
  const bind = (name: string, prototype: string): unknown => {
    if (WIDE.includes(name)) {
      try {
        return libc.func(prototype.replace(`${name}(`, `${name}64(`))
      } catch {}
    }
    return libc.func(prototype)
  }
  const calls = Object.entries(PROTOTYPES).map(([name, prototype]) => [name, bind(name, prototype)])
  return {
    ...Object.fromEntries(calls) as Omit<SystemCalls, 'errno' | 'view'>,
    // Not wrapped: V8 may collect garbage at the entry of a JavaScript function, where a failing system call of its own
    // would replace the errno.
    errno: koffi.errno,
    view: koffi.view
  }
}
