import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync
} from 'node:fs'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, relative } from 'node:path'
import type { ExecutionContext } from 'ava'
import { tcpAddress, unixAddress, UNIX_PATH_MAX_BYTES, type Address } from '../../base/address.js'
import { ErrorCode, type TunnelError } from '../../base/errors.js'
import { KEEPALIVE, type SocketFileEvent } from '../engine.js'
import { loopbacks, makeName } from './names.js'
import { deferred, type End, type Rig, type Suite } from './rig.js'

type TcpAddress = Address & { kind: 'tcp' }
type UnixAddress = Address & { kind: 'unix' }

export function registerListenTests (suite: Suite): void {
  /** Where /proc tells, and all of 127.0.0.0/8 is this machine. */
  const linux: Suite['once'] = (...args) => { if (process.platform === 'linux') suite.once(...args) }

  suite.onBoth(
    'listen() accepts again on the same address after close(), and accepted sockets live on',
    async (t, rig, kind) => {
      const { client, server, listener } = await rig.pair(kind)
      await listener.close()
      await listener.close()
      t.is((await rig.connect(listener.address).reader.untilClose())?.code, ErrorCode.CONNECT_REFUSED)
      rig.write(client, Buffer.from('still here'))
      await server.reader.untilBytes(10)
      const again = await rig.listen(listener.address, (end) => end.socket.shutdown())
      t.deepEqual(again.address, listener.address)
      const second = rig.connect(again.address)
      await second.reader.untilEnd()
      for (const end of [second, client, server]) end.socket.shutdown()
      await again.close()
      t.true(second.reader.hasConnected)
    }
  )

  suite.onBoth('listen() hands over connections that come all at once', async (t, rig, kind) => {
    const listener = await rig.listen(rig.freeAddress(kind), (end) => end.socket.shutdown())
    const clients = Array.from({ length: 200 }, () => rig.connect(listener.address))
    for (const client of clients) client.socket.shutdown()
    t.deepEqual(await Promise.all(clients.map((client) => client.reader.untilClose())), clients.map(() => null))
  })

  suite.onBoth('peerAddress() of an accepted socket has both ends of the connection', async (t, rig, kind) => {
    const { client, server, listener } = await rig.pair(kind)
    const addresses = server.socket.peerAddress?.() ?? null
    if (kind === 'unix' || listener.address.kind === 'unix') t.is(addresses, null)
    else {
      const { remotePort, ...rest } = addresses!
      const { port } = listener.address
      t.true(remotePort > 0 && remotePort !== port)
      t.deepEqual(rest, { family: 'IPv4', remoteAddress: '127.0.0.1', localAddress: '127.0.0.1', localPort: port })
    }
    for (const end of [client, server]) end.socket.shutdown()
  })

  if (hasIPv6()) {
    for (const host of ['::1', '::']) {
      suite.once(`peerAddress() of a socket accepted on ${host} has the text that node:net has`, async (t, rig) => {
        const accepted = deferred<End>()
        const { address } = await rig.listen(tcpAddress(host, 0), accepted.resolve)
        const { port } = address as Address & { kind: 'tcp' }
        const raw = net.connect(port, host === '::' ? '127.0.0.1' : '::1')
        t.teardown(() => raw.destroy())
        const { socket } = await accepted.promise
        const ip = host === '::' ? '::ffff:127.0.0.1' : '::1'
        t.deepEqual(socket.peerAddress?.(), {
          family: 'IPv6', remoteAddress: ip, remotePort: raw.localPort, localAddress: ip, localPort: port
        })
        socket.shutdown()
        raw.end()
      })
    }
  }

  suite.once('listen() rejects a taken port with ERR_TUNNEL_ADDRESS_IN_USE', async (t, rig) => {
    const { address } = await rig.listen(tcpAddress('127.0.0.1', 0))
    const { port } = address as Address & { kind: 'tcp' }
    t.true(port > 0)
    const error = await rejection(t, rig, address)
    t.is(error.code, ErrorCode.ADDRESS_IN_USE)
    t.is(
      error.message,
      `Cannot listen on 127.0.0.1:${port}: the port is taken by another program: stop it or choose another port`
    )
  })

  suite.once('listen() rejects an address of another machine with ERR_TUNNEL_SOCKET_FAILED', async (t, rig) => {
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    const error = await rejection(t, rig, tcpAddress('192.0.2.1', 0))
    t.is(error.code, ErrorCode.SOCKET_FAILED)
    t.regex(error.message, /192\.0\.2\.1:0.*EADDRNOTAVAIL/)
  })

  suite.once('listen() makes a private socket file and close() removes it', async (t, rig) => {
    const address = rig.freeAddress('unix')
    const { path } = address as Address & { kind: 'unix' }
    const listener = await rig.listen(address)
    const stat = lstatSync(path)
    t.true(stat.isSocket())
    t.is(stat.mode & 0o777, 0o600)
    t.deepEqual(readdirSync(rig.directory), ['test.sock'])
    await listener.close()
    t.deepEqual(readdirSync(rig.directory), [])
  })

  suite.once('listen() leaves a live socket alone and rejects with ERR_TUNNEL_ADDRESS_IN_USE', async (t, rig) => {
    const { address } = await rig.listen(rig.freeAddress('unix'), (end) => end.socket.shutdown())
    const error = await rejection(t, rig, address)
    t.is(error.code, ErrorCode.ADDRESS_IN_USE)
    t.regex(error.message, /another host is listening there/)
    t.deepEqual(readdirSync(rig.directory), ['test.sock'])
    const client = rig.connect(address)
    await client.reader.untilEnd()
    t.true(client.reader.hasConnected)
    client.socket.shutdown()
    // The look at the live socket was a connection, too: it has ended.
    await client.reader.untilClose()
  })

  suite.once('listen() leaves any other file alone and rejects with ERR_TUNNEL_ADDRESS_IN_USE', async (t, rig) => {
    const file = join(rig.directory, 'file')
    writeFileSync(file, 'precious')
    mkdirSync(join(rig.directory, 'directory'))
    symlinkSync(file, join(rig.directory, 'link'))
    symlinkSync('nowhere', join(rig.directory, 'dangling'))
    const dangling = await rejection(t, rig, unixAddress(join(rig.directory, 'dangling')))
    t.regex(dangling.message, /a symbolic link to nowhere: it is left alone; choose another path or remove it$/)
    for (const name of ['file', 'directory', 'link']) {
      const error = await rejection(t, rig, unixAddress(join(rig.directory, name)))
      t.is(error.code, ErrorCode.ADDRESS_IN_USE)
      t.true(
        error.message.includes(
          name === 'link' ? `a symbolic link to ${file}: it is left` : 'exists and is not a socket: it is left'
        ),
        error.message
      )
    }
    t.is(readFileSync(file, 'utf8'), 'precious')
    t.deepEqual(readdirSync(rig.directory), ['dangling', 'directory', 'file', 'link'])
  })

  suite.once('listen() replaces a dead socket', async (t, rig) => {
    const address = await makeDeadSocket(t, rig)
    await rig.listen(address, (end) => end.socket.shutdown())
    t.is(lstatSync(address.path).mode & 0o777, 0o600)
    const client = rig.connect(address)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
    t.deepEqual(readdirSync(rig.directory), ['test.sock'])
  })

  suite.once(
    'listen() by several at once on one path lets one through, on a fresh path and on a dead socket',
    async (t, rig) => {
      for (const address of [unixAddress(join(rig.directory, 'fresh.sock')), await makeDeadSocket(t, rig)]) {
        const outcomes = await Promise.allSettled(
          [1, 2, 3, 4].map(() => rig.listen(address, (end) => end.socket.shutdown()))
        )
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
        t.deepEqual(
          lost.map((outcome) => (outcome.reason as TunnelError).code),
          Array<string>(3).fill(ErrorCode.ADDRESS_IN_USE)
        )
        const client = rig.connect(address)
        client.socket.shutdown()
        t.is(await client.reader.untilClose(), null)
      }
      t.deepEqual(readdirSync(rig.directory), ['fresh.sock', 'test.sock'])
    }
  )

  suite.once(
    'listen() in a directory that is missing or is none rejects with ERR_TUNNEL_ADDRESS_DENIED and names it',
    async (t, rig) => {
      writeFileSync(join(rig.directory, 'file'), '')
      for (const [directory, problem] of [
        ['missing', 'does not exist'],
        ['file', 'is not a directory']
      ]) {
        const path = join(rig.directory, directory!)
        const error = await rejection(t, rig, unixAddress(join(path, 'x.sock')))
        t.is(error.code, ErrorCode.ADDRESS_DENIED)
        t.true(error.message.includes(path) && error.message.includes(problem!), error.message)
      }
      t.deepEqual(readdirSync(rig.directory), ['file'])
      symlinkSync('nowhere', join(rig.directory, 'dangling'))
      const error = await rejection(t, rig, unixAddress(join(rig.directory, 'dangling', 'x.sock')))
      t.regex(
        error.message,
        /dangling is a symbolic link to nowhere, which does not exist \(ENOENT\): choose another path/
      )
    }
  )

  linux('listen() says of a file system that takes no files that it is that', async (t, rig) => {
    const error = await rejection(t, rig, unixAddress('/proc/x.sock'))
    t.is(error.code, ErrorCode.ADDRESS_DENIED)
    t.regex(
      error.message,
      /^Cannot listen on \/proc\/x\.sock: the file system of \/proc lets nobody make files \(ENOENT\): choose another path/
    )
  })

  linux('listen() binds a socket under the name it keeps', async (t, rig) => {
    const isListed = (name: string): boolean => readFileSync('/proc/net/unix',
      'utf8').split('\n').some((line) => line.endsWith(` ${name}`))
    const { path } = rig.freeAddress('unix') as UnixAddress
    await rig.listen(unixAddress(path))
    t.true(isListed(path))
    const above = relative(process.cwd(), rig.directory)
    await rig.listen(unixAddress(join(above, 'relative')))
    t.true(isListed(join(rig.directory, 'relative')), 'whole, whatever it was named by')
    t.deepEqual(readdirSync(rig.directory), ['relative', 'test.sock'])
  })

  suite.once(
    'listen() waits for another that is just starting on the path, and takes a lock that was left for what it is',
    async (t, rig) => {
      const { path } = rig.freeAddress('unix') as UnixAddress
      mkdirSync(`${path}.lock`)
      const waiting = rig.listen(unixAddress(path))
      t.false(existsSync(path))
      rmdirSync(`${path}.lock`)
      await waiting
      const left = join(rig.directory, 'left')
      mkdirSync(`${left}.lock`)
      await rig.listen(unixAddress(left))
      t.deepEqual(readdirSync(rig.directory), ['left', 'test.sock'])
    }
  )

  suite.once('listen() makes a socket file again that somebody removed, and says so', async (t, rig) => {
    const address = rig.freeAddress('unix') as UnixAddress
    const { events, onSocketFile } = eventQueue()
    const listener = await rig.listen(address, (end) => end.socket.shutdown(), undefined, { onSocketFile })
    unlinkSync(address.path)
    t.deepEqual(await events.next(), { kind: 'restored' })
    t.is(lstatSync(address.path).mode & 0o777, 0o600)
    const client = rig.connect(address)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
    // And where it cannot: once, and again when it can.
    rmSync(rig.directory, { recursive: true })
    const lost = await events.next()
    t.is(lost.kind, 'unreachable')
    if (lost.kind === 'unreachable') t.is(lost.error.code, ErrorCode.ADDRESS_DENIED)
    mkdirSync(rig.directory)
    t.deepEqual(await events.next(), { kind: 'restored' })
    await listener.close()
    t.deepEqual(readdirSync(rig.directory), [])
  })

  linux('listen() on a name listens on all addresses of it that are here, at one port', async (t, rig) => {
    const [one, other] = loopbacks(2) as [string, string]
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    const { host } = makeName([one, '192.0.2.1', other])
    const listener = await rig.listen(tcpAddress(host, 0), (end) => end.socket.shutdown())
    const { port } = listener.address as TcpAddress
    t.deepEqual(listener.address, tcpAddress(host, port))
    t.deepEqual(listener.addresses, [tcpAddress(one, port), tcpAddress(other, port)])
    for (const address of [listener.address, ...listener.addresses]) {
      const client = rig.connect(address)
      client.socket.shutdown()
      t.is(await client.reader.untilClose(), null)
    }
    t.is((await rejection(t, rig, tcpAddress(host, port))).code, ErrorCode.ADDRESS_IN_USE)
    await listener.close()
    for (const address of listener.addresses) {
      t.is((await rig.connect(address).reader.untilClose())?.code,
        ErrorCode.CONNECT_REFUSED)
    }
    t.regex((await rejection(t, rig, tcpAddress(makeName([]).host, 0))).message,
      /the name is not known here \(ENOTFOUND\)/)
  })

  linux('listen() on a name fails where one address of it is taken, and leaves the others free', async (t, rig) => {
    const [free, taken] = loopbacks(2) as [string, string]
    const { address } = await rig.listen(tcpAddress(taken, 0))
    const { port } = address as TcpAddress
    t.is((await rejection(t, rig, tcpAddress(makeName([free, taken]).host, port))).code, ErrorCode.ADDRESS_IN_USE)
    t.is((await rig.connect(tcpAddress(free, port)).reader.untilClose())?.code, ErrorCode.CONNECT_REFUSED)
  })

  linux('accepted and connecting sockets are kept alive by probes', async (t, rig) => {
    const { client, server, listener } = await rig.pair('tcp')
    const { port } = listener.address as TcpAddress
    const hex = port.toString(16).toUpperCase().padStart(4, '0')
    // proc(5): local and remote address, state (1: established), and the timer that runs (2: keepalive) with its
    // hundredths of a second.
    const all = [...readFileSync('/proc/net/tcp', 'utf8').matchAll(/: (\w+:\w+) (\w+:\w+) 01 \S+ (\d\d):(\w+)/g)]
    const accepted = all.find(([, local, remote]) => local === `0100007F:${hex}` &&
      all.some((end) => end[1] === remote && end[2] === local))!
    const ends = [accepted, all.find(([, local, remote]) => local === accepted[2] && remote === accepted[1])!]
    for (const [, , , timer, left] of ends) {
      t.is(timer, '02')
      const leftSec = parseInt(left!, 16) / 100
      t.true(leftSec > 0 && leftSec <= KEEPALIVE.idleSec && leftSec > KEEPALIVE.idleSec / 2, `${leftSec} s`)
    }
    for (const end of [client, server]) end.socket.shutdown()
  })

  const isRoot = process.getuid?.() === 0
  if (!isRoot) {
    suite.once(
      'listen() in a directory this user may not write to rejects with ERR_TUNNEL_ADDRESS_DENIED',
      async (t, rig) => {
        const path = join(rig.directory, 'locked')
        mkdirSync(path, { mode: 0o500 })
        t.teardown(() => chmodSync(path, 0o700))
        const error = await rejection(t, rig, unixAddress(join(path, 'x.sock')))
        t.is(error.code, ErrorCode.ADDRESS_DENIED)
        t.true(error.message.includes(path), error.message)
      }
    )
  }

  suite.once('listen() works up to the longest path', async (t, rig) => {
    const longest = UNIX_PATH_MAX_BYTES - rig.directory.length - 1
    const path = join(rig.directory, 'x'.repeat(longest))
    const listener = await rig.listen(unixAddress(path))
    t.true(lstatSync(path).isSocket())
    await listener.close()
    // A short name in a long directory: nothing but the path itself has to fit.
    const directory = join(rig.directory, 'd'.repeat(longest - 2))
    mkdirSync(directory)
    const other = await rig.listen(unixAddress(join(directory, 'x')))
    t.deepEqual(readdirSync(directory), ['x'])
    await other.close()
    t.deepEqual(readdirSync(directory), [])
  })

  suite.once('close() leaves a file alone that is at the path by now and is not its own', async (t, rig) => {
    const address = rig.freeAddress('unix')
    const { path } = address as Address & { kind: 'unix' }
    const first = await rig.listen(address)
    unlinkSync(path)
    await first.close()
    t.deepEqual(readdirSync(rig.directory), [])
    const second = await rig.listen(address)
    unlinkSync(path)
    writeFileSync(path, 'precious')
    await second.close()
    t.is(readFileSync(path, 'utf8'), 'precious')
    unlinkSync(path)
    const third = await rig.listen(address)
    unlinkSync(path)
    const fourth = await rig.listen(address, (end) => end.socket.shutdown())
    await third.close()
    const client = rig.connect(fourth.address)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
  })
}

function eventQueue (): {
  events: { next: () => Promise<SocketFileEvent> }
  onSocketFile: (event: SocketFileEvent) => void
} {
  const seen: SocketFileEvent[] = []
  let wake = (): void => {}
  const next = async (): Promise<SocketFileEvent> => {
    while (seen.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return seen.shift()!
  }
  return {
    events: { next },
    onSocketFile: (event) => {
      seen.push(event)
      wake()
    }
  }
}

async function rejection (t: ExecutionContext, rig: Rig, address: Address): Promise<TunnelError> {
  return await t.throwsAsync<TunnelError>(async () => { await rig.listen(address) })
}

/** What a killed process leaves: a socket file on which nobody listens. */
async function makeDeadSocket (t: ExecutionContext, rig: Rig): Promise<Address & { kind: 'unix' }> {
  const live = join(rig.directory, 'live')
  const address = rig.freeAddress('unix') as Address & { kind: 'unix' }
  const server = net.createServer().listen(live)
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  linkSync(live, address.path)
  server.close()
  return address
}

function hasIPv6 (): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))
}
