import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ava from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { memfdMemory } from './memfd-memory.js'
import { layOut } from './segment-sizes.js'
import { SMALLEST_SIZES } from './testing/arbitrary-sizes.js'
import type { Held } from './testing/memfd-cycles.js'
import { SegmentPeer } from './testing/segment-peer.js'
import { byEffort } from '../base/testing/effort.js'

/** Memory files are Linux's: elsewhere there is nothing to test. */
const test = process.platform === 'linux' ? ava : ava.skip
const memory = memfdMemory()
const { totalBytes } = layOut(SMALLEST_SIZES)
const NOBODY = 65_534

async function kill (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('memfdMemory() shares a segment between two processes, which both see what the other ' +
  'writes (Linux)', async (t) => {
  const { peer: plugin } = SegmentPeer.inProcess(t, 'memfd')
  const { segment, ticket, settle } = memory.offer(await plugin.bytesOf({ do: 'request' }), SMALLEST_SIZES)
  t.is(await plugin.valueOf({ do: 'attach', ticket }), totalBytes)
  settle()
  const bytes = new Uint8Array(segment.buffer)
  bytes[totalBytes - 1] = 42
  t.is(await plugin.valueOf({ do: 'read', at: totalBytes - 1 }), 42)
  await plugin.tell({ do: 'write', at: 4096, value: 43 })
  t.is(bytes[4096], 43)
  await plugin.tell({ do: 'free' })
  t.is(await plugin.valueOf({ do: 'read', at: 4096 }), 0)
  t.is(bytes[4096], 43)
  segment.free()
})

test('memfdMemory() keeps a segment whole when its peer tries to make it shorter or longer (Linux)', async (t) => {
  const { peer: host } = SegmentPeer.inProcess(t, 'memfd')
  const request = memory.request()
  const ticket = await host.bytesOf({ do: 'offer', request: request.bytes, sizes: SMALLEST_SIZES })
  const view = new DataView(ticket.buffer, ticket.byteOffset)
  const fd = openSync(`/proc/${view.getUint32(4, true)}/fd/${view.getUint32(24, true)}`, 'r+')
  t.teardown(() => { closeSync(fd) })
  for (const bytes of [0, totalBytes - 1, totalBytes + 1]) {
    t.throws(
      () => {
        ftruncateSync(fd, bytes)
      },
      { code: 'EPERM' }
    )
  }
  t.is(fstatSync(fd).size, totalBytes)
  const segment = request.attach(ticket)
  t.is(segment.buffer.byteLength, totalBytes)
  segment.free()
})

test('memfdMemory() survives a peer that is killed, on either side, and leaves nothing behind (Linux)', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'segment-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const env = { TMPDIR: folder }
  const [host, plugin] = [SegmentPeer.inProcess(t, 'memfd', { env }), SegmentPeer.inProcess(t, 'memfd', { env })]
  const request = memory.request()
  const segment = request.attach(
    await host.peer.bytesOf({ do: 'offer', request: request.bytes, sizes: SMALLEST_SIZES })
  )
  const ticket = await host.peer.bytesOf({
    do: 'offer',
    request: await plugin.peer.bytesOf({ do: 'request' }),
    sizes: SMALLEST_SIZES
  })
  await plugin.peer.tell({ do: 'attach', ticket })
  await host.peer.tell({ do: 'write', at: 4096, value: 1 })
  t.is(await plugin.peer.valueOf({ do: 'read', at: 4096 }), 1)
  await kill(host.child)
  new Uint8Array(segment.buffer).fill(7)
  t.is(new Uint8Array(segment.buffer).at(-1), 7)
  await plugin.peer.tell({ do: 'write', at: totalBytes - 1, value: 8 })
  t.is(await plugin.peer.valueOf({ do: 'read', at: totalBytes - 1 }), 8)
  await kill(plugin.child)
  segment.free()
  t.deepEqual(readdirSync(folder), [])
  t.deepEqual(readdirSync('/dev/shm').filter((name) => /tunnel|segment/.test(name)), [])
})

test('memfdMemory() attach() says that the host has gone (Linux)', async (t) => {
  const host = SegmentPeer.inProcess(t, 'memfd')
  const request = memory.request()
  const ticket = await host.peer.bytesOf({ do: 'offer', request: request.bytes, sizes: SMALLEST_SIZES })
  await kill(host.child)
  const error = t.throws(() => request.attach(ticket), {
    instanceOf: TunnelError,
    message: /\(ENOENT\): .*both be alive/
  })
  t.is(error.code, ErrorCode.PEER_CLOSED)
})

test("memfdMemory() does not attach another user's memory, whoever of the two is root (Linux, as root)", async (t) => {
  if (process.geteuid!() !== 0) return t.pass('only root can start a process of another user')
  const { peer } = SegmentPeer.inProcess(t, 'memfd', { uid: NOBODY })
  const { segment, ticket, settle } = memory.offer(await peer.bytesOf({ do: 'request' }), SMALLEST_SIZES)
  const denied = await t.throwsAsync(peer.tell({ do: 'attach', ticket }), {
    instanceOf: TunnelError,
    message: /cannot be opened \(EACCES\): host and plugin must run on one machine, as one user/
  })
  t.is(denied.code, ErrorCode.UNAVAILABLE)
  settle()
  segment.free()
  const request = memory.request()
  const theirs = await peer.bytesOf({ do: 'offer', request: request.bytes, sizes: SMALLEST_SIZES })
  const error = t.throws(() => request.attach(theirs), {
    instanceOf: TunnelError,
    message: /another user's memory \(user id 65534; this process has 0\)/
  })
  t.is(error.code, ErrorCode.UNAVAILABLE)
})

const SEGMENTS = byEffort({ quick: 40, full: 200 })

test(`memfdMemory() gives memory and addresses back: ${SEGMENTS} segments of 16 MiB need no more than a ` +
  'few (Linux)', async (t) => {
  const child = fork(fileURLToPath(new URL('testing/memfd-cycles.js', import.meta.url)), [String(SEGMENTS)], {
    execArgv: ['--expose-gc']
  })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  const [{ before, after, peakResidentBytes }] = (await once(child, 'message')) as [
    { before: Held; after: Held; peakResidentBytes: number }
  ]
  const MIB = 1024 * 1024
  t.true(
    peakResidentBytes < before.residentBytes + 64 * MIB,
    `${peakResidentBytes} bytes resident, from ${before.residentBytes}`
  )
  t.true(
    after.addressBytes < before.addressBytes + 320 * MIB,
    `${after.addressBytes} bytes of addresses, from ${before.addressBytes}`
  )
  t.true(after.mappings < before.mappings + 50, `${after.mappings} mappings, from ${before.mappings}`)
})
