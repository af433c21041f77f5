import { once } from 'node:events'
import {
  chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync,
  symlinkSync, unlinkSync, writeFileSync
} from 'node:fs'
import net from 'node:net'
import { join, relative } from 'node:path'
import type { ExecutionContext } from 'ava'
import { unixAddress, UNIX_PATH_MAX_BYTES, type Address } from '../../base/address.js'
import { ErrorCode, type TunnelError } from '../../base/errors.js'
import type { SocketFileEvent } from '../engine.js'
import type { Rig, Suite } from './rig.js'

type UnixAddress = Address & { kind: 'unix' }

/** The file of a listening Unix socket. */
export function registerSocketFileTests (suite: Suite): void {
  /** Where /proc is. */
  const linux: Suite['once'] = (...args) => { if (process.platform === 'linux') suite.once(...args) }

  suite.once('listen() makes a private socket file and close() removes it', async (t, rig) => {
    const address = rig.freeAddress('unix')
    const { path } = address as UnixAddress
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
    const error = await rig.listenError(address)
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
    const dangling = await rig.listenError(unixAddress(join(rig.directory, 'dangling')))
    t.regex(dangling.message, /a symbolic link to nowhere: it is left alone; choose another path or remove it$/)
    for (const name of ['file', 'directory', 'link']) {
      const error = await rig.listenError(unixAddress(join(rig.directory, name)))
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
        const error = await rig.listenError(unixAddress(join(path, 'x.sock')))
        t.is(error.code, ErrorCode.ADDRESS_DENIED)
        t.true(error.message.includes(path) && error.message.includes(problem!), error.message)
      }
      t.deepEqual(readdirSync(rig.directory), ['file'])
      symlinkSync('nowhere', join(rig.directory, 'dangling'))
      const error = await rig.listenError(unixAddress(join(rig.directory, 'dangling', 'x.sock')))
      t.regex(
        error.message,
        /dangling is a symbolic link to nowhere, which does not exist \(ENOENT\): choose another path/
      )
    }
  )

  linux('listen() says of a file system that takes no files that it is that', async (t, rig) => {
    const error = await rig.listenError(unixAddress('/proc/x.sock'))
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

  const isRoot = process.getuid?.() === 0
  if (!isRoot) {
    suite.once(
      'listen() in a directory this user may not write to rejects with ERR_TUNNEL_ADDRESS_DENIED',
      async (t, rig) => {
        const path = join(rig.directory, 'locked')
        mkdirSync(path, { mode: 0o500 })
        t.teardown(() => chmodSync(path, 0o700))
        const error = await rig.listenError(unixAddress(join(path, 'x.sock')))
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
    const { path } = address as UnixAddress
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

/** What a killed process leaves: a socket file on which nobody listens. */
async function makeDeadSocket (t: ExecutionContext, rig: Rig): Promise<UnixAddress> {
  const live = join(rig.directory, 'live')
  const address = rig.freeAddress('unix') as UnixAddress
  const server = net.createServer().listen(live)
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  linkSync(live, address.path)
  server.close()
  return address
}
