import net from 'node:net'
import { readFileSync } from 'node:fs'
import { tcpAddress, type Address } from '../../base/address.js'
import { ErrorCode } from '../../base/errors.js'
import { KEEPALIVE } from '../engine.js'
import { hasIPv6, loopbacks, makeName } from './names.js'
import { deferred, type End, type Suite } from './rig.js'

type TcpAddress = Address & { kind: 'tcp' }

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
    const error = await rig.listenError(address)
    t.is(error.code, ErrorCode.ADDRESS_IN_USE)
    t.is(
      error.message,
      `Cannot listen on 127.0.0.1:${port}: the port is taken by another program: stop it or choose another port`
    )
  })

  suite.once('listen() rejects an address of another machine with ERR_TUNNEL_SOCKET_FAILED', async (t, rig) => {
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    const error = await rig.listenError(tcpAddress('192.0.2.1', 0))
    t.is(error.code, ErrorCode.SOCKET_FAILED)
    t.regex(error.message, /192\.0\.2\.1:0.*EADDRNOTAVAIL/)
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
    t.is((await rig.listenError(tcpAddress(host, port))).code, ErrorCode.ADDRESS_IN_USE)
    await listener.close()
    for (const address of listener.addresses) {
      t.is((await rig.connect(address).reader.untilClose())?.code,
        ErrorCode.CONNECT_REFUSED)
    }
    t.regex((await rig.listenError(tcpAddress(makeName([]).host, 0))).message,
      /the name is not known here \(ENOTFOUND\)/)
  })

  linux('listen() on a name fails where one address of it is taken, and leaves the others free', async (t, rig) => {
    const [free, taken] = loopbacks(2) as [string, string]
    const { address } = await rig.listen(tcpAddress(taken, 0))
    const { port } = address as TcpAddress
    t.is((await rig.listenError(tcpAddress(makeName([free, taken]).host, port))).code, ErrorCode.ADDRESS_IN_USE)
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
}
