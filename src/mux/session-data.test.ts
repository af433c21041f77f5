import test from 'ava'
import fc from 'fast-check'
import { contentSlice } from '../base/content.js'
import { HEADER_BYTES, FrameFlag, FrameType, Reason } from '../frame/layout.js'
import type { Endpoint } from './testing/endpoint.js'
import { createReadyPair, openChannel, settled, until } from './testing/session-pair.js'

/** A sequence of numbers in [0, 1) that a seed fixes (mulberry32, Tommy Ettinger, public domain). */
function randomFrom (seed: number): () => number {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0
    let x = Math.imul(seed ^ seed >>> 15, 1 | seed)
    x = (x + Math.imul(x ^ x >>> 7, 61 | x)) ^ x
    return ((x ^ x >>> 14) >>> 0) / 2 ** 32
  }
}

function isWhole ({ body }: Endpoint, expected: Uint8Array): boolean {
  return Buffer.compare(body, expected) === 0
}

// --- Bytes

test('Session carries every byte in order, both ways, over many channels, whatever the sizes', async (t) => {
  const scenario = fc.record({
    seed: fc.integer(),
    channels: fc.integer({ min: 1, max: 12 }),
    maxBodyBytes: fc.constantFrom(10, 5000, 200_000),
    windowBytes: fc.constantFrom(1024, 5000, 65_536, 262_144),
    maxPayloadBytes: fc.constantFrom(1024, 4097, 65_536),
    maxPieceBytes: fc.constantFrom(3000, 100_000),
    maxClaims: fc.constantFrom(1, 3, 256)
  })
  await fc.assert(
    fc.asyncProperty(
      scenario,
      async ({ seed, channels, maxBodyBytes, windowBytes, maxPayloadBytes, maxPieceBytes, maxClaims }) => {
        const random = randomFrom(seed)
        const upTo = (maximum: number): number => 1 + Math.floor(random() * maximum)
        const limits = { windowBytes, maxPayloadBytes }
        const { host, plugin } = await createReadyPair(t, {
          host: { limits },
          plugin: { limits },
          transport: { maxClaims, pieceBytes: () => upTo(maxPieceBytes) }
        })
        const bodies = Array.from(
          { length: channels },
          (_, i) => [contentSlice(i, upTo(maxBodyBytes)), contentSlice(i + 1000, upTo(maxBodyBytes))] as const
        )
        const near = bodies.map(() => host.open())
        for (const [i, endpoint] of near.entries()) {
          endpoint.send(bodies[i]![0], { end: true, pieceBytes: () => upTo(10_000) })
        }
        await until(() => plugin.endpoints.length === channels, 'the channels')
        // Every endpoint keeps what it receives for a while, and releases it in another order than it came.
        const all = [...near, ...plugin.endpoints]
        for (const endpoint of all) endpoint.keeps = true
        for (const [i, endpoint] of plugin.endpoints.entries()) {
          endpoint.send(bodies[i]![1], { end: true, pieceBytes: () => upTo(10_000) })
        }
        await until(() => {
          for (const endpoint of all) {
            if (random() < 0.3) endpoint.releaseKept((releases) => releases.sort(() => random() - 0.5))
          }
          return all.every(({ ended }) => ended)
        }, 'all bytes')
        for (const [i, [request, response]] of bodies.entries()) {
          t.true(isWhole(plugin.endpoints[i]!, request), `request ${i} of ${request.length} bytes`)
          t.true(isWhole(near[i]!, response), `response ${i} of ${response.length} bytes`)
        }
        await until(() => host.session.channelCount + plugin.session.channelCount === 0, 'all channels to be freed')
      }
    ),
    { numRuns: 40 }
  )
})

test('Session carries data that follows OPEN at once, before it is accepted', async (t) => {
  const { host, plugin } = await createReadyPair(t, { plugin: { onChannel: () => {} } })
  const near = host.open()
  near.send(contentSlice(0, 5000))
  await until(() => plugin.endpoints[0]?.receivedBytes === 5000, 'the data')
  t.true(isWhole(plugin.endpoints[0]!, contentSlice(0, 5000)))
  t.deepEqual(near.events, [])
})

test('Session cuts data into frames of at most what the peer takes', async (t) => {
  const { host, plugin } = await createReadyPair(t, {
    plugin: { limits: { maxPayloadBytes: 1024 } },
    host: { limits: { maxPayloadBytes: 2048 } }
  })
  const near = host.open()
  near.send(new Uint8Array(10_000), { end: true })
  await until(() => plugin.endpoints[0]?.ended === true, 'the request')
  plugin.endpoints[0]!.send(new Uint8Array(10_000), { end: true })
  await until(() => near.ended, 'the response')
  t.is(Math.max(...host.sentFrames(FrameType.DATA).map(({ payloadBytes }) => payloadBytes)), 1024)
  t.is(Math.max(...plugin.sentFrames(FrameType.DATA).map(({ payloadBytes }) => payloadBytes)), 2048)
})

// --- Half-close

for (const first of ['opener', 'acceptor'] as const) {
  test(`Session goes on in one direction after the ${first} has ended the other, and frees the ` +
    'channel after both', async (t) => {
    const pair = await createReadyPair(t)
    const ends = await openChannel(pair)
    const [early, late] = first === 'opener' ? ends : [ends[1], ends[0]]
    early.send(contentSlice(0, 3000), { end: true })
    await until(() => late.ended, 'the first end')
    t.is(late.receivedBytes, 3000)
    t.is(early.channel.claim(), null, 'nothing is sent after the end')
    t.deepEqual([pair.host.session.channelCount, pair.plugin.session.channelCount], [1, 1])
    late.send(contentSlice(9, 300_000))
    await until(() => early.receivedBytes === 300_000, 'the other direction')
    late.channel.end()
    await until(
      () => pair.host.session.channelCount + pair.plugin.session.channelCount === 0,
      'the channel to be freed'
    )
    t.true(isWhole(early, contentSlice(9, 300_000)))
    for (const { events } of ends) {
      t.deepEqual(
        events.filter((event) => event !== 'accept'),
        ['end', 'done']
      )
    }
    for (const { session } of [pair.host, pair.plugin]) {
      t.like(session.counters, { channelsOpened: 1, channelsClosed: 1, lateFrames: 0 })
    }
  })
}

test('Session puts EOS on the last DATA frame where one waits, and on an empty one else', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  near.send(new Uint8Array(10), { end: true })
  await until(() => far.ended, 'the end')
  far.channel.end()
  far.channel.end()
  await until(() => near.ended, 'the other end')
  t.deepEqual(
    pair.host.sentFrames(FrameType.DATA).map(({ payloadBytes, flags }) => [payloadBytes, flags]),
    [[10, FrameFlag.EOS]]
  )
  t.deepEqual(
    pair.plugin.sentFrames(FrameType.DATA).map(({ payloadBytes, flags }) => [payloadBytes, flags]),
    [[0, FrameFlag.EOS]]
  )
})

test('Channel.end() gives an uncommitted claim back', async (t) => {
  const pair = await createReadyPair(t, { transport: { maxClaims: 1 } })
  const [near] = await openChannel(pair)
  t.not(near.channel.claim(100), null)
  near.channel.end()
  near.channel.commit(10)
  const [next] = await openChannel(pair)
  t.not(next.channel.claim(100), null, 'the only claim is free again')
})

test('Channel.claim() replaces a claim that was not committed', async (t) => {
  const pair = await createReadyPair(t, { transport: { maxClaims: 1 } })
  const [near, far] = await openChannel(pair)
  near.channel.claim(100)!.fill(1)
  near.channel.claim(200)!.fill(2)
  near.channel.commit(5)
  near.channel.commit(5)
  await until(() => far.receivedBytes > 0, 'the data')
  t.deepEqual([...far.body], [2, 2, 2, 2, 2])
})

// --- Reset

for (const by of ['host', 'plugin'] as const) {
  test(`Session carries a reset by the ${by}: what waits is dropped, what is late is counted, released ` +
    'and harmless', async (t) => {
    const limits = { windowBytes: 524_288 }
    const pair = await createReadyPair(t, { host: { limits }, plugin: { limits } })
    const ends = await openChannel(pair)
    const [resetting, other] = by === 'host' ? ends : [ends[1], ends[0]]
    const [here, there] = by === 'host' ? [pair.host, pair.plugin] : [pair.plugin, pair.host]
    const bystander = await openChannel(pair)
    ends[0].send(new Uint8Array(1_000_000))
    ends[1].send(new Uint8Array(1_000_000))
    await until(() => resetting.receivedBytes > 0 && other.receivedBytes > 0, 'data both ways')
    // The peer's next frames are on their way when the reset leaves.
    t.true(other.unsentBytes > 0)
    resetting.channel.reset(Reason.CONNECTION_RESET)
    const atReset = resetting.receivedBytes
    t.is(resetting.channel.claim(), null)
    resetting.channel.reset(Reason.NONE)
    await until(() => other.resets > 0, 'RESET')
    await settled(here.memory, there.memory)
    t.is(other.events.at(-1), `reset ${Reason.CONNECTION_RESET}`)
    t.is(resetting.resets, 0, 'a side is not told of its own reset')
    t.is(resetting.receivedBytes, atReset)
    t.is(here.sentFrames(FrameType.RESET).length, 1)
    t.true(here.session.counters.lateFrames > 0)
    t.deepEqual([pair.host.session.channelCount, pair.plugin.session.channelCount], [1, 1])
    bystander[0].send(contentSlice(0, 100_000), { end: true })
    await until(() => bystander[1].ended, 'the bystander')
    t.true(isWhole(bystander[1], contentSlice(0, 100_000)))
  })
}

test('Channel.reset() gives back the claim at hand and all that was committed and not sent', async (t) => {
  const pair = await createReadyPair(t, { transport: { maxClaims: 4 } })
  const [near] = await openChannel(pair)
  for (let i = 0; i < 3; i++) {
    near.channel.claim(10)
    near.channel.commit(10)
  }
  near.channel.claim(10)
  near.channel.reset(Reason.NONE)
  const [next] = await openChannel(pair)
  for (let i = 0; i < 4; i++) {
    t.not(next.channel.claim(10), null)
    next.channel.commit(10)
  }
})

test('Session takes a payload that is released after its channel is gone', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  far.keeps = true
  near.send(contentSlice(0, 200_000))
  await until(() => far.receivedBytes === 200_000, 'the data')
  near.channel.reset(Reason.NONE)
  await until(() => far.resets > 0, 'RESET')
  far.releaseKept()
  await settled(pair.host.memory, pair.plugin.memory)
  t.is(pair.plugin.session.counters.creditFramesSent, 0, 'a channel that is gone is granted nothing')
})

// --- Credit

test('Session stops a sender whose receiver keeps everything after exactly the window; other ' +
  'channels go on', async (t) => {
  const windowBytes = 50_000
  const pair = await createReadyPair(t, { plugin: { limits: { windowBytes } } })
  const [slow, slowEnd] = await openChannel(pair)
  slowEnd.keeps = true
  slow.send(contentSlice(0, 200_000), { end: true })
  await settled(pair.host.memory, pair.plugin.memory)
  t.is(pair.host.sentBytes(slow.channel.id), windowBytes)
  t.is(slowEnd.receivedBytes, windowBytes)
  t.is(pair.host.session.counters.creditStalls, 1)
  t.is(slow.channel.claim(), null)

  const [quick, quickEnd] = await openChannel(pair)
  quick.send(contentSlice(7, 300_000), { end: true })
  await until(() => quickEnd.ended, 'the other channel')
  t.true(isWhole(quickEnd, contentSlice(7, 300_000)))
  t.is(slowEnd.receivedBytes, windowBytes)

  slowEnd.keeps = false
  slowEnd.releaseKept()
  await until(() => slowEnd.ended, 'the rest')
  t.true(isWhole(slowEnd, contentSlice(0, 200_000)))
})

test('Session stops at the peer\'s window and not at its own', async (t) => {
  const pair = await createReadyPair(t, {
    host: { limits: { windowBytes: 30_000 } },
    plugin: { limits: { windowBytes: 90_000 } }
  })
  const [near, far] = await openChannel(pair)
  near.keeps = far.keeps = true
  near.send(new Uint8Array(200_000))
  far.send(new Uint8Array(200_000))
  await settled(pair.host.memory, pair.plugin.memory)
  t.deepEqual([near.receivedBytes, far.receivedBytes], [30_000, 90_000])
})

test('Session grants credit in batches of half a window', async (t) => {
  const windowBytes = 32_768
  const pair = await createReadyPair(t, { plugin: { limits: { windowBytes } } })
  const [near, far] = await openChannel(pair)
  const bodyBytes = 60 * windowBytes
  near.send(new Uint8Array(bodyBytes), { end: true, pieceBytes: () => 1500 })
  await until(() => far.ended, 'the body')
  const grants = pair.plugin.sentFrames(FrameType.CREDIT)
  t.true(grants.length <= bodyBytes / (windowBytes / 2))
  t.true(grants.length >= bodyBytes / windowBytes - 1)
  t.true(grants.every(({ argument }) => argument >= windowBytes / 2 && argument <= windowBytes))
  t.is(pair.plugin.session.counters.creditFramesSent, grants.length)
})

test('Session grants nothing for a small exchange', async (t) => {
  const pair = await createReadyPair(t)
  const [near, far] = await openChannel(pair)
  near.send(new Uint8Array(100), { end: true })
  await until(() => far.ended, 'the request')
  far.send(new Uint8Array(2), { end: true })
  await until(() => near.ended, 'the response')
  await settled(pair.host.memory, pair.plugin.memory)
  t.is(pair.plugin.sentFrames(FrameType.CREDIT).length + pair.host.sentFrames(FrameType.CREDIT).length, 0)
})

// --- Order and memory

test('Session puts no more than a frame of bulk before a 2-byte response, time and again', async (t) => {
  const limits = { windowBytes: 1024 * 1024, maxPayloadBytes: 4096 }
  const { host, plugin } = await createReadyPair(t, {
    host: { limits },
    plugin: { limits },
    transport: { highWaterBytes: 16_384, maxClaims: 10_000 }
  })
  const bulk = Array.from({ length: 16 }, () => host.open())
  const near = host.open()
  await until(() => plugin.endpoints.length === 17, 'the channels')
  const far = plugin.endpoints[16]!
  for (const endpoint of plugin.endpoints.slice(0, 16)) endpoint.send(new Uint8Array(800_000))
  let answeredAt = 0
  far.onReceived = () => {
    answeredAt = plugin.transport.sent.length
    far.send(contentSlice(0, 2))
  }
  await until(() => bulk.every(({ receivedBytes }) => receivedBytes > 10_000), 'the bulk to be under way')
  for (let request = 1; request <= 40; request++) {
    near.send(contentSlice(0, 1))
    await until(() => near.receivedBytes === 2 * request, 'the response')
    const since = plugin.transport.sent.slice(answeredAt).filter(({ type }) => type === FrameType.DATA)
    const ahead = since.findIndex(({ channelId }) => channelId === far.channel.id)
    t.true(ahead <= 1, `${ahead} bulk frames were sent before response ${request}`)
  }
  t.true(bulk.every(({ receivedBytes }) => receivedBytes < 800_000), 'the bulk went on all the time')
})

test('Session hands the link little more than its high-water mark, so that what comes next ' +
  'waits for little', async (t) => {
  const highWaterBytes = 32_768
  const pair = await createReadyPair(t, { transport: { highWaterBytes } })
  pair.plugin.memory.paused = true
  for (let i = 0; i < 8; i++) pair.host.open().send(new Uint8Array(100_000))
  await settled(pair.host.memory, pair.plugin.memory)
  const sentBytes = pair.host
    .sentFrames(FrameType.DATA)
    .reduce((sum, { payloadBytes }) => sum + HEADER_BYTES + payloadBytes, 0)
  t.true(sentBytes <= highWaterBytes + HEADER_BYTES + 65_536)
  pair.plugin.memory.resume()
  await until(
    () =>
      pair.plugin.endpoints.length === 8 &&
      pair.plugin.endpoints.every(({ receivedBytes }) => receivedBytes === 100_000),
    'the rest'
  )
})

test('Session only slows down when memory for frames runs out', async (t) => {
  const { host, plugin } = await createReadyPair(t, { transport: { maxClaims: 2 } })
  const near = Array.from({ length: 8 }, () => host.open())
  await until(() => plugin.endpoints.length === near.length, 'the channels')
  for (const [i, endpoint] of [...near, ...plugin.endpoints].entries()) {
    endpoint.send(contentSlice(i, 200_000), { end: true, pieceBytes: () => 7000 })
  }
  await until(() => host.session.channelCount + plugin.session.channelCount === 0, 'all channels')
  for (const [i, endpoint] of [...plugin.endpoints, ...near].entries()) {
    t.true(isWhole(endpoint, contentSlice(i, 200_000)))
  }
  t.true(host.memory.counters.exhausted > 0 && plugin.memory.counters.exhausted > 0)
})

test('Session shares memory that runs out: a channel with endless data does not keep the others from it', async (t) => {
  const pair = await createReadyPair(t, {
    plugin: { limits: { windowBytes: 1024 * 1024 * 1024 } },
    transport: { maxClaims: 2 }
  })
  const [endless, endlessEnd] = await openChannel(pair)
  const [first, firstEnd] = await openChannel(pair)
  const [second, secondEnd] = await openChannel(pair)
  const refill = (): void => {
    if (endless.unsentBytes < 100_000) endless.send(new Uint8Array(10_000_000), { pieceBytes: () => 1000 })
  }
  refill()
  endlessEnd.onReceived = refill
  first.send(contentSlice(1, 20_000), { end: true, pieceBytes: () => 1000 })
  second.send(contentSlice(2, 20_000), { end: true, pieceBytes: () => 1000 })
  await until(() => firstEnd.ended && secondEnd.ended, 'the other channels')
  t.true(isWhole(firstEnd, contentSlice(1, 20_000)) && isWhole(secondEnd, contentSlice(2, 20_000)))
  t.true(endlessEnd.receivedBytes < 200_000, `the endless channel sent ${endlessEnd.receivedBytes} bytes meanwhile`)
})

test('Session decides whose frame is next in a few looks, however long frames the peer takes', async (t) => {
  const { host, plugin } = await createReadyPair(t, {
    host: { limits: { maxPayloadBytes: 1024 } },
    plugin: { limits: { maxPayloadBytes: 131_072, windowBytes: 16_777_216 } }
  })
  const ends = [host.open(), host.open(), host.open()]
  let looks = 0
  for (const { channel } of ends) {
    const hasFrames = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(channel), 'hasFrames')!.get!
    Object.defineProperty(channel, 'hasFrames', { get () { looks++; return hasFrames.call(channel) } })
  }
  const body = contentSlice(0, 1_000_000)
  for (const end of ends) end.send(body)
  await until(
    () => plugin.endpoints.length === 3 && plugin.endpoints.every(({ receivedBytes }) => receivedBytes === body.length),
    'the bodies'
  )
  const frames = host.sentFrames(FrameType.DATA).length
  t.true(looks < 5 * frames + 20, `${looks} looks for ${frames} frames`)
})
