import test from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { frameTypeName } from '../frame/header.js'
import { FrameFlag, FrameType, Reason } from '../frame/layout.js'
import { encodeHello, Role } from './hello.js'
import { DEFAULT_SESSION_OPTIONS } from './session.js'
import {
  createReadyPair,
  createReadyVictim,
  createSessionPair,
  createVictim,
  frame,
  helloFrame,
  openChannel,
  settled,
  until
} from './testing/session-pair.js'

const { maxPayloadBytes, windowBytes, maxChannels } = DEFAULT_SESSION_OPTIONS
const ROLES = [['host', Role.HOST, Role.PLUGIN], ['plugin', Role.PLUGIN, Role.HOST]] as const

// --- Handshake

test('Session shakes hands with one HELLO from each side, the plugin first', async (t) => {
  const { host, plugin } = createSessionPair(t)
  t.false(host.session.ready || plugin.session.ready || host.session.wasAttached || plugin.session.wasAttached)
  t.is(host.transport.sent.length, 0)
  await until(() => host.session.ready && plugin.session.ready, 'the handshake')
  await settled(host.memory, plugin.memory)
  t.deepEqual(host.transport.sent.map(({ type }) => type), [FrameType.HELLO])
  t.deepEqual(plugin.transport.sent.map(({ type }) => type), [FrameType.HELLO])
  t.deepEqual([host.events, plugin.events], [['ready'], ['ready']])
})

test('Session shakes hands over a link that is cut at every byte', async (t) => {
  const { host, plugin } = await createReadyPair(t, { transport: { pieceBytes: () => 1 } })
  t.true(host.session.ready && plugin.session.ready)
})

for (const [name, role, peerRole] of ROLES) {
  test(`Session of a ${name} gives up a peer that says nothing`, async (t) => {
    const { victim } = createVictim(t, role, { limits: { helloTimeoutMs: 10 } })
    const error = await victim.closed
    t.is(error?.code, ErrorCode.HANDSHAKE_TIMEOUT)
    t.regex(error!.message, /no HELLO came within 10 ms/)
    t.false(victim.session.wasAttached)
  })

  test(`Session of a ${name} gives up a peer that says half a HELLO`, async (t) => {
    const { victim, peer } = createVictim(t, role, { limits: { helloTimeoutMs: 10 } })
    peer.inject(helloFrame(peerRole).subarray(0, 30))
    t.is((await victim.closed)?.code, ErrorCode.HANDSHAKE_TIMEOUT)
  })

  test(`Session of a ${name} refuses another protocol version, and tells the peer`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    const payload = encodeHello({ role: peerRole, transport: 'memory', maxPayloadBytes, windowBytes, maxChannels })
    payload[4] = 2
    peer.inject(frame(FrameType.HELLO, 0, { payload }))
    const error = await victim.closed
    t.is(error?.code, ErrorCode.VERSION)
    await until(() => peer.goAway !== null, 'GOAWAY')
    t.is(peer.goAway!.reason, Reason.VERSION)
    t.regex(peer.goAway!.text, /version 1 and the peer version 2/)
    t.deepEqual(victim.events, ['close'])
  })

  test(`Session of a ${name} refuses a peer of its own role`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    peer.inject(helloFrame(role))
    t.is((await victim.closed)?.code, ErrorCode.PROTOCOL)
    await until(() => peer.goAway !== null, 'GOAWAY')
    t.regex(peer.goAway!.text, new RegExp(`it says it is a ${name}`))
  })

  test(`Session of a ${name} refuses another transport`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    peer.inject(helloFrame(peerRole, { transport: 'shm' }))
    const error = await victim.closed
    t.is(error?.code, ErrorCode.PROTOCOL)
    t.regex(error!.message, /this side uses memory and the peer shm/)
  })

  test(`Session of a ${name} refuses limits that break the rules`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    peer.inject(helloFrame(peerRole, { windowBytes: 1 }))
    t.is((await victim.closed)?.code, ErrorCode.PROTOCOL)
  })

  const openers: Array<[FrameType, Uint8Array]> = [
    [FrameType.OPEN, frame(FrameType.OPEN, 1)],
    [FrameType.ACCEPT, frame(FrameType.ACCEPT, 1)],
    [FrameType.REJECT, frame(FrameType.REJECT, 1)],
    [FrameType.DATA, frame(FrameType.DATA, 1, { payload: new Uint8Array(10) })],
    [FrameType.CREDIT, frame(FrameType.CREDIT, 1, { argument: 10 })],
    [FrameType.RESET, frame(FrameType.RESET, 1)],
    [FrameType.PING, frame(FrameType.PING, 0, { argument: 1 })],
    [FrameType.PONG, frame(FrameType.PONG, 0, { argument: 1 })]
  ]
  for (const [type, bytes] of openers) {
    test(`Session of a ${name} refuses ${frameTypeName(type)} as the first frame`, async (t) => {
      const { victim, peer } = createVictim(t, role)
      peer.inject(bytes)
      const error = await victim.closed
      t.is(error?.code, ErrorCode.PROTOCOL)
      t.regex(error!.message, new RegExp(`the first frame must be HELLO: it is ${frameTypeName(type)}`))
      await until(() => peer.goAway !== null, 'GOAWAY')
      t.is(peer.goAway!.reason, Reason.PROTOCOL)
    })
  }

  test(`Session of a ${name} takes GOAWAY as the first frame for an answer`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    peer.inject(frame(FrameType.GOAWAY, 0, { argument: Reason.VERSION, payload: Buffer.from('too old\u001b[2J') }))
    const error = await victim.closed
    t.is(error?.code, ErrorCode.VERSION)
    t.is(error!.message, 'The peer ended the link: too old [2J')
  })

  test(`Session of a ${name} refuses what is no frame at all`, async (t) => {
    const { victim, peer } = createVictim(t, role)
    peer.inject(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    t.is((await victim.closed)?.code, ErrorCode.PROTOCOL)
  })

  test(`Session of a ${name} tells a peer that closed before its HELLO from one that was killed later`, async (t) => {
    const early = createVictim(t, role)
    early.victim.memory.die(null)
    const late = await createReadyVictim(t, role)
    late.victim.memory.die(null)
    const errors = [await early.victim.closed, await late.victim.closed]
    t.deepEqual(errors.map((error) => error?.code), [ErrorCode.PEER_CLOSED, ErrorCode.PEER_CLOSED])
    t.regex(errors[0]!.message, /before its HELLO/)
    t.regex(errors[1]!.message, /killed/)
  })
}

test('Session turns a second plugin away as busy', async (t) => {
  const { host, plugin } = createSessionPair(t, {
    host: { refuse: () => ({ reason: Reason.BUSY, text: 'one is here already' }) }
  })
  const error = await plugin.closed
  t.is(error?.code, ErrorCode.PEER_BUSY)
  t.is(error!.message, 'The peer ended the link: one is here already')
  t.is((await host.closed)?.message, 'Turned the peer away: one is here already')
  t.false(host.session.wasAttached || plugin.session.wasAttached || host.session.ready)
  t.deepEqual([host.events, plugin.events], [['close'], ['go-away', 'close']])
})

test('Session does not take a plugin that was turned away when it says HELLO again', async (t) => {
  const refusals = [{ reason: Reason.BUSY, text: '' }, null]
  const { victim, peer } = createVictim(t, Role.HOST, { refuse: () => refusals.shift()! })
  peer.inject(helloFrame(Role.PLUGIN), helloFrame(Role.PLUGIN))
  t.is((await victim.closed)?.code, ErrorCode.PEER_BUSY)
  t.deepEqual(victim.events, ['close'])
  await until(() => peer.goAway !== null, 'GOAWAY')
  t.is(peer.goAway!.reason, Reason.BUSY)
  t.false(peer.received.some(({ type }) => type === FrameType.HELLO))
})

// --- Channels

test('Session.tryOpen() is null before the handshake, and for a plugin\'s peer that drains or is gone', async (t) => {
  const { host, plugin } = createSessionPair(t)
  t.is(host.tryOpen(), null)
  await until(() => host.session.ready, 'the handshake')
  t.not(host.tryOpen(), null)
  plugin.session.goAway()
  await until(() => host.events.includes('go-away'), 'GOAWAY')
  t.is(host.tryOpen(), null)
  host.session.abort(new TunnelError(ErrorCode.CLOSED, 'over'))
  await host.closed
  t.is(host.tryOpen(), null)
})

test('Session opens a channel, and tells the opener when it is accepted', async (t) => {
  const pair = await createReadyPair(t, { plugin: { onChannel: () => {} } })
  const [near, far] = await openChannel(pair)
  await settled(pair.host.memory, pair.plugin.memory)
  t.deepEqual(near.events, [])
  far.channel.accept()
  await until(() => near.events.length > 0, 'ACCEPT')
  t.deepEqual(near.events, ['accept'])
  t.is(near.channel.id, far.channel.id)
  t.deepEqual([pair.host.session.channelCount, pair.plugin.session.channelCount], [1, 1])
})

for (const reason of [Reason.REFUSED, Reason.TIMEOUT, Reason.LIMIT]) {
  test(`Session tells the opener of a rejection for reason ${reason} and frees the channel ` +
    'on both sides', async (t) => {
    const { host, plugin } = await createReadyPair(t, {
      plugin: {
        onChannel: ({ channel }) => {
          channel.reject(reason)
        }
      }
    })
    const near = host.open()
    near.send(new Uint8Array(1000), { end: true })
    await until(() => near.events.length > 0, 'REJECT')
    t.deepEqual(near.events, [`reset ${reason}`])
    t.deepEqual([host.session.channelCount, plugin.session.channelCount], [0, 0])
    t.deepEqual([host.session.counters.channelsRejected, plugin.session.counters.channelsRejected], [1, 1])
    t.deepEqual(plugin.endpoints[0]!.events, [], 'a side is not told of its own rejection')
    t.is(near.channel.claim(), null)
  })
}

test('Session gives every channel a new id', async (t) => {
  const { host } = await createReadyPair(t)
  t.deepEqual([host.open(), host.open(), host.open()].map(({ channel }) => channel.id), [1, 2, 3])
})

test('Session.tryOpen() holds to the lower of both sides\' maxChannels', async (t) => {
  for (const [hostMax, pluginMax] of [[3, 10], [10, 3]] as const) {
    const { host, plugin } = await createReadyPair(t, {
      host: { limits: { maxChannels: hostMax } },
      plugin: { limits: { maxChannels: pluginMax } }
    })
    const channels = [host.open(), host.open(), host.open()]
    t.is(host.tryOpen(), null)
    channels[1]!.channel.reset(Reason.NONE)
    t.not(host.tryOpen(), null)
    t.is(host.tryOpen(), null)
    await settled(host.memory, plugin.memory)
    t.is(plugin.session.counters.channelsRejected, 0)
  }
})

test('Session of a plugin rejects what its peer opens beyond maxChannels, and goes on', async (t) => {
  const { victim, peer } = await createReadyVictim(t, Role.PLUGIN, { limits: { maxChannels: 2 } })
  peer.inject(...[1, 2, 3, 4].map((id) => frame(FrameType.OPEN, id)))
  await until(() => peer.received.filter(({ type }) => type === FrameType.REJECT).length === 2, 'REJECT')
  t.deepEqual(
    peer.received
      .filter(({ type }) => type === FrameType.REJECT)
      .map(({ channelId, argument }) => [channelId, argument]),
    [
      [3, Reason.LIMIT],
      [4, Reason.LIMIT]
    ]
  )
  t.is(victim.session.channelCount, 2)
  t.is(victim.endpoints.length, 2)
  // What was sent to the rejected channel before its rejection arrived is late, not wrong.
  peer.inject(
    frame(FrameType.DATA, 4, { payload: new Uint8Array(5), flags: FrameFlag.EOS }),
    frame(FrameType.RESET, 1),
    frame(FrameType.OPEN, 5)
  )
  await until(() => victim.endpoints.length === 3, 'the next channel')
  t.is(victim.session.counters.lateFrames, 1)
})

test('Session takes ids that rise past the end of 32 bits, and refuses one that is still open', async (t) => {
  const { victim, peer } = await createReadyVictim(t, Role.PLUGIN)
  const ids = [1, 0x60000000, 0xc0000000, 0xffffffff, 2]
  peer.inject(...ids.map((id) => frame(FrameType.OPEN, id)))
  await until(() => victim.endpoints.length === ids.length, 'the channels')
  t.deepEqual(victim.endpoints.map(({ channel }) => channel.id), ids)
  peer.inject(...[0x60000001, 0xc0000001, 1].map((id) => frame(FrameType.OPEN, id)))
  const error = await victim.closed
  t.is(error?.code, ErrorCode.PROTOCOL)
  t.regex(error!.message, /OPEN names channel 1, which is open/)
  t.deepEqual(victim.endpoints.map(({ resets }) => resets), new Array<number>(ids.length + 2).fill(1))
})
