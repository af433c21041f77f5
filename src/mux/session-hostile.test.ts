import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { FrameFlag, FrameType, Reason } from '../frame/layout.js'
import { Role } from './hello.js'
import {
  createReadyVictim,
  createVictim,
  frame,
  helloFrame,
  type RawPeer,
  settled,
  type Side,
  until
} from './testing/session-pair.js'

const WINDOW_BYTES = 10_000
const limits = { windowBytes: WINDOW_BYTES }
const data = (channelId: number, bytes: number, flags = 0): Uint8Array =>
  frame(FrameType.DATA, channelId, { payload: new Uint8Array(bytes).fill(1), flags })
const credit = (channelId: number, argument: number): Uint8Array => frame(FrameType.CREDIT, channelId, { argument })
const open = (channelId: number): Uint8Array => frame(FrameType.OPEN, channelId)
const hello = (role: Role): Uint8Array => helloFrame(role, limits)

/** A victim with one channel (id 1) open, whose user releases nothing. */
async function attacked (t: Parameters<typeof createVictim>[0], role: Role): Promise<{ victim: Side, peer: RawPeer }> {
  const { victim, peer } = createVictim(t, role, { limits })
  peer.inject(hello(role === Role.HOST ? Role.PLUGIN : Role.HOST))
  await until(() => victim.session.ready, 'the handshake')
  if (role === Role.HOST) victim.open()
  else peer.inject(open(1))
  await until(() => victim.session.channelCount === 1, 'the channel')
  victim.endpoints[0]!.keeps = true
  return { victim, peer }
}

interface Attack {
  readonly name: string
  readonly role: Role
  readonly frames: Uint8Array[]
  readonly rule: RegExp
}

const onBoth: Array<Omit<Attack, 'role'>> = [
  {
    name: 'DATA beyond the credit, in one frame',
    frames: [data(1, WINDOW_BYTES + 1)],
    rule: /DATA of 10001 bytes beyond the credit granted/
  },
  {
    name: 'DATA beyond the credit, in many frames',
    frames: [...new Array<Uint8Array>(20).fill(data(1, 500)), data(1, WINDOW_BYTES)],
    rule: /beyond the credit granted/
  },
  { name: 'CREDIT beyond the window', frames: [credit(1, 1)], rule: /CREDIT of 1 bytes beyond the window of 10000/ },
  { name: 'CREDIT of 4 GiB', frames: [credit(1, 0xffffffff)], rule: /CREDIT of 4294967295 bytes/ },
  { name: 'DATA after EOS', frames: [data(1, 10, FrameFlag.EOS), data(1, 10)], rule: /DATA after EOS/ },
  { name: 'EOS after EOS', frames: [data(1, 0, FrameFlag.EOS), data(1, 0, FrameFlag.EOS)], rule: /DATA after EOS/ },
  {
    name: 'DATA on a channel that was never opened',
    frames: [data(2, 10)],
    rule: /DATA names channel 2, which was never opened/
  },
  {
    name: 'CREDIT on a channel that was never opened',
    frames: [credit(2, 10)],
    rule: /CREDIT names channel 2, which was never opened/
  },
  {
    name: 'RESET on a channel that was never opened',
    frames: [frame(FrameType.RESET, 7)],
    rule: /RESET names channel 7, which was never opened/
  },
  {
    name: 'a second GOAWAY',
    frames: [
      frame(FrameType.GOAWAY, 0, { argument: Reason.SHUTDOWN }),
      frame(FrameType.GOAWAY, 0, { argument: Reason.SHUTDOWN })
    ],
    rule: /GOAWAY came twice/
  }
]

const attacks: Attack[] = [
  ...onBoth.flatMap((attack) => [
    { ...attack, role: Role.HOST },
    { ...attack, role: Role.PLUGIN }
  ]),
  { name: 'a second HELLO', role: Role.HOST, frames: [hello(Role.PLUGIN)], rule: /HELLO came twice/ },
  { name: 'a second HELLO', role: Role.PLUGIN, frames: [hello(Role.HOST)], rule: /HELLO came twice/ },
  { name: 'OPEN from a plugin', role: Role.HOST, frames: [open(2)], rule: /a plugin must not send OPEN/ },
  {
    name: 'ACCEPT twice',
    role: Role.HOST,
    frames: [frame(FrameType.ACCEPT, 1), frame(FrameType.ACCEPT, 1)],
    rule: /ACCEPT came twice/
  },
  {
    name: 'ACCEPT of a channel that was never opened',
    role: Role.HOST,
    frames: [frame(FrameType.ACCEPT, 2)],
    rule: /ACCEPT names channel 2/
  },
  {
    name: 'REJECT of a channel that was never opened',
    role: Role.HOST,
    frames: [frame(FrameType.REJECT, 2)],
    rule: /REJECT names channel 2/
  },
  {
    name: 'OPEN of an id that is open',
    role: Role.PLUGIN,
    frames: [open(1)],
    rule: /channel ids must rise: OPEN of 1 came after 1/
  },
  {
    name: 'OPEN of a lower id',
    role: Role.PLUGIN,
    frames: [open(5), open(3)],
    rule: /channel ids must rise: OPEN of 3 came after 5/
  },
  {
    name: 'OPEN of an id used before',
    role: Role.PLUGIN,
    frames: [frame(FrameType.RESET, 1), open(1)],
    rule: /channel ids must rise/
  },
  {
    name: 'ACCEPT from a host',
    role: Role.PLUGIN,
    frames: [frame(FrameType.ACCEPT, 1)],
    rule: /a host must not send ACCEPT/
  },
  {
    name: 'REJECT from a host',
    role: Role.PLUGIN,
    frames: [frame(FrameType.REJECT, 1)],
    rule: /a host must not send REJECT/
  },
  {
    name: 'ACCEPT from a host for a channel that is gone',
    role: Role.PLUGIN,
    frames: [frame(FrameType.RESET, 1), frame(FrameType.ACCEPT, 1)],
    rule: /a host must not send ACCEPT/
  }
]

for (const { name, role, frames, rule } of attacks) {
  test(`Session of a ${role === Role.HOST ? 'host' : 'plugin'} ends the link on ${name}`, async (t) => {
    const { victim, peer } = await attacked(t, role)
    // What follows the attack in the same batch is not acted on.
    peer.inject(...frames, frame(FrameType.PING, 0, { argument: 99 }))
    const error = await victim.closed
    t.is(error?.code, ErrorCode.PROTOCOL)
    t.regex(error!.message, rule)
    await until(() => peer.goAway !== null, 'GOAWAY')
    t.is(peer.goAway!.reason, Reason.PROTOCOL)
    t.regex(peer.goAway!.text, rule)
    t.is(peer.received.at(-1)!.type, FrameType.GOAWAY, 'nothing is said after it')
    t.is(victim.session.channelCount, 0)
    t.true(victim.endpoints.every(({ events }) => events.filter((event) => /reset|done/.test(event)).length === 1))
  })
}

test('Session takes DATA up to the last byte of the credit', async (t) => {
  const { victim, peer } = await attacked(t, Role.PLUGIN)
  peer.inject(data(1, WINDOW_BYTES - 1), data(1, 1))
  await settled(victim.memory, peer.memory)
  t.is(victim.endpoints[0]!.receivedBytes, WINDOW_BYTES)
  t.is(victim.closedWith, undefined)
})

test('Session takes CREDIT up to what was spent, and not one byte more', async (t) => {
  const { victim, peer } = await attacked(t, Role.PLUGIN)
  victim.endpoints[0]!.send(new Uint8Array(3000))
  await until(() => victim.sentBytes(1) === 3000, 'the data')
  peer.inject(credit(1, 3000))
  await settled(victim.memory, peer.memory)
  t.is(victim.closedWith, undefined)
  peer.inject(credit(1, 1))
  t.is((await victim.closed)?.code, ErrorCode.PROTOCOL)
})

test('Session counts frames for a channel that is gone, and goes on', async (t) => {
  const { victim, peer } = await attacked(t, Role.PLUGIN)
  victim.endpoints[0]!.channel.reset(Reason.NONE)
  peer.inject(data(1, 10), credit(1, 5), frame(FrameType.RESET, 1), data(1, 0, FrameFlag.EOS), open(2))
  await until(() => victim.endpoints.length === 2, 'the next channel')
  t.is(victim.session.counters.lateFrames, 4)
  t.is(victim.endpoints[0]!.receivedBytes, 0)
})

test('Session answers PING at any time, with its number', async (t) => {
  const { victim, peer } = await attacked(t, Role.HOST)
  peer.inject(frame(FrameType.PING, 0, { argument: 0 }), frame(FrameType.PING, 0, { argument: 0xffffffff }))
  const pongs = (): number[] =>
    peer.received.filter(({ type }) => type === FrameType.PONG).map(({ argument }) => argument)
  await until(() => pongs().length === 2, 'PONG')
  t.deepEqual(pongs(), [0, 0xffffffff])
  t.is(victim.closedWith, undefined)
})

test('Session ignores a PONG it did not ask for', async (t) => {
  const { victim, peer } = await attacked(t, Role.HOST)
  peer.inject(frame(FrameType.PONG, 0, { argument: 0 }), frame(FrameType.PONG, 0, { argument: 1 }))
  await settled(victim.memory, peer.memory)
  t.is(victim.session.roundTripNs, null)
  t.is(victim.closedWith, undefined)
})

test('Session shows only the printable part of what a peer says', async (t) => {
  const { victim, peer } = await attacked(t, Role.HOST)
  peer.inject(
    frame(FrameType.GOAWAY, 0, { argument: Reason.PROTOCOL, payload: Buffer.from('\u001b]0;x\u0007no\r\nway\u00e9 ') })
  )
  t.is((await victim.closed)!.message, 'The peer ended the link: ]0;x no way')
})

test('Session bounds what a flood of PINGs makes it hold, when the peer reads nothing', async (t) => {
  const { victim, peer } = await createReadyVictim(t, Role.HOST)
  peer.memory.paused = true
  const flood = new Array<Uint8Array>(10_000).fill(frame(FrameType.PING, 0, { argument: 1 }))
  let floods = 0
  while (victim.closedWith === undefined && floods++ < 30) {
    peer.inject(...flood)
    await settled(victim.memory)
  }
  t.is(victim.closedWith?.code, ErrorCode.LIMIT)
})

// --- Fuzz

const id = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(5, 0x7fffffff, 0xffffffff) }
)
const reason = fc.constantFrom(...Object.values(Reason))
const plausibleFrame = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        id,
        fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(4097, WINDOW_BYTES)),
        fc.constantFrom(0, 0, FrameFlag.EOS)
      )
      .map(([channelId, bytes, flags]) => data(channelId, bytes, flags))
  },
  { weight: 1, arbitrary: id.map((channelId) => data(channelId, 0, FrameFlag.EOS)) },
  { weight: 3, arbitrary: id.map(open) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, fc.constantFrom(1, 10, 300, 5000, 0xffffffff))
      .map(([channelId, bytes]) => credit(channelId, bytes))
  },
  { weight: 2, arbitrary: id.map((channelId) => frame(FrameType.ACCEPT, channelId)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(FrameType.REJECT, FrameType.RESET), id, reason)
      .map(([type, channelId, argument]) => frame(type, channelId, { argument }))
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(FrameType.PING, FrameType.PONG), fc.nat(3))
      .map(([type, argument]) => frame(type, 0, { argument }))
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(reason, fc.uint8Array({ maxLength: 60 }))
      .map(([argument, payload]) => frame(FrameType.GOAWAY, 0, { argument, payload }))
  },
  { weight: 1, arbitrary: fc.constantFrom(Role.HOST, Role.PLUGIN).map(hello) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 40 }) }
)
/** What the victim's own user does in between. */
const userAction = fc.record({
  action: fc.constantFrom('open', 'send', 'end', 'reset', 'reject', 'accept', 'keep', 'release', 'go-away', 'close'),
  channel: fc.nat(3)
})
type UserAction = typeof userAction extends fc.Arbitrary<infer A> ? A : never

function act (victim: Side, { action, channel }: UserAction): void {
  const { session, endpoints } = victim
  const endpoint = endpoints.at(-1 - channel)
  switch (action) {
    case 'open': victim.tryOpen(); break
    case 'send': endpoint?.send(new Uint8Array(3000)); break
    case 'end': endpoint?.channel.end(); break
    case 'reset': endpoint?.channel.reset(Reason.CONNECTION_RESET); break
    case 'reject': endpoint?.channel.reject(Reason.REFUSED); break
    case 'accept': endpoint?.channel.accept(); break
    case 'keep': if (endpoint !== undefined) endpoint.keeps = true; break
    case 'release': endpoint?.releaseKept(); break
    case 'go-away': session.goAway(); break
    case 'close': session.close(); break
  }
}

for (const [name, role] of [['host', Role.HOST], ['plugin', Role.PLUGIN]] as const) {
  test(`Session of a ${name} goes on or closes, whatever a peer sends and its user does`, async (t) => {
    const outcomes = new Set<string>()
    const step = fc.oneof({ weight: 3, arbitrary: plausibleFrame }, { weight: 1, arbitrary: userAction })
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, shakesHands) => {
      const { victim, peer } = createVictim(t, role, { limits })
      if (shakesHands) {
        peer.inject(hello(role === Role.HOST ? Role.PLUGIN : Role.HOST))
        await until(() => victim.session.ready, 'the handshake')
      }
      for (const each of steps) {
        if (each instanceof Uint8Array) peer.inject(each)
        else act(victim, each)
        if (each instanceof Uint8Array ? each.length % 3 === 0 : true) await settled(victim.memory)
      }
      await settled(victim.memory)
      const error = victim.closedWith
      outcomes.add(error === undefined ? 'open' : error === null ? 'closed' : error.code)
      t.true(error === undefined || error === null || error instanceof TunnelError)
      if (error === undefined) {
        t.true(
          victim.session.counters.channelsOpened - victim.session.counters.channelsClosed ===
            victim.session.channelCount
        )
      }
      // finish(), at the end of the test, finds what was not freed.
    }), { numRuns: 150 })
    t.true(outcomes.size >= 3, [...outcomes].join(' '))
  })
}

test('Session answers what cannot be a frame with GOAWAY and the rule', async (t) => {
  for (const role of [Role.HOST, Role.PLUGIN]) {
    const { victim, peer } = await createReadyVictim(t, role)
    peer.inject(frame(99 as FrameType, 1))
    t.is((await victim.closed)?.code, ErrorCode.PROTOCOL)
    await until(() => peer.goAway !== null, 'GOAWAY')
    t.is(peer.goAway!.reason, Reason.PROTOCOL)
    t.regex(peer.goAway!.text, /type must be 1 to 10: it is 99/)
  }
})
