import { fork } from 'node:child_process'
import diagnosticsChannel from 'node:diagnostics_channel'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode, type TunnelError } from '../base/errors.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { type TunnelRig, until } from './testing/rig.js'
import { connect, startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { SHARED_MEMORY } from './testing/transports.js'

const TOPICS = [
  'link:attach', 'link:detach', 'link:refuse', 'channel:open', 'channel:close', 'channel:reset', 'shm:exhausted'
].map((name) => `http-tunnel:${name}`)

interface Seen {
  readonly topic: string
  readonly role: string
  readonly link: number
  readonly channel?: number
  readonly transport: string
  readonly error?: TunnelError | null
  readonly reason?: string
}

/** All that is published from now on. */
function subscribeAll (t: ExecutionContext): Seen[] {
  const seen: Seen[] = []
  for (const topic of TOPICS) {
    const note = (message: unknown): void => {
      seen.push({ topic: topic.slice('http-tunnel:'.length), ...(message as Omit<Seen, 'topic'>) })
    }
    diagnosticsChannel.subscribe(topic, note)
    t.teardown(() => { diagnosticsChannel.unsubscribe(topic, note) })
  }
  return seen
}

/** A connection that ends, one that is reset by the origin, a second plugin that is refused, and the end of it all. */
async function causeEverything (t: ExecutionContext, rig: TunnelRig): Promise<void> {
  const origin = await startTcpOrigin(t, (peer) => {
    if (origin.peers.length > 1) peer.socket.resetAndDestroy()
    else peer.socket.end('bye')
  })
  const { host, plugin, port, hostRig } = await rig.start(origin.address)
  const client = connect(t, port)
  await client.untilEnd()
  client.socket.end()
  await until(() => host.stats().channels + plugin.stats().channels === 0)
  await connect(t, port).untilClose()
  await until(() => host.stats().channels + plugin.stats().channels === 0)
  const second = rig.startPlugin(origin.address)
  await Promise.all([second.events.until('waiting'), hostRig.events.until('refused')])
  await second.plugin.close()
  await plugin.close()
  await hostRig.events.until('detached')
  await rig.verify()
}

const serially = { engines: ENGINES_HERE, register: test.serial }

testEach('nothing is published where nobody listens', async (t, rig) => {
  const topics = TOPICS.map((name) => diagnosticsChannel.channel(name))
  let published = 0
  for (const topic of topics) topic.publish = () => { published++ }
  t.teardown(() => { for (const topic of topics) delete (topic as { publish?: unknown }).publish })
  await causeEverything(t, rig)
  t.is(published, 0)
}, serially)

testEach('the ends of links and channels are published on both sides', async (t, rig, name) => {
  const seen = subscribeAll(t)
  await causeEverything(t, rig)
  t.deepEqual(new Set(seen.map(({ transport }) => transport)), new Set([name === 'stream' ? 'stream' : 'shm']))
  const sides = ['host', 'plugin'].map((role) => {
    const own = seen.filter((one) => one.role === role)
    const { link } = own.find(({ topic }) => topic === 'link:attach')!
    const ofLink = own.filter((one) => one.link === link)
    t.deepEqual(ofLink.map(({ topic, channel }) => `${topic} ${channel ?? ''}`.trim()), [
      'link:attach', 'channel:open 1', 'channel:close 1', 'channel:open 2', 'channel:reset 2', 'link:detach'
    ])
    t.is(ofLink.find(({ topic }) => topic === 'channel:reset')?.reason, 'CONNECTION_RESET')
    t.is(ofLink.at(-1)?.error, null)
    t.is(own.find(({ topic }) => topic === 'link:refuse')?.error?.code, ErrorCode.PEER_BUSY)
    return link
  })
  t.not(sides[0], sides[1])
}, serially)

testEach('a channel that waits for a slot is published', async (t, rig) => {
  const seen = subscribeAll(t)
  const origin = await startTcpOrigin(t, (peer) => { peer.socket.write(Buffer.alloc(32 * 1024 * 1024)) })
  const { port, plugin } = await rig.start(origin.address)
  connect(t, port).socket.pause()
  await until(() => plugin.stats().transport.exhausted > 0)
  const { topic: _, ...message } = seen.find(({ topic }) => topic === 'shm:exhausted')!
  t.like(message, { role: 'plugin', channel: 1 })
  t.deepEqual(Object.keys(message), ['role', 'channel', 'bytes', 'freeSlots'])
}, { ...serially, over: SHARED_MEMORY, memory: { sizes: { slots: 64, slotBytes: 4096, ringEntries: 64 } } })

testEach('NODE_DEBUG=http-tunnel prints a line for each message, in worker threads too', async (t, rig, name) => {
  for (const engine of ENGINES_HERE) {
    const program = new URL('./testing/diagnosed-tunnel.js', import.meta.url)
    for (const debug of ['http-tunnel', 'net-tunnel']) {
      const child = fork(program, [engine, name, join(rig.directory, 's')], {
        env: { ...process.env, NODE_DEBUG: debug },
        execArgv: [],
        silent: true
      })
      t.teardown(() => { child.kill('SIGKILL') })
      const [errors, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
      t.is(code, 0, errors)
      const lines = errors.split('\n').filter((line) => line.startsWith('HTTP-TUNNEL'))
      const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length
      if (debug !== 'http-tunnel') {
        t.is(errors, '')
        continue
      }
      for (const role of ['host', 'plugin']) {
        t.is(count(new RegExp(`: link:attach role=${role} link=\\d+ transport=\\w+$`)), 2)
        t.is(count(new RegExp(`: channel:open role=${role} .* channel=1$`)), 2)
        t.is(count(new RegExp(`: channel:(close|reset) role=${role} .* channel=1`)), 2)
        t.is(count(new RegExp(`: link:detach role=${role} .* error=null$`)), 2)
      }
    }
  }
})
