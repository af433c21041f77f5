import { execFile, execFileSync } from 'node:child_process'
import {
  closeSync,
  constants as fsConstants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync
} from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ava, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { bindSystemCalls, Linux, loadSystemCalls, type SystemCalls } from '../native/system-calls.js'
import { memfdMemory } from './memfd-memory.js'
import { encodeTicket } from './segment-messages.js'
import { DEFAULT_SEGMENT_SIZES, layOut } from './segment-sizes.js'
import { SMALLEST_SIZES } from './testing/arbitrary-sizes.js'

/** The names of these tests tell why they are skipped elsewhere. */
const test = process.platform === 'linux' ? ava : ava.skip
const memory = memfdMemory()
const { totalBytes } = layOut(SMALLEST_SIZES)
const { EINTR, EINVAL, EMFILE, ENFILE, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM } = constants.errno
const ALL_SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL
const SEGMENT = /memfd:(http-tunnel-segment|stranger)/

/** What this process holds: descriptors, and the addresses of memory files. */
function holdings (): { fds: string[], mappings: string[] } {
  return {
    fds: readdirSync('/proc/self/fd'),
    mappings: readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => SEGMENT.test(line))
  }
}

function refusal (t: ExecutionContext, action: () => unknown, code: ErrorCode, message: RegExp): void {
  const before = holdings()
  const error = t.throws(action, { instanceOf: TunnelError, message })
  t.is(error.code, code)
  t.deepEqual(holdings(), before, 'nothing stays open or mapped')
}

/** Attaches with a ticket that names descriptor `fd` of this process. */
function attachTo (
  t: ExecutionContext,
  fd: number,
  code: ErrorCode,
  message: RegExp,
  bytes = totalBytes,
  pid = process.pid
): void {
  const request = memory.request()
  const ticket = encodeTicket('memfd', request.bytes.slice(8), { fd, totalBytes: bytes })
  new DataView(ticket.buffer as ArrayBuffer).setUint32(4, pid, true)
  refusal(t, () => request.attach(ticket), code, message)
}

/** A memory file as a hostile host may make it. */
function strangeFile (t: ExecutionContext, seals: number, bytes = totalBytes): number {
  const calls = loadSystemCalls()
  const fd = calls.memfd_create('stranger', Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING)
  t.teardown(() => { calls.close(fd) })
  ftruncateSync(fd, bytes)
  t.is(calls.fcntl(fd, Linux.F_ADD_SEALS, seals), 0)
  return fd
}

function temporaryFolder (t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'segment-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  return folder
}

test('memfdMemory() offers a file that nobody else may read, nobody may run, and nobody can change the length of ' +
  '(Linux)', (t) => {
  const request = memory.request()
  const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
  const fd = new DataView(ticket.buffer as ArrayBuffer).getUint32(24, true)
  const { mode, size, blocks } = fstatSync(fd)
  t.is(mode & 0o7777, 0o600)
  t.is(size, totalBytes)
  t.true(blocks * 512 >= totalBytes, 'all of it is really there')
  t.is(loadSystemCalls().fcntl(fd, Linux.F_GET_SEALS, 0), ALL_SEALS)
  for (const bytes of [0, totalBytes - 4096, totalBytes + 4096]) {
    t.throws(
      () => {
        ftruncateSync(fd, bytes)
      },
      { code: 'EPERM' }
    )
  }
  t.is(loadSystemCalls().fcntl(fd, Linux.F_ADD_SEALS, 0x8), -1, 'not even more seals')
  const FD_CLOEXEC = 1
  t.is(loadSystemCalls().fcntl(fd, 1, 0), FD_CLOEXEC, 'no child process inherits it')
  settle()
  t.throws(() => fstatSync(fd), { code: 'EBADF' })
  segment.free()
})

test('memfdMemory() attach() comes too late once the offer is settled (Linux)', (t) => {
  const request = memory.request()
  const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
  settle()
  refusal(
    t,
    () => request.attach(ticket),
    ErrorCode.PEER_CLOSED,
    /\/proc\/\d+\/fd\/\d+ cannot be opened \(ENOENT\): host and plugin must run on one machine, as one user and in one PID namespace/
  )
  segment.free()
})

test('memfdMemory() attach() refuses a descriptor or a process that does not exist (Linux)', (t) => {
  attachTo(t, 0xFFFFFFFF, ErrorCode.PEER_CLOSED, /cannot be opened \(ENOENT\)/)
  attachTo(t, 0, ErrorCode.PEER_CLOSED, /cannot be opened \(ENOENT\)/, totalBytes, 0)
  attachTo(t, 0, ErrorCode.PEER_CLOSED, /cannot be opened \(ENOENT\)/, totalBytes, 0xFFFFFFFF)
})

test('memfdMemory() attach() refuses what is no memory file: a FIFO, a socket, a folder, a device, a file on disk ' +
  '(Linux)', async (t) => {
  const folder = temporaryFolder(t)
  const open = (path: string, flags: number): number => {
    const fd = openSync(path, flags)
    t.teardown(() => {
      closeSync(fd)
    })
    return fd
  }
  execFileSync('mkfifo', [join(folder, 'fifo')])
  attachTo(
    t,
    open(join(folder, 'fifo'), fsConstants.O_RDONLY | fsConstants.O_NONBLOCK),
    ErrorCode.PEER_CLOSED,
    /descriptor \d+ of process \d+ is something else/
  )
  attachTo(t, open('/dev/null', fsConstants.O_RDONLY), ErrorCode.PEER_CLOSED, /something else/)
  attachTo(t, open(folder, fsConstants.O_RDONLY), ErrorCode.PEER_CLOSED, /cannot be opened \(EISDIR\)/)
  const file = open(join(folder, 'file'), fsConstants.O_RDWR | fsConstants.O_CREAT)
  ftruncateSync(file, totalBytes)
  attachTo(t, file, ErrorCode.PEER_CLOSED, /something else|must be sealed/)
  const server = createServer().listen(join(folder, 'socket'))
  t.teardown(() => {
    server.close()
  })
  await once(server, 'listening')
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  attachTo(t, fd, ErrorCode.PEER_CLOSED, /cannot be opened \(ENXIO\)/)
})

test('memfdMemory() attach() refuses a memory file that lacks a seal (Linux)', (t) => {
  for (const missing of [ALL_SEALS, Linux.F_SEAL_SHRINK, Linux.F_SEAL_GROW, Linux.F_SEAL_SEAL]) {
    attachTo(
      t,
      strangeFile(t, ALL_SEALS & ~missing),
      ErrorCode.PEER_CLOSED,
      new RegExp(`must be sealed against a change of length \\(seals 0x7\\): it has 0x${ALL_SEALS & ~missing}`)
    )
  }
})

test('memfdMemory() attach() refuses a memory file of another length than announced, and one without a ' +
  'header (Linux)', (t) => {
  attachTo(
    t,
    strangeFile(t, ALL_SEALS, totalBytes - 4096),
    ErrorCode.PEER_CLOSED,
    /must have the \d+ bytes that the ticket says: it has \d+/
  )
  attachTo(t, strangeFile(t, ALL_SEALS, totalBytes + 1), ErrorCode.PEER_CLOSED, /that the ticket says/)
  attachTo(t, strangeFile(t, ALL_SEALS), ErrorCode.PEER_CLOSED, /magic HTSM/)
  attachTo(t, strangeFile(t, ALL_SEALS, 1), ErrorCode.PROTOCOL, /its header has 128 bytes: the whole segment has 1/, 1)
})

test('memfdMemory() attach() refuses a segment that was made for another request (Linux)', (t) => {
  const other = memory.request()
  const { segment, ticket, settle } = memory.offer(other.bytes, SMALLEST_SIZES)
  attachTo(
    t,
    new DataView(ticket.buffer as ArrayBuffer).getUint32(24, true),
    ErrorCode.PEER_CLOSED,
    /nonce of this request: it was made for another one/
  )
  settle()
  segment.free()
})

test('memfdMemory() attach() refuses a memory file that may not be written (Linux)', (t) => {
  const F_SEAL_WRITE = 0x8
  const fd = strangeFile(t, F_SEAL_WRITE | ALL_SEALS)
  attachTo(t, fd, ErrorCode.UNAVAILABLE, /its \d+ bytes cannot be mapped \(EPERM\)/)
})

test('memfdMemory() attach() refuses whatever a descriptor of this process may be (Linux)', (t) => {
  const before = holdings()
  fc.assert(fc.property(fc.nat(80), fc.integer({ min: 1, max: 1024 ** 3 }), (fd, bytes) => {
    const request = memory.request()
    try {
      request.attach(encodeTicket('memfd', request.bytes.slice(8), { fd, totalBytes: bytes }))
      return false
    } catch (error) {
      return error instanceof TunnelError
    }
  }))
  t.deepEqual(holdings(), before)
})

test("memfdMemory() attach() refuses another user's memory (Linux)", (t) => {
  const stranger = memfdMemory(() => ({ ...loadSystemCalls(), geteuid: () => process.geteuid!() + 1 }))
  const request = stranger.request()
  const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
  refusal(
    t,
    () => request.attach(ticket),
    ErrorCode.UNAVAILABLE,
    /it is another user's memory \(user id \d+; this process has \d+\): run host and plugin as one user/
  )
  settle()
  segment.free()
})

test('memfdMemory() attach() believes the file and not the ticket about whose it is (Linux, as root)', (t) => {
  if (process.geteuid!() !== 0) return t.pass('only root can give a file away')
  const fd = strangeFile(t, ALL_SEALS)
  fchmodSync(fd, 0o666)
  fchownSync(fd, 65_534, 65_534)
  attachTo(t, fd, ErrorCode.UNAVAILABLE, /another user's memory \(user id 65534; this process has 0\)/)
})

/** System calls of which some fail, with `errno`. */
function failing (errno: number, ...names: Array<keyof SystemCalls>): () => SystemCalls {
  const calls = loadSystemCalls()
  const failed = { fcntl: () => -1, memfd_create: () => -1, mmap: () => 2n ** 64n - 1n, posix_fallocate: () => errno }
  return () => ({
    ...calls,
    errno: () => errno,
    ...Object.fromEntries(Object.entries(failed).filter(([name]) => names.includes(name as keyof SystemCalls)))
  })
}

const noMemory: Array<[what: string, calls: () => SystemCalls, message: RegExp, code?: ErrorCode]> =
  process.platform !== 'linux'
    ? []
    : [
        [
          'memory files are refused',
          failing(ENOSYS, 'memfd_create'),
          /this system refuses a file in memory \(memfd_create: ENOSYS\): use the stream transport, or host and plugin as threads of one process$/
        ],
        [
          'no descriptor is left',
          failing(EMFILE, 'memfd_create'),
          /no file in memory can be made now \(memfd_create: EMFILE\): .*ulimit -n/,
          ErrorCode.LIMIT
        ],
        [
          'the system has no descriptor left',
          failing(ENFILE, 'memfd_create'),
          /\(memfd_create: ENFILE\)/,
          ErrorCode.LIMIT
        ],
        [
          'seals are refused',
          failing(EINVAL, 'fcntl'),
          /refuses to seal a file in memory \(F_ADD_SEALS: EINVAL\), and one without seals the peer could cut off: use the stream transport/
        ],
        [
          'memory is full',
          failing(ENOSPC, 'posix_fallocate'),
          new RegExp(
            `memory is full \\(ENOSPC\\): there are no ${totalBytes} bytes: choose fewer slots or smaller ones`
          ),
          ErrorCode.LIMIT
        ],
        [
          'memory is full for this group',
          failing(ENOMEM, 'posix_fallocate'),
          /memory is full \(ENOMEM\)/,
          ErrorCode.LIMIT
        ],
        [
          'memory cannot be reserved',
          failing(EOPNOTSUPP, 'posix_fallocate'),
          /refuses to reserve \d+ bytes \(posix_fallocate: (EOPNOTSUPP|ENOTSUP)\)/
        ],
        [
          'addresses are used up',
          failing(ENOMEM, 'mmap'),
          /its \d+ bytes cannot be mapped \(ENOMEM\)/,
          ErrorCode.LIMIT
        ],
        [
          'the runtime forbids buffers over mapped memory',
          () => ({
            ...loadSystemCalls(),
            view: () => {
              throw new Error('External buffers are not allowed')
            }
          }),
          /this runtime forbids buffers over mapped memory \(External buffers are not allowed\)/
        ],
        [
          'koffi is missing',
          () =>
            bindSystemCalls('linux', () => {
              throw new Error('gone')
            }),
          /Cannot make system calls: koffi does not work here \(gone;/
        ]
      ]

for (const [what, calls, message, code = ErrorCode.UNAVAILABLE] of noMemory) {
  test(`memfdMemory() offer() and check() say so when ${what} (Linux)`, (t) => {
    const poor = memfdMemory(calls)
    refusal(t, () => poor.offer(memory.request().bytes, SMALLEST_SIZES), code, message)
    refusal(t, () => { poor.check() }, ErrorCode.UNAVAILABLE, /./)
  })
}

test('memfdMemory() attach() says so when addresses are used up or buffers forbidden (Linux)', (t) => {
  for (const [calls, code] of [
    [failing(ENOMEM, 'mmap'), ErrorCode.LIMIT],
    [() => ({ ...loadSystemCalls(), view: () => { throw new Error('forbidden') } }), ErrorCode.UNAVAILABLE]
  ] as const) {
    const request = memfdMemory(calls).request()
    const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
    refusal(t, () => request.attach(ticket), code, /^Cannot attach the shared memory: .*(ENOMEM|forbidden)/)
    settle()
    segment.free()
  }
})

test('memfdMemory() offer() goes on when a signal interrupts it (Linux)', (t) => {
  let interruptions = 3
  const calls = loadSystemCalls()
  const interrupted = memfdMemory(() => ({
    ...calls,
    posix_fallocate: (...args) => (interruptions-- > 0 ? EINTR : calls.posix_fallocate(...args))
  }))
  const { segment, settle } = interrupted.offer(memory.request().bytes, SMALLEST_SIZES)
  t.is(interruptions, -1)
  settle()
  segment.free()
})

test('memfdMemory() attach() learns the seals before the length, which is final only then (Linux)', (t) => {
  const calls = loadSystemCalls()
  const fd = strangeFile(t, 0)
  /** The peer cuts the file off and seals it at the worst moment: just before this side sees the seals. */
  const late = memfdMemory(() => ({
    ...calls,
    fcntl (...args) {
      ftruncateSync(fd, 4096)
      calls.fcntl(fd, Linux.F_ADD_SEALS, ALL_SEALS)
      return calls.fcntl(...args)
    }
  }))
  const request = late.request()
  const ticket = encodeTicket('memfd', request.bytes.slice(8), { fd, totalBytes })
  refusal(
    t,
    () => request.attach(ticket),
    ErrorCode.PEER_CLOSED,
    /must have the \d+ bytes that the ticket says: it has 4096/
  )
})

test('memfdMemory() segment.free() lets go of the memory at once, though views of it are left (Linux)', (t) => {
  const before = holdings()
  const request = memory.request()
  const { segment, ticket, settle } = memory.offer(request.bytes, DEFAULT_SEGMENT_SIZES)
  const plugin = request.attach(ticket)
  settle()
  t.is(holdings().mappings.length, before.mappings.length + 2)
  const view = new Uint8Array(plugin.buffer)
  plugin.free()
  t.is(holdings().mappings.length, before.mappings.length + 1)
  segment.free()
  t.deepEqual(holdings(), before)
  t.true(view.every((byte) => byte === 0))
})

test('memfdMemory() segment.free() that fails leaves what was there, and nothing crashes (Linux)', (t) => {
  const { segment, settle } = memfdMemory(() => {
    const calls = loadSystemCalls()
    return { ...calls, mmap: (...args) => args[0] === null ? calls.mmap(...args) : 2n ** 64n - 1n, errno: () => EPERM }
  }).offer(memory.request().bytes, SMALLEST_SIZES)
  settle()
  segment.free()
  new Uint8Array(segment.buffer)[0] = 1
  t.is(new Uint8Array(segment.buffer)[0], 1)
})

test('memfdMemory() attach() that refuses a header lets go of the memory, and keeps the addresses while there is a ' +
  'buffer of them (Linux)', (t) => {
  const calls = loadSystemCalls()
  let buffer: ArrayBuffer | undefined
  let unmapped = 0
  const request = memfdMemory(() => ({
    ...calls,
    view: (...args) => (buffer = calls.view(...args)),
    munmap: (...args) => {
      unmapped++
      return calls.munmap(...args)
    }
  })).request()
  const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
  new Uint8Array(segment.buffer)[0]! ^= 1
  refusal(t, () => request.attach(ticket), ErrorCode.PEER_CLOSED, /magic/)
  // Touching it would end the process otherwise.
  if (t.is(unmapped, 0)) t.true(new Uint8Array(buffer!).every((byte) => byte === 0))
  settle()
  segment.free()
})

test('memfdMemory() in a worker thread warns of nothing (Linux)', async (t) => {
  const code = `new (require('node:worker_threads').Worker)(${JSON.stringify(`
    import(${JSON.stringify(new URL('memfd-memory.js', import.meta.url).href)}).then(({ memfdMemory }) => {
      const memory = memfdMemory()
      const request = memory.request()
      const { segment, ticket, settle } = memory.offer(request.bytes, ${JSON.stringify(SMALLEST_SIZES)})
      request.attach(ticket).free()
      settle()
      segment.free()
      console.log('done')
    })`)}, { eval: true })`
  t.deepEqual(await promisify(execFile)(process.execPath, ['-e', code]), { stdout: 'done\n', stderr: '' })
})
