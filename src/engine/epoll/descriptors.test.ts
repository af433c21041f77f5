import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { ErrorCode, type TunnelError } from '../../base/errors.js'
import { Linux, loadSystemCalls, type SystemCalls } from '../../native/system-calls.js'
import { emptyEngineCounters } from '../engine.js'
import { ENGINES_HERE } from '../testing/engines.js'
import { hasIPv6 } from '../testing/names.js'
import { EpollAlarm } from './epoll-alarm.js'
import { listenEpoll } from './epoll-listener.js'
import { EpollSocket, type EpollEngineParts } from './epoll-socket.js'
import { EventLoop } from './event-loop.js'
import { Spin } from './spin.js'
import { systemError } from './system-error.js'
import { setTcpOptions } from './tcp-options.js'

const linux = ENGINES_HERE.includes('epoll') ? test : test.skip

/** Parts of an engine whose system calls are these, after the loop has set itself up. */
async function partsWith (calls: (system: SystemCalls) => Partial<SystemCalls>): Promise<EpollEngineParts> {
  const system = { ...loadSystemCalls() }
  const loop = new EventLoop(system)
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
  Object.assign(system, calls(loadSystemCalls()))
  const counters = emptyEngineCounters()
  return { loop, counters, spin: new Spin(0, system, counters) }
}

type Spinner = Pick<EpollEngineParts, 'counters' | 'spin'>

/** Nothing can be watched. */
const noWatches = (system: SystemCalls): Partial<SystemCalls> => ({
  epoll_ctl: () => -1,
  errno: () => system.errno() || 28
})

const descriptors = (): number => readdirSync('/proc/self/fd').length

linux('a listener and an alarm that cannot be watched leave no descriptor and no file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'epoll-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const parts = await partsWith(noWatches)
  const before = descriptors()
  await t.throwsAsync(listenEpoll(parts, tcpAddress('127.0.0.1', 0), () => {}),
    { message: /^Cannot listen on 127\.0\.0\.1:0: / })
  await t.throwsAsync(listenEpoll(parts, unixAddress(join(folder, 's')), () => {}), { message: /^Cannot listen on / })
  t.throws(() => new EpollAlarm(parts, () => {}), { message: /^epoll_ctl / })
  t.is(descriptors(), before)
  t.deepEqual(readdirSync(folder), [])
  t.false(existsSync(join(folder, 's')))
})

linux('a client that no descriptor is left for is told of, and the next one is accepted', async (t) => {
  let isExhausted = true
  let isRefused = false
  const parts = await partsWith((system) => ({
    accept4: (fd, address, bytes, flags) => {
      // As the kernel does until the listener gives its reserve up.
      isRefused = isExhausted
      isExhausted = false
      return isRefused ? -1 : system.accept4(fd, address, bytes, flags)
    },
    errno: () => isRefused ? 24 : system.errno()
  }))
  const told: TunnelError[] = []
  let accepted = 0
  const listener = await listenEpoll(parts, tcpAddress('127.0.0.1', 0), (socket) => {
    accepted++
    socket.abort()
  }, { onTurnedAway: (error) => { told.push(error) } })
  t.teardown(() => listener.close())
  const { port } = listener.address as { port: number }
  for (const expected of [0, 1]) {
    const client = net.connect({ host: '127.0.0.1', port })
    t.teardown(() => { client.destroy() })
    await new Promise<void>((resolve) => { client.on('error', () => {}).on('close', () => { resolve() }).resume() })
    t.is(accepted, expected)
  }
  t.deepEqual(told.map(({ code }) => code), [ErrorCode.LIMIT])
  t.regex(
    told[0]!.message,
    /^Cannot accept a client on 127\.0\.0\.1:\d+: .*descriptors or memory \(EMFILE\): raise the limit/
  )
})

linux('a loop without descriptors for its look at Node, or without watches, works all the same', async (t) => {
  const real = loadSystemCalls()
  for (const calls of [{ socketpair: () => -1 }, noWatches(real)]) {
    const system = { ...real, ...calls }
    const loop = new EventLoop(system)
    // A rejection that nobody handles would end the process, and this test.
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
    await new Promise<void>((resolve) => { loop.turnEnd.addTask(resolve) })
  }
  t.pass()
})

linux('a socket error that the kernel does not name ends that connection, and no more', async (t) => {
  t.is(systemError('socket', 0).code, 'UNKNOWN')
  t.is(systemError('socket', Linux.ETIMEDOUT).code, 'ETIMEDOUT')
  const parts = await partsWith(() => ({ recv: () => 0 }))
  const fd = parts.loop.system.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK, 0)
  const socket = new EpollSocket(parts, fd, true, 'to nobody')
  const closed = new Promise<unknown>((resolve) => {
    socket.start({
      claimReserves: false,
      claim: () => new Uint8Array(1),
      commit: () => {},
      end: () => {},
      close: resolve
    })
  })
  // End-of-file, and then an error that SO_ERROR knows nothing of.
  socket.handleEvents(Linux.EPOLLIN)
  socket.handleEvents(0x8)
  const error = await closed as Error | null
  t.regex(String(error?.message), /The connection to nobody broke: UNKNOWN/)
})

linux('a failed send is reported by the errno of that call, whatever fails afterwards', async (t) => {
  const errnos = [Linux.ETIMEDOUT]
  const parts = await partsWith(() => ({ send: () => -1, errno: () => errnos.pop() ?? 0 }))
  const pair = new Int32Array(2)
  t.is(parts.loop.system.socketpair(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK, 0, pair), 0)
  t.teardown(() => { parts.loop.system.close(pair[1]!) })
  const socket = new EpollSocket(parts, pair[0]!, false, 'to nobody')
  const error = await new Promise<Error | null>((resolve) => {
    socket.start({ claimReserves: false, claim: () => null, commit: () => {}, end: () => {}, close: resolve })
    socket.write(new Uint8Array(1), () => {})
  })
  t.regex(String(error?.message), /The connection to nobody broke: ETIMEDOUT/)
})

const linuxWithIpv6 = hasIPv6() ? linux : test.skip

linuxWithIpv6('a listener on :: takes IPv4 clients, too, where the system keeps IPv6 sockets to IPv6', async (t) => {
  const parts = await partsWith((system) => ({
    // As with net.ipv6.bindv6only = 1.
    socket: (domain, type, protocol) => {
      const fd = system.socket(domain, type, protocol)
      if (domain === Linux.AF_INET6) {
        system.setsockopt(fd, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, Int32Array.of(1), 4)
      }
      return fd
    }
  }))
  const listener = await listenEpoll(parts, tcpAddress('::', 0), (socket) => { socket.abort() })
  t.teardown(() => listener.close())
  const client = net.connect({ host: '127.0.0.1', port: (listener.address as { port: number }).port })
  t.teardown(() => { client.destroy() })
  client.on('error', () => {})
  await once(client, 'connect')
  t.pass()
})

linux('setTcpOptions() sets what KEEPALIVE says', (t) => {
  const system = loadSystemCalls()
  const fd = system.socket(Linux.AF_INET, Linux.SOCK_STREAM, 0)
  t.teardown(() => { system.close(fd) })
  setTcpOptions(system, fd)
  const valueOf = (level: number, option: number): number => {
    const value = new Int32Array(1)
    t.is(system.getsockopt(fd, level, option, value, Int32Array.of(4)), 0)
    return value[0]!
  }
  t.is(valueOf(Linux.SOL_SOCKET, Linux.SO_KEEPALIVE), 1)
  t.deepEqual(
    [Linux.TCP_NODELAY, Linux.TCP_KEEPIDLE, Linux.TCP_KEEPINTVL, Linux.TCP_KEEPCNT].map((option) =>
      valueOf(Linux.IPPROTO_TCP, option)
    ),
    [1, 60, 10, 6]
  )
})

linux('engines of one thread spin as each was told, while they have something open', async (t) => {
  let sleeps = 0
  const { loop } = await partsWith((system) => ({
    epoll_wait: (fd, events, maxEvents, timeoutMs) => {
      if (timeoutMs > 0) sleeps++
      return system.epoll_wait(fd, events, maxEvents, timeoutMs)
    }
  }))
  const [never, always] = [0, 50].map((choice) => {
    const counters = emptyEngineCounters()
    return { counters, spin: new Spin(choice, loop.system, counters) }
  }) as [Spinner, Spinner]
  const untilAsleepAgain = async (): Promise<void> => {
    const end = sleeps + 5
    const isDue = (): boolean => sleeps >= end
    while (!isDue()) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  loop.hold(always.spin)
  loop.hold(never.spin)
  await untilAsleepAgain()
  t.true(always.counters.spins > 0)
  t.is(never.counters.spins, 0)
  loop.release(always.spin)
  const { spins } = always.counters
  await untilAsleepAgain()
  t.is(always.counters.spins, spins)
  loop.release(never.spin)
})
