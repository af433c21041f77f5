import test from 'ava'
import { contentSlice } from '../base/content.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { FrameFlag, FrameType, Reason } from '../frame/layout.js'
import { Role } from './hello.js'
import {
  createReadyPair,
  createReadyVictim,
  createVictim,
  frame,
  helloFrame,
  openChannel,
  settled,
  type Side,
  until
} from './testing/session-pair.js'

type Pair = Awaited<ReturnType<typeof createReadyPair>>

function both ({ host, plugin }: Pair, by: 'host' | 'plugin'): [here: Side, there: Side] {
  return by === 'host' ? [host, plugin] : [plugin, host]
}

// --- Drain

for (const by of ['host', 'plugin'] as const) {
  test(`Session.goAway() of the ${by} closes an idle link at once, in good order`, async (t) => {
    const pair = await createReadyPair(t)
    const [here, there] = both(pair, by)
    here.session.goAway(Reason.SHUTDOWN, 'enough')
    t.is(await here.closed, null)
    t.is(await there.closed, null)
    t.deepEqual([here.events, there.events], [['ready', 'close'], ['ready', 'go-away', 'close']])
  })

  test(`Session.goAway() of the ${by} waits for the channels there are, and takes no more`, async (t) => {
    const pair = await createReadyPair(t)
    const [near, far] = await openChannel(pair)
    const [here, there] = both(pair, by)
    here.session.goAway()
    here.session.goAway()
    if (by === 'host') t.is(pair.host.tryOpen(), null)
    await until(() => there.events.includes('go-away'), 'GOAWAY')
    t.is(pair.host.tryOpen(), null)
    near.send(contentSlice(0, 400_000), { end: true })
    far.send(contentSlice(1, 400_000), { end: true })
    await settled(pair.host.memory, pair.plugin.memory)
    t.deepEqual([await here.closed, await there.closed], [null, null])
    t.is(Buffer.compare(far.body, contentSlice(0, 400_000)), 0)
    t.is(Buffer.compare(near.body, contentSlice(1, 400_000)), 0)
    t.deepEqual([near.resets, far.resets], [0, 0])
    t.is(here.sentFrames(FrameType.GOAWAY).length, 1)
  })
}

test('Session drains from both sides at one time', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  pair.host.session.goAway()
  pair.plugin.session.goAway()
  await settled(pair.host.memory, pair.plugin.memory)
  t.deepEqual([pair.host.closedWith, pair.plugin.closedWith], [undefined, undefined])
  near.channel.end()
  far.channel.end()
  t.deepEqual([await pair.host.closed, await pair.plugin.closed], [null, null])
})

test('Session of a draining plugin rejects a channel that was on its way', async (t) => {
  const { victim, peer } = await createReadyVictim(t, Role.PLUGIN)
  peer.inject(frame(FrameType.OPEN, 1))
  await until(() => victim.endpoints.length === 1, 'the channel')
  victim.session.goAway()
  peer.inject(frame(FrameType.OPEN, 2), frame(FrameType.DATA, 2, { payload: new Uint8Array(10) }))
  await until(() => peer.received.some(({ type }) => type === FrameType.REJECT), 'REJECT')
  t.like(peer.received.find(({ type }) => type === FrameType.REJECT), { channelId: 2, argument: Reason.SHUTDOWN })
  t.is(victim.endpoints.length, 1)
  peer.inject(frame(FrameType.DATA, 1, { flags: FrameFlag.EOS }))
  victim.endpoints[0]!.channel.end()
  t.is(await victim.closed, null)
})

test('Session.goAway() before the handshake is done ends the link, and a late HELLO does not revive it', async (t) => {
  const { victim, peer } = createVictim(t, Role.HOST)
  victim.session.goAway()
  peer.inject(helloFrame(Role.PLUGIN))
  t.is((await victim.closed)?.code, ErrorCode.CLOSED)
  t.deepEqual(victim.events, ['close'])
})

// --- close()

for (const by of ['host', 'plugin'] as const) {
  test(`Session.close() of the ${by} resets every channel on both sides and closes`, async (t) => {
    const pair = await createReadyPair(t)
    const [here, there] = both(pair, by)
    for (let i = 0; i < 10; i++) {
      const [near, far] = await openChannel(pair)
      near.send(new Uint8Array(500_000))
      far.keeps = i % 2 === 0
      if (i % 3 === 0) near.channel.end()
    }
    here.session.close(Reason.SHUTDOWN, 'over')
    here.session.close()
    t.is(here.session.channelCount, 0)
    t.deepEqual([await here.closed, await there.closed], [null, null])
    for (const { endpoints, session } of [here, there]) {
      t.deepEqual(endpoints.map(({ resets }) => resets), new Array<number>(10).fill(1))
      t.like(session.counters, { channelsOpened: 10, channelsClosed: 10 })
    }
    t.true(there.endpoints.every(({ events }) => events.at(-1) === `reset ${Reason.SHUTDOWN}`))
  })
}

test('Session.close() cuts a drain that takes too long', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  pair.host.session.goAway()
  await settled(pair.host.memory, pair.plugin.memory)
  pair.host.session.close()
  t.deepEqual([await pair.host.closed, await pair.plugin.closed], [null, null])
  t.deepEqual([near.resets, far.resets], [1, 1])
  t.is(pair.host.sentFrames(FrameType.GOAWAY).length, 1)
})

test('Session.close() may be called by a channel\'s handler, in the middle of a batch', async (t) => {
  const pair = await createReadyPair(t)
  const ends = [await openChannel(pair), await openChannel(pair), await openChannel(pair)]
  ends[1]![1].onReceived = () => { pair.plugin.session.close() }
  for (const [near] of ends) near.send(new Uint8Array(50_000), { end: true })
  t.deepEqual([await pair.host.closed, await pair.plugin.closed], [null, null])
  for (const [near, far] of ends) t.deepEqual([near.resets, far.resets], [1, 1])
})

test('Channel.reset() may be called by its handler, in the middle of a frame that is the last', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  far.onReceived = () => { far.channel.reset(Reason.CONNECTION_RESET) }
  near.send(new Uint8Array(10), { end: true })
  await until(() => near.resets > 0, 'RESET')
  t.false(far.ended)
  t.is(pair.plugin.session.channelCount, 0)
})

test('Session cuts a link that a peer does not close in good order', async (t) => {
  const pair = await createReadyPair(t)
  // The link keeps what is on its way, so its close cannot complete.
  pair.host.memory.paused = true
  pair.host.session.close()
  const error = await pair.host.closed
  t.is(error?.code, ErrorCode.PEER_SILENT)
  t.regex(error!.message, /within 1000 ms/)
})

// --- The peer's end

for (const by of ['host', 'plugin'] as const) {
  for (const [how, cause] of [
    ['without a word', null],
    ['by an error', new TunnelError(ErrorCode.SOCKET_RESET, 'reset')]
  ] as const) {
    test(`Session resets every channel once and frees all when the ${by} loses its link ${how}`, async (t) => {
      const pair = await createReadyPair(t)
      const [here] = both(pair, by)
      for (let i = 0; i < 20; i++) {
        const [near, far] = await openChannel(pair)
        near.send(new Uint8Array(400_000))
        far.send(new Uint8Array(400_000), { end: true })
        near.keeps = far.keeps = i % 2 === 0
      }
      await settled(pair.host.memory, pair.plugin.memory)
      for (const endpoint of here.endpoints) endpoint.channel.claim(1)
      here.memory.die(cause)
      t.is((await here.closed)?.code, cause?.code ?? ErrorCode.PEER_CLOSED)
      t.deepEqual(
        here.endpoints.map(({ events }) => events.at(-1)),
        new Array<string>(20).fill(`reset ${Reason.CONNECTION_RESET}`)
      )
      t.true(here.endpoints.every(({ resets }) => resets === 1))
      t.is(here.session.channelCount, 0)
      t.is(here.transport.problems.filter((problem) => problem.includes('claims')).length, 0, 'no claim is left')
      for (const { channel } of here.endpoints) {
        channel.end()
        channel.reset(Reason.NONE)
        t.is(channel.claim(), null)
      }
    })
  }
}

test('Session.abort() ends both sides, and says why on this one', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  pair.host.session.abort(new TunnelError(ErrorCode.LIMIT, 'too much'))
  t.is((await pair.host.closed)?.code, ErrorCode.LIMIT)
  t.is((await pair.plugin.closed)?.code, ErrorCode.SOCKET_RESET)
  t.deepEqual([near.resets, far.resets], [1, 1])
})

test('Session does nothing any more once it is closed', async (t) => {
  const pair = await createReadyPair(t)
  const [near] = await openChannel(pair)
  pair.host.memory.die(null)
  await pair.host.closed
  const sent = pair.host.transport.sent.length
  pair.host.session.goAway()
  pair.host.session.close()
  near.channel.accept()
  near.channel.reject(Reason.NONE)
  t.is(pair.host.tryOpen(), null)
  await settled(pair.host.memory, pair.plugin.memory)
  t.is(pair.host.transport.sent.length, sent)
  t.false(pair.host.session.ready)
})

// --- Signs of life

test('Session measures the round trip of a PING', async (t) => {
  const pair = await createReadyPair(t, { host: { limits: { pingIntervalMs: 5, pingTimeoutMs: 10_000 } } })
  t.is(pair.host.session.roundTripNs, null)
  await until(() => pair.host.session.roundTripNs !== null, 'PONG')
  t.true(pair.host.session.roundTripNs! > 0)
  t.is(pair.plugin.session.roundTripNs, null)
  await until(() => pair.plugin.sentFrames(FrameType.PONG).length >= 2, 'the next PONG')
  t.deepEqual(pair.plugin.sentFrames(FrameType.PONG).map(({ argument }) => argument).slice(0, 2), [1, 2])
})

for (const by of ['host', 'plugin'] as const) {
  test(`Session of the ${by} gives up a peer that no longer reads`, async (t) => {
    const pair = await createReadyPair(t, { [by]: { limits: { pingIntervalMs: 5, pingTimeoutMs: 30 } } })
    const [near, far] = await openChannel(pair)
    const [here, there] = both(pair, by)
    there.memory.paused = true
    const error = await here.closed
    t.is(error?.code, ErrorCode.PEER_SILENT)
    t.regex(error!.message, /at most 30 are allowed/)
    t.is((by === 'host' ? near : far).resets, 1)
  })
}

test('Session bears a silent peer for ever when pingTimeoutMs is 0', async (t) => {
  const pair = await createReadyPair(t, { host: { limits: { pingIntervalMs: 1, pingTimeoutMs: 0 } } })
  pair.plugin.memory.paused = true
  await until(() => pair.host.sentFrames(FrameType.PING).length === 1, 'PING')
  await new Promise((resolve) => { setTimeout(resolve, 30) })
  t.is(pair.host.closedWith, undefined)
  t.is(pair.host.sentFrames(FrameType.PING).length, 1, 'one PING at a time')
})

test.serial('Session leaves no timer behind, however it ends', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const limits = { helloTimeoutMs: 60_000, pingIntervalMs: 60_000, pingTimeoutMs: 60_000 }
  const endings: Array<[string, (pair: Pair) => void]> = [
    ['drain', ({ host }) => { host.session.goAway() }],
    ['close', ({ plugin }) => { plugin.session.close() }],
    ['abort', ({ host }) => { host.session.abort(new TunnelError(ErrorCode.CLOSED, '')) }],
    ['death', ({ host, plugin }) => { host.memory.die(null); plugin.memory.die(null) }],
    ['protocol error', ({ plugin }) => { plugin.memory.injectIntoPeer(frame(FrameType.OPEN, 1)) }]
  ]
  for (const [name, end] of endings) {
    const before = timers()
    const pair = await createReadyPair(t, { host: { limits }, plugin: { limits } })
    await openChannel(pair)
    t.is(timers(), before + 2)
    end(pair)
    if (name === 'drain') for (const { endpoints } of [pair.host, pair.plugin]) endpoints[0]!.channel.end()
    await Promise.all([pair.host.closed, pair.plugin.closed])
    await settled(pair.host.memory, pair.plugin.memory)
    t.is(timers(), before, name)
  }
})
