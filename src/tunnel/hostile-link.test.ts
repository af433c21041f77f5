import net from 'node:net'
import type { ExecutionContext } from 'ava'
import { tcpAddress } from '../base/address.js'
import { ErrorCode, type TunnelError } from '../base/errors.js'
import { contentBytes } from '../base/content.js'
import { encodeHeader } from '../frame/header.js'
import { FrameType, HEADER_BYTES } from '../frame/layout.js'
import { encodeHello, Role } from '../mux/hello.js'
import { encodeRequest, newRequest } from '../shm/segment-messages.js'
import { type TunnelRig, until } from './testing/rig.js'
import { connect, Peer, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import type { TransportName } from './testing/transports.js'

const HELLO = { role: Role.PLUGIN, maxPayloadBytes: 65_536, windowBytes: 65_536, maxChannels: 10 } as const

function frame (type: FrameType, channelId: number, payload: Uint8Array = new Uint8Array(0), argument = 0): Buffer {
  const header = new Uint8Array(HEADER_BYTES)
  encodeHeader(header, 0, { type, channelId, payloadBytes: payload.length, flags: 0, argument })
  return Buffer.concat([header, payload])
}

/**
 * The HELLO of a plugin, good but for what `change` does to it. One over shared memory ends with a request for a
 * segment.
 */
function hello (name: TransportName, change: (payload: Uint8Array) => Uint8Array | void = () => {}): Buffer {
  const payload = Uint8Array.from(name === 'stream'
    ? encodeHello({ ...HELLO, transport: 'stream' })
    : encodeHello({ ...HELLO, transport: 'shm', attachment: encodeRequest(newRequest('shared-array-buffer')) }))
  return frame(FrameType.HELLO, 0, change(payload) ?? payload)
}

function connectLink (t: ExecutionContext, rig: TunnelRig): Peer {
  return new Peer(t, net.connect({ path: rig.path }))
}

async function assertServes (t: ExecutionContext, port: number): Promise<void> {
  const client = connect(t, port)
  client.socket.end('hello')
  await client.untilEnd()
  t.is(client.text, 'hello')
}

type Words = [title: string, bytes: (name: TransportName) => Uint8Array, code: ErrorCode]

const FIRST_WORDS: Words[] = [
  ['random bytes', () => contentBytes(5000), ErrorCode.PROTOCOL],
  ['an HTTP request', () => Buffer.from('GET /small HTTP/1.1\r\nHost: x\r\n\r\n'), ErrorCode.PROTOCOL],
  ['PING before HELLO', () => frame(FrameType.PING, 0), ErrorCode.PROTOCOL],
  ['DATA before HELLO', () => frame(FrameType.DATA, 1, contentBytes(10)), ErrorCode.PROTOCOL],
  ['OPEN before HELLO', () => frame(FrameType.OPEN, 1), ErrorCode.PROTOCOL],
  ['another version', (name) => hello(name, (payload) => { payload[4] = 2 }), ErrorCode.VERSION],
  ['no magic', (name) => hello(name, (payload) => { payload[0] = 0 }), ErrorCode.PROTOCOL],
  ['a host', (name) => hello(name, (payload) => { payload[6] = Role.HOST }), ErrorCode.PROTOCOL],
  ['another transport', (name) => hello(name === 'stream' ? 'shared-array-buffer' : 'stream'), ErrorCode.PROTOCOL],
  ['a limit out of bounds', (name) => hello(name, (payload) => { payload.fill(0, 16, 20) }), ErrorCode.PROTOCOL],
  ['a HELLO too long', () => frame(FrameType.HELLO, 0, contentBytes(1025)), ErrorCode.PROTOCOL],
  ['a HELLO cut off', (name) => hello(name).subarray(0, 20), ErrorCode.PEER_CLOSED],
  ['nothing at all', () => new Uint8Array(0), ErrorCode.PEER_CLOSED]
]

for (const [title, bytes, code] of FIRST_WORDS) {
  testEach(
    `a link that begins with ${title} is refused with ${code}, and the host goes on serving`,
    async (t, rig, name) => {
      const origin = await startTcpOrigin(t, ({ socket }) => {
        socket.pipe(socket)
      })
      const { port, hostRig } = await rig.start(origin.address)
      const link = connectLink(t, rig)
      link.socket.end(bytes(name))
      t.is((await hostRig.events.until('refused')).error.code, code)
      await link.untilClose()
      await assertServes(t, port)
      t.is(hostRig.events.count('detached'), 0)
      await rig.verify()
    }
  )
}

/** Where the request for memory begins in a HELLO. */
const REQUEST = 20

const BAD_REQUESTS: Words[] = [
  [
    'a HELLO without a request for memory',
    (name) => hello(name, (payload) => payload.slice(0, REQUEST)),
    ErrorCode.PROTOCOL
  ],
  ['a request that is cut off', (name) => hello(name, (payload) => payload.slice(0, -1)), ErrorCode.PROTOCOL],
  [
    'a request for an unknown kind of memory',
    (name) =>
      hello(name, (payload) => {
        payload[REQUEST] = 3
      }),
    ErrorCode.PROTOCOL
  ],
  [
    'a request for the memory of processes',
    (name) =>
      hello(name, (payload) => {
        payload[REQUEST] = 2
      }),
    ErrorCode.UNAVAILABLE
  ],
  [
    'a request from another process',
    (name) =>
      hello(name, (payload) => {
        payload[REQUEST + 7]! ^= 1
      }),
    ErrorCode.UNAVAILABLE
  ]
]

for (const [title, bytes, code] of BAD_REQUESTS) {
  testEach(
    `a link that begins with ${title} is refused with ${code}, and the next plugin is taken`,
    async (t, rig, name) => {
      const origin = await startTcpOrigin(t, ({ socket }) => {
        socket.pipe(socket)
      })
      const { events, port } = await rig.startHost()
      const link = connectLink(t, rig)
      link.socket.write(bytes(name))
      t.is((await events.until('refused')).error.code, code)
      await link.untilEnd()
      t.regex(link.text, /Cannot offer shared memory/)
      link.socket.end()
      await rig.startPlugin(origin.address).plugin.attached()
      await events.until('attached')
      await assertServes(t, port)
      await rig.verify()
    },
    { over: ['shared-array-buffer'] }
  )
}

testEach('a link that says nothing is refused when its time is over', async (t, rig) => {
  const { events } = await rig.startHost({ limits: { helloTimeoutMs: 30 } })
  const link = connectLink(t, rig)
  t.is((await events.until('refused')).error.code, ErrorCode.HANDSHAKE_TIMEOUT)
  await link.untilClose()
  await rig.verify()
})

testEach('links that say nothing are bounded in number, and then make room again', async (t, rig) => {
  const origin = await startTcpOrigin(t, ({ socket }) => { socket.pipe(socket) })
  const { events, port, engine } = await rig.startHost({ limits: { helloTimeoutMs: 60_000 } })
  const links = Array.from({ length: 17 }, () => connectLink(t, rig))
  t.is((await events.until('refused')).error.code, ErrorCode.LIMIT)
  for (const link of links) link.socket.destroy()
  await until(() => engine.counters.socketsClosed === 17)
  await rig.startPlugin(origin.address).plugin.attached()
  await events.until('attached')
  await assertServes(t, port)
  await rig.verify()
})

// Over shared memory these come on the socket, from a plugin that has not attached yet: it is refused before it gets
// any client.
const LATER_WORDS: Array<[title: string, bytes: (name: TransportName) => Uint8Array]> = [
  ['a second HELLO', hello],
  ['OPEN, which is the host\'s', () => frame(FrameType.OPEN, 5)],
  ['DATA for a channel that never was', () => frame(FrameType.DATA, 77, contentBytes(10))],
  ['a payload above the limit', () => frame(FrameType.DATA, 1, contentBytes(65_537))],
  ['random bytes', () => contentBytes(5000)]
]

for (const [title, bytes] of LATER_WORDS) {
  testEach(
    `a plugin that sends ${title} is cut off with ERR_TUNNEL_PROTOCOL, its clients are reset, and the next plugin is ` +
    'taken',
    async (t, rig, name) => {
      const origin = await startTcpOrigin(t, ({ socket }) => {
        socket.pipe(socket)
      })
      const { events, port, host } = await rig.startHost()
      const link = connectLink(t, rig)
      link.socket.write(hello(name))
      if (name === 'stream') {
        await events.until('attached')
        const client = connect(t, port)
        await until(() => host.stats().channels === 1)
        link.socket.write(bytes(name))
        t.is((await events.until('detached')).error?.code, ErrorCode.PROTOCOL)
        t.is(await client.untilClose(), 'ECONNRESET')
        await link.untilEnd()
        t.regex(link.text, /Cannot (go on with the link|decode frame header)/, 'it is told why')
      } else {
        link.socket.write(bytes(name))
        t.is((await events.until('refused')).error.code, ErrorCode.PROTOCOL)
        t.is(events.count('attached'), 0)
      }
      t.is(host.stats().channels, 0)
      link.socket.end()
      const attachedBefore = events.count('attached')
      await rig.startPlugin(origin.address).plugin.attached()
      await events.until('attached', attachedBefore + 1)
      await assertServes(t, port)
      await rig.verify()
    }
  )
}

testEach('a plugin that floods the host with PING and reads nothing is cut off', async (t, rig, name) => {
  const { events } = await rig.startHost()
  const link = connectLink(t, rig)
  link.socket.pause()
  link.socket.write(hello(name))
  if (name === 'stream') await events.until('attached')
  const pings = Buffer.concat(Array.from({ length: 4096 }, (_, i) => frame(FrameType.PING, 0, undefined, i)))
  const flood = () => { while (!link.socket.destroyed && link.socket.write(pings)); }
  link.socket.on('drain', flood)
  flood()
  t.is((await events.until(name === 'stream' ? 'detached' : 'refused')).error?.code, ErrorCode.LIMIT)
  link.socket.destroy()
  await rig.verify()
})

for (const [title, answer, code] of [
  ['random bytes', contentBytes(5000), ErrorCode.PROTOCOL],
  ['another version', frame(FrameType.GOAWAY, 0, Buffer.from('no'), 7), ErrorCode.VERSION]
] as const) {
  testEach(`a plugin that finds ${title} in place of a host gives up with ${code}`, async (t, rig) => {
    const server = net.createServer((socket) => {
      new Peer(t, socket).socket.end(answer)
    })
    t.teardown(() => { server.close() })
    await new Promise<void>((resolve) => { server.listen(rig.path, resolve) })
    let onFatal: (error: TunnelError) => void = () => {}
    const fatal = new Promise<TunnelError>((resolve) => { onFatal = resolve })
    const { plugin, events } = rig.startPlugin(tcpAddress('127.0.0.1', 1), { onFatal })
    const waiting = plugin.attached()
    t.is((await fatal).code, code)
    await t.throwsAsync(waiting, { code })
    await t.throwsAsync(plugin.attached(), { code })
    t.deepEqual(
      events.all.map((event) => [event.kind, 'error' in event ? event.error?.code : null]),
      [['refused', code]]
    )
    server.close()
  })
}
