import test, { type ExecutionContext } from 'ava'
import { ErrorCode } from '../../base/errors.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import { ShmSide } from '../../shm/endpoint.js'
import { CONSTANT_PAYLOAD, INLINE_PAYLOAD, WaitFor, WordOffset } from '../../shm/layout.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { Link } from '../testing/link.js'
import { makeShmPair, type ShmPair, writeDescriptor } from '../testing/shm-pair.js'
import { turn } from '../testing/side.js'

const SIZES = { slotBytes: 1024, slots: 16, ringEntries: 64, inlineBytes: 512, constantBytes: 4096 }
const MAX_PAYLOAD_BYTES = 4096
const SLOT_PAYLOADS = 4
const BELL = Uint8Array.of(1)

/** Side a is hostile: it takes nothing more, and what it would never write is written for it. Side b is its victim. */
class Attack {
  readonly link: Link
  readonly pair: ShmPair
  readonly words: Int32Array
  /** What a sends, and what it takes and gives back of b's. */
  readonly mine: ShmPair['segment']['layout']['directions'][0]
  readonly theirs: ShmPair['segment']['layout']['directions'][0]

  private constructor (pair: ShmPair) {
    this.pair = pair
    this.link = new Link(pair)
    this.words = new Int32Array(pair.segment.buffer)
    const { directions } = pair.segment.layout
    this.mine = directions[ShmSide.PLUGIN]
    this.theirs = directions[ShmSide.HOST]
  }

  /** Both sides have sent payloads in slots 0 to 3 by then; b keeps those it got, a has given back none. */
  static async start (t: ExecutionContext): Promise<Attack> {
    const pair = await makeShmPair(createTestEngine, { memory: sharedArrayMemory(), sizes: SIZES })
    const attack = new Attack(pair)
    const { link } = attack
    t.teardown(async () => {
      link.end()
      await pair.free()
    })
    link.start(MAX_PAYLOAD_BYTES)
    link.a.recorder.keeps = link.b.recorder.keeps = () => true
    for (const side of [link.a, link.b]) {
      for (let i = 0; i < SLOT_PAYLOADS; i++) await side.sendData(SIZES.slotBytes, 1 + i)
    }
    for (const side of [link.a, link.b]) side.transport.flush()
    await link.untilDelivered(t)
    // The last position that an honest side writes is written.
    for (let i = 0; i < 4; i++) await turn()
    pair.a.paused = true
    return attack
  }

  at (offset: number): number { return Atomics.load(this.words, offset >> 2) }
  put (offset: number, value: number): void { Atomics.store(this.words, offset >> 2, value) }

  /** Gives back these slots of b's. */
  returnSlots (...slots: number[]): void {
    const { returnPosition, returnRing } = this.theirs
    for (const slot of slots) {
      const position = this.at(returnPosition)
      this.put(returnRing + (position & (this.pair.segment.layout.returnEntries - 1)) * 4, slot)
      this.put(returnPosition, position + 1)
    }
  }

  publish (type: FrameType, bytes: number, slot: number, { channelId = 1, flags = 0, argument = 0 } = {}): void {
    const header = new Uint8Array(HEADER_BYTES)
    encodeHeader(header, 0, { type, channelId, payloadBytes: bytes, flags, argument })
    writeDescriptor(this.pair.segment, ShmSide.PLUGIN, header, slot)
  }

  ring (): void { this.pair.sockets.a.inject(BELL) }
}

type Move = (attack: Attack) => void

const FAR = [0x7FFF_FFFF, -0x8000_0000, 0x4000_0000]
const BREACHES: Array<[title: string, move: Move, rule: RegExp]> = [
  ...[-1, SIZES.ringEntries + 1, ...FAR].map((step): [string, Move, RegExp] => [
    `a write position moved by ${step}`,
    (a) => {
      a.put(a.mine.writePosition, a.at(a.mine.writePosition) + step)
    },
    /write position must be/
  ]),
  ...[-SIZES.ringEntries, SIZES.ringEntries, ...FAR].map((step): [string, Move, RegExp] => [
    `a read position moved by ${step}`,
    (a) => {
      a.put(a.theirs.readPosition, a.at(a.theirs.readPosition) + step)
    },
    /read position must be/
  ]),
  ...[-1, SIZES.slots + 1, ...FAR].map((step): [string, Move, RegExp] => [
    `a return position moved by ${step}`,
    (a) => {
      a.put(a.theirs.returnPosition, a.at(a.theirs.returnPosition) + step)
    },
    /write position must be/
  ]),
  [
    'a slot given back twice',
    (a) => {
      a.returnSlots(2, 2)
    },
    /gives back 2/
  ],
  [
    'a slot given back that was never sent',
    (a) => {
      a.returnSlots(SLOT_PAYLOADS)
    },
    /gives back 4/
  ],
  ...[-1, SIZES.slots, 0x7fff_ffff, -0x8000_0000].map((slot): [string, Move, RegExp] => [
    `slot ${slot} given back`,
    (a) => {
      a.returnSlots(slot)
    },
    /gives back/
  ]),
  ...[SIZES.slots, 0x7fff_ffff].map((slot): [string, Move, RegExp] => [
    `a payload in slot ${slot}`,
    (a) => {
      a.publish(FrameType.DATA, 100, slot)
    },
    /slot must be from 0 to 15/
  ]),
  ...[SIZES.constantBytes - 99, SIZES.constantBytes, SIZES.constantBytes + 512, 0x7fff_fffe].map(
    (offset): [string, Move, RegExp] => [
      `a constant of 100 bytes at ${offset}`,
      (a) => {
        a.publish(FrameType.DATA, 100, CONSTANT_PAYLOAD - offset)
      },
      /constant must be a DATA payload within the 4096 bytes/
    ]
  ),
  [
    'an empty constant',
    (a) => {
      a.publish(FrameType.DATA, 0, CONSTANT_PAYLOAD, { flags: 1 })
    },
    /constant must be/
  ],
  [
    'a control frame in the constants',
    (a) => {
      a.publish(FrameType.GOAWAY, 10, CONSTANT_PAYLOAD, { channelId: 0 })
    },
    /constant must be/
  ],
  [
    'a payload in a slot that the victim still holds',
    (a) => {
      a.publish(FrameType.DATA, 100, 1)
    },
    /slot 1 was sent again/
  ],
  [
    'a payload longer than its slot',
    (a) => {
      a.publish(FrameType.DATA, SIZES.slotBytes + 1, 9)
    },
    /slot must hold/
  ],
  [
    'an empty payload in a slot',
    (a) => {
      a.publish(FrameType.DATA, 0, 9, { flags: 1 })
    },
    /slot must hold/
  ],
  [
    'a control frame in a slot',
    (a) => {
      a.publish(FrameType.GOAWAY, 10, 9, { channelId: 0 })
    },
    /slot must hold/
  ],
  [
    'an inline payload longer than a descriptor',
    (a) => {
      a.publish(FrameType.DATA, SIZES.inlineBytes + 1, INLINE_PAYLOAD)
    },
    /inline payload must be/
  ],
  [
    'a payload above what was agreed',
    (a) => {
      a.publish(FrameType.DATA, MAX_PAYLOAD_BYTES + 1, 9)
    },
    /at most 4096/
  ],
  [
    'a bell that is none',
    (a) => {
      a.pair.sockets.a.inject(Uint8Array.of(1, 1, 0))
    },
    /doorbell must be/
  ],
  [
    'a frame on the socket',
    (a) => {
      const frame = new Uint8Array(HEADER_BYTES)
      encodeHeader(frame, 0, { type: FrameType.PING, channelId: 0, payloadBytes: 0, flags: 0, argument: 7 })
      a.pair.sockets.a.inject(frame)
    },
    /doorbell must be/
  ]
]

for (const [title, move, rule] of BREACHES) {
  test(`ShmTransport ends the link on ${title}`, async (t) => {
    const attack = await Attack.start(t)
    const { link: { b } } = attack
    move(attack)
    attack.ring()
    // It looks at what it is given back, and how far the peer is, when it sends.
    for (let i = 0; i < 2 * SIZES.ringEntries && !b.recorder.closed; i++) {
      if (b.transport.writable) b.transport.send(FrameType.CREDIT, 9, 1)
      b.transport.flush()
      await turn()
    }
    const error = await b.recorder.untilClose()
    t.is(error?.code, ErrorCode.PROTOCOL)
    t.regex(error!.message, rule)
    const delivered = b.recorder.frames.length
    t.is(delivered, SLOT_PAYLOADS, 'nothing of the breach was delivered')
    t.true(b.recorder.kept.every(({ view, copy }) => Buffer.compare(view, copy) === 0))
    for (const { release } of b.recorder.kept) release()
    await attack.link.verify(t)
  })
}

test('ShmTransport takes what is just within the rules', async (t) => {
  const attack = await Attack.start(t)
  const { link: { b } } = attack
  attack.returnSlots(0, 1, 2, 3)
  attack.publish(FrameType.DATA, SIZES.slotBytes, SIZES.slots - 1)
  attack.publish(FrameType.DATA, SIZES.inlineBytes, INLINE_PAYLOAD)
  attack.publish(FrameType.DATA, 100, CONSTANT_PAYLOAD - (SIZES.constantBytes - 100))
  attack.publish(FrameType.DATA, SIZES.constantBytes, CONSTANT_PAYLOAD)
  attack.ring()
  await b.recorder.untilFrames(SLOT_PAYLOADS + 4)
  for (let i = 0; i < 4; i++) await turn()
  t.false(b.recorder.closed)
  t.true(b.transport.canClaim(SIZES.slotBytes, 1))
})

test('ShmTransport answers bells without number with nothing', async (t) => {
  const attack = await Attack.start(t)
  const { pair, link: { b } } = attack
  const flushesBefore = b.transport.counters.flushes
  const bells = new Uint8Array(65_536).fill(1)
  for (let i = 0; i < 32; i++) {
    await new Promise<void>((resolve) => { pair.sockets.a.socket.write(bells, resolve) })
  }
  // Behind them it still hears what there is to hear.
  attack.publish(FrameType.PING, 0, INLINE_PAYLOAD, { channelId: 0, argument: 5 })
  attack.ring()
  await b.recorder.untilFrames(SLOT_PAYLOADS + 1)
  t.false(b.recorder.closed)
  t.is(b.transport.counters.flushes, flushesBefore)
})

test('ShmTransport keeps few bells for a peer that asks for them and never hears them', async (t) => {
  const attack = await Attack.start(t)
  const { pair, link: { b } } = attack
  pair.sockets.a.stopReading()
  for (let i = 0; i < 20_000; i++) {
    // It says that it sleeps, takes what there is, and sleeps again.
    attack.put(WordOffset.PLUGIN_WAIT, WaitFor.FRAMES | WaitFor.ROOM)
    attack.put(attack.theirs.readPosition, attack.at(attack.theirs.writePosition))
    b.transport.send(FrameType.PING, 0, i)
    b.transport.flush()
    if (i % 64 === 0) await turn()
  }
  t.false(b.recorder.closed)
  t.true(b.transport.counters.doorbellsSent > 1000)
  t.true(pair.sockets.b.pendingBytes <= 1025, `${pair.sockets.b.pendingBytes} bells wait`)
})

test('ShmTransport goes on when a peer sets both wait words to anything, all the time', async (t) => {
  const attack = await Attack.start(t)
  const { link, pair } = attack
  for (const { recorder } of [link.a, link.b]) {
    recorder.keeps = () => false
    for (const { release } of recorder.kept.splice(0)) release()
  }
  pair.a.resume()
  let isOver = false
  let word = 0
  const scribble = (): void => {
    if (isOver) return
    for (const offset of [WordOffset.HOST_WAIT, WordOffset.PLUGIN_WAIT]) {
      attack.put(offset, [0, 1, 2, 3, -1, 0x7fff_ffff][word++ % 6]!)
    }
    setImmediate(scribble)
  }
  scribble()
  await Promise.all([link.a.sendData(300_000), link.b.sendData(300_000)])
  for (const { transport } of [link.a, link.b]) transport.flush()
  await link.untilDelivered(t)
  isOver = true
  await link.verify(t)
})
