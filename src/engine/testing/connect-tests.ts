import { linkSync } from 'node:fs'
import net from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ExecutionContext } from 'ava'
import { contentSlice } from '../../base/content.js'
import { tcpAddress, unixAddress, type Address } from '../../base/address.js'
import { ErrorCode } from '../../base/errors.js'
import { findAddresses } from '../host-name.js'
import { loopbacks, makeName } from './names.js'
import type { Rig, Suite } from './rig.js'

type TcpAddress = Address & { kind: 'tcp' }

/** The time that an address has would pass while a hundred other tests share the loop. */
const SERIALLY = true

export function registerConnectTests (suite: Suite): void {
  /** Where all of 127.0.0.0/8 is this machine. */
  const linux: Suite['once'] = (...args) => { if (process.platform === 'linux') suite.once(...args) }

  suite.onBoth('connect() sends what was written before the connection stood', async (t, rig, kind) => {
    const listener = await rig.listen(rig.freeAddress(kind), (end) => {
      end.reader.untilEnd().then(() => end.socket.shutdown(), t.fail)
    })
    const client = rig.connect(listener.address)
    t.false(client.reader.hasConnected)
    const written = rig.writeAndWait(client, contentSlice(0, 100_000))
    await client.reader.untilConnect()
    await written
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
  })

  suite.onBoth('connect() and shutdown() in one call sends an end once the connection stands', async (t, rig, kind) => {
    const listener = await rig.listen(rig.freeAddress(kind), (end) => {
      end.reader.untilEnd().then(() => end.socket.shutdown(), t.fail)
    })
    const client = rig.connect(listener.address)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
    t.true(client.reader.hasConnected)
  })

  suite.once(
    'connect() to a port or path where nobody listens ends in ERR_TUNNEL_CONNECT_REFUSED, with its writes released',
    async (t, rig) => {
      const dead = join(rig.directory, 'dead.sock')
      await makeDeadSocket(join(rig.directory, 'live.sock'), dead)
      const closed = await rig.listen(tcpAddress('127.0.0.1', 0))
      await closed.close()
      for (const address of [closed.address, unixAddress(join(rig.directory, 'none.sock')), unixAddress(dead)]) {
        const client = rig.connect(address, {}, 60_000)
        const written = rig.writeAndWait(client, contentSlice(0, 1000))
        rig.write(client, contentSlice(0, 1000))
        client.socket.shutdown()
        const error = await client.reader.untilClose()
        await written
        t.is(error?.code, ErrorCode.CONNECT_REFUSED)
        t.true(
          error!.message.includes(address.kind === 'tcp' ? `127.0.0.1:${address.port}` : address.path),
          error!.message
        )
        t.false(client.reader.hasConnected)
      }
    }
  )

  suite.once('connect() resolves a host name', async (t, rig) => {
    const { address } = await rig.listen(tcpAddress('127.0.0.1', 0), (end) => end.socket.shutdown())
    const client = rig.connect(tcpAddress('localhost', (address as Address & { kind: 'tcp' }).port))
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
    t.true(client.reader.hasConnected)
  })

  linux('connect() tries every address of a name, and the one that worked first from then on', async (t, rig) => {
    const [dead, other, live] = loopbacks(3) as [string, string, string]
    const { address } = await rig.listen(tcpAddress(live, 0), (end) => end.socket.shutdown())
    const name = makeName([dead, other, live])
    const clients = Array.from({ length: 20 }, () => rig.connect({ ...address as TcpAddress, host: name.host }))
    for (const client of clients) {
      rig.write(client, contentSlice(0, 1000))
      client.socket.shutdown()
    }
    for (const client of clients) t.is(await client.reader.untilClose(), null)
    t.true(clients.every(({ reader }) => reader.hasConnected))
    t.is(name.lookups, 1)
    t.deepEqual(await findAddresses(name.host), [live, dead, other])
  })

  linux('connect() goes on to the next address when one does not answer', async (t, rig) => {
    const [silent, live] = loopbacks(2) as [string, string]
    const { port } = await startDeafListener(t, silent)
    await rig.listen(tcpAddress(live, port), (end) => end.socket.shutdown())
    const client = rig.connect(tcpAddress(makeName([silent, live]).host, port), {}, 8000)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
    t.true(client.reader.hasConnected)
  }, SERIALLY)

  linux('connect() gives an address that is slow a second chance when the others have failed', async (t, rig) => {
    if (rig.engine.name === 'node') {
      t.pass('Node tries every address once')
      return
    }
    const [slow, dead] = loopbacks(2) as [string, string]
    const deaf = await startDeafListener(t, slow)
    const client = rig.connect(tcpAddress(makeName([slow, dead]).host, deaf.port), {}, 3200)
    // The first attempt is lost: the kernel repeats it after a second, when the other address has been tried.
    await rig.turns(5)
    deaf.hear()
    client.socket.shutdown()
    await Promise.race([client.reader.untilConnect(), client.reader.untilClose()])
    t.true(client.reader.hasConnected)
    client.socket.reset()
    await client.reader.untilClose()
  }, SERIALLY)

  linux('connect() waits for the last address as long as it may, and a reset ends that', async (t, rig) => {
    const [dead, silent] = loopbacks(2) as [string, string]
    const { port } = await startDeafListener(t, silent)
    const { host } = makeName([dead, silent])
    t.is((await rig.connect(tcpAddress(host, port), {}, 40).reader.untilClose())?.code, ErrorCode.CONNECT_TIMEOUT)
    const other = rig.connect(tcpAddress(host, port), {}, 0)
    await rig.turns(5)
    rig.reset(other)
    t.is(await other.reader.untilClose(), null)
  }, SERIALLY)

  linux('connect() names the name when no address of it answers, or it has none', async (t, rig) => {
    const { host } = makeName(loopbacks(2))
    const error = await rig.connect(tcpAddress(host, 9)).reader.untilClose()
    t.is(error?.code, ErrorCode.CONNECT_REFUSED)
    t.true(error!.message.includes(`${host}:9: nothing listens there (ECONNREFUSED)`), error!.message)
    const unknown = await rig.connect(tcpAddress(makeName([]).host, 9)).reader.untilClose()
    t.is(unknown?.code, ErrorCode.SOCKET_FAILED)
    t.regex(unknown!.message, /the name is not known here \(ENOTFOUND\)/)
  })

  suite.once(
    'connect() without an answer ends in ERR_TUNNEL_CONNECT_TIMEOUT, with its writes released',
    async (t, rig) => {
      const address = await startDeafListener(t)
      const client = rig.connect(address, {}, 50)
      rig.write(client, contentSlice(0, 1000))
      const error = await client.reader.untilClose()
      t.is(error?.code, ErrorCode.CONNECT_TIMEOUT)
      t.regex(error!.message, /no answer within 50 ms/)
      t.false(client.reader.hasConnected)
    }
  )

  suite.once('abort() while connecting without an answer closes at once', async (t, rig) => {
    const address = await startDeafListener(t)
    const client = rig.connect(address, {}, 0)
    rig.write(client, contentSlice(0, 1000))
    await rig.turns(3)
    rig.abort(client)
    t.is(await client.reader.untilClose(), null)
    t.false(client.reader.hasConnected)
  })

  suite.onBoth('abort() in the same call as connect() closes, with its writes released', async (t, rig, kind) => {
    const listener = await rig.listen(rig.freeAddress(kind), (end) => {
      end.reader.untilEnd().then(() => end.socket.shutdown(), t.fail)
    })
    const client = rig.connect(listener.address, {}, 60_000)
    rig.write(client, contentSlice(0, 1000))
    rig.abort(client)
    t.is(await client.reader.untilClose(), null)
    t.false(client.reader.hasConnected)
    // The kernel may have connected before the reset: let such a connection end, too.
    await settle(rig)
  })

  suite.once('a connection that stands is not cut off by its connect timeout', async (t, rig) => {
    const listener = await rig.listen(rig.freeAddress('tcp'), (end) => {
      end.reader.untilEnd().then(() => end.socket.shutdown(), t.fail)
    })
    const client = rig.connect(listener.address, {}, 500)
    await client.reader.untilConnect()
    // A timer set later, and for longer, fires later.
    await new Promise((resolve) => setTimeout(resolve, 550))
    t.false(client.reader.isClosed)
    client.socket.shutdown()
    t.is(await client.reader.untilClose(), null)
  }, true)
}

/** Accepted connections that nobody waits for appear within a few turns of their connect. */
async function settle (rig: Rig): Promise<void> {
  await rig.turns(5)
}

async function makeDeadSocket (live: string, dead: string): Promise<void> {
  const server = net.createServer().listen(live)
  await once(server, 'listening')
  linkSync(live, dead)
  server.close()
}

/**
 * A TCP port that answers no more connects: its thread listens with the shortest queue, then blocks, and the queue is
 * filled from here. The kernel drops what comes after. (Linux; the third connection to a backlog of 1 already waits.)
 */
async function startDeafListener (t: ExecutionContext, host = '127.0.0.1'): Promise<TcpAddress & { hear: () => void }> {
  const isHearing = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '${host}', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(workerData, 0, 0)
    })`, { eval: true, workerData: isHearing })
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message') as [number]
  const fillers = Array.from({ length: 6 }, () => net.connect({ host, port }))
  t.teardown(() => { for (const filler of fillers) filler.destroy() })
  let connected = 0
  await new Promise<void>((resolve) => {
    for (const filler of fillers) {
      filler.on('error', () => {})
      filler.on('connect', () => { if (++connected === 2) resolve() })
    }
  })
  const hear = (): void => {
    isHearing[0] = 1
    Atomics.notify(isHearing, 0)
  }
  return { ...tcpAddress(host, port) as TcpAddress, hear }
}
