import { constants } from 'node:os'
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import test from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { bindSystemCalls, isMapped, type Koffi, Linux, loadSystemCalls } from './system-calls.js'

const onLinux = process.platform === 'linux' ? test : test.skip

function moduleNotFound (name: string): Error {
  return Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- somewhere`), {
    code: 'MODULE_NOT_FOUND'
  })
}

/**
 * A koffi whose C library has only the functions that `has` accepts; each answers with the prototype that declared it.
 */
function fakeKoffi (has: (prototype: string) => boolean = () => true): Koffi {
  return {
    load: () => ({
      func (prototype) {
        if (!has(prototype)) throw new Error(`Cannot find function '${prototype}' in shared library`)
        return () => prototype
      }
    }),
    errno: () => 7,
    view: (_, bytes) => new ArrayBuffer(bytes)
  }
}

const refused: Array<[what: string, platform: string, load: () => Koffi, message: RegExp]> = [
  [
    'another system',
    'darwin',
    () => fakeKoffi(),
    /^Cannot make system calls: they are Linux's, and this system is darwin$/
  ],
  [
    'a missing koffi',
    'linux',
    () => {
      throw moduleNotFound('koffi')
    },
    /koffi is not installed \(npm install koffi\)$/
  ],
  [
    'a koffi without its binary',
    'linux',
    () => {
      throw moduleNotFound('@koromix/koffi-linux-x64')
    },
    /koffi does not work here \(Cannot find module '@koromix\/koffi-linux-x64'; npm install koffi on it\)$/
  ],
  [
    'a binary that does not load',
    'linux',
    () => {
      throw new Error('GLIBC_2.99 not found')
    },
    /koffi does not work here \(GLIBC_2\.99 not found;/
  ],
  [
    'a C library without a function',
    'linux',
    () => fakeKoffi((prototype) => !prototype.includes('memfd_create')),
    /koffi does not work here \(Cannot find function 'int memfd_create/
  ]
]

for (const [what, platform, load, message] of refused) {
  test(`bindSystemCalls() says what is missing and what to do: ${what}`, (t) => {
    const error = t.throws(() => bindSystemCalls(platform, load), { instanceOf: TunnelError, message })
    t.is(error.code, ErrorCode.UNAVAILABLE)
  })
}

test('bindSystemCalls() does not load koffi on another system', (t) => {
  let loads = 0
  t.throws(() => bindSystemCalls('win32', () => { loads++; return fakeKoffi() }))
  t.is(loads, 0)
})

test('bindSystemCalls() takes 64-bit file offsets under the name that the C library has for them', (t) => {
  const glibc = bindSystemCalls('linux', () => fakeKoffi())
  t.regex(String(glibc.mmap(null, 1, 0, 0, 0, 0)), /^void \* mmap64\(.*int64_t offset\)$/)
  t.regex(String(glibc.posix_fallocate(0, 0, 0)), /^int posix_fallocate64\(.*int64_t offset, int64_t bytes\)$/)
  const musl = bindSystemCalls('linux', () => fakeKoffi((prototype) => !prototype.includes('64(')))
  t.regex(String(musl.mmap(null, 1, 0, 0, 0, 0)), /^void \* mmap\(/)
  t.regex(String(musl.posix_fallocate(0, 0, 0)), /^int posix_fallocate\(/)
})

test('isMapped() knows a failure from an address, with pointers of 32 and of 64 bits', (t) => {
  t.false(isMapped(0xFFFF_FFFF_FFFF_FFFFn))
  t.false(isMapped(0xFFFF_FFFFn))
  t.true(isMapped(0xFFFF_F000n))
  t.true(isMapped(0x7FFF_FFFF_F000n))
  t.true(isMapped(0n))
})

onLinux('loadSystemCalls() binds once', (t) => {
  t.is(loadSystemCalls(), loadSystemCalls())
})

onLinux('loadSystemCalls() reports failures as the manual pages say', (t) => {
  const calls = loadSystemCalls()
  t.is(calls.geteuid(), process.geteuid!())
  t.is(calls.fcntl(-1, Linux.F_GET_SEALS, 0), -1)
  t.is(calls.errno(), constants.errno.EBADF)
  t.is(calls.posix_fallocate(-1, 0, 4096), constants.errno.EBADF)
  t.false(isMapped(calls.mmap(null, 0, Linux.PROT_READ, Linux.MAP_PRIVATE | Linux.MAP_ANONYMOUS, -1, 0)))
  t.is(calls.errno(), constants.errno.EINVAL)
  t.is(calls.munmap(1n, 4096), -1)
  t.is(calls.close(-1), -1)
})

onLinux('loadSystemCalls() maps memory of which two views show the same bytes, past 4 GiB of offset too', (t) => {
  const calls = loadSystemCalls()
  const offset = 5 * 1024 ** 3
  const fd = calls.memfd_create('test', Linux.MFD_CLOEXEC)
  t.teardown(() => { calls.close(fd) })
  t.is(calls.posix_fallocate(fd, offset, 4096), 0)
  const [first, second] = [0, 1].map(() => {
    const address = calls.mmap(null, 4096, Linux.PROT_READ | Linux.PROT_WRITE, Linux.MAP_SHARED, fd, offset)
    t.true(isMapped(address))
    t.teardown(() => { calls.munmap(address, 4096) })
    return new Uint8Array(calls.view(address, 4096))
  })
  first![4095] = 42
  t.is(second![4095], 42)
})

onLinux('loadSystemCalls() works in worker threads, one after the other', async (t) => {
  for (let round = 0; round < 2; round++) {
    const worker = new Worker(`
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData).then(({ loadSystemCalls }) => { parentPort.postMessage(loadSystemCalls().geteuid()) })
    `, { eval: true, workerData: new URL('system-calls.js', import.meta.url).href })
    t.teardown(async () => { await worker.terminate() })
    const exit = once(worker, 'exit')
    t.deepEqual(await once(worker, 'message'), [process.geteuid!()])
    await exit
  }
})
