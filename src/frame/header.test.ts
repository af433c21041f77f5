import test from 'ava'
import fc from 'fast-check'
import { ErrorCode } from '../base/errors.js'
import { decodeHeader, emptyHeader, encodeHeader, type FrameHeader, frameTypeName } from './header.js'
import {
  CONTROL_CHANNEL_ID, FrameFlag, FrameType, GOAWAY_MAX_BYTES, HEADER_BYTES,
  HeaderOffset, HELLO_MAX_BYTES, OPEN_MAX_BYTES, Reason
} from './layout.js'

const MAX_PAYLOAD_BYTES = 65_536

function encoded (header: FrameHeader, offset = 0): Uint8Array {
  const bytes = new Uint8Array(offset + HEADER_BYTES).fill(0xee)
  encodeHeader(bytes, offset, header)
  return bytes
}

function decoded (bytes: Uint8Array, offset = 0, maxPayloadBytes = MAX_PAYLOAD_BYTES): FrameHeader {
  const header = emptyHeader()
  decodeHeader(bytes, offset, maxPayloadBytes, header)
  return header
}

/** A frame of this type with nothing special about it. */
function plain (type: FrameType): FrameHeader {
  const isControl = type === FrameType.HELLO || type >= FrameType.PING
  return {
    type,
    channelId: isControl ? CONTROL_CHANNEL_ID : 7,
    payloadBytes: type === FrameType.DATA || type === FrameType.HELLO ? 20 : 0,
    flags: 0,
    argument: type === FrameType.CREDIT ? 1 : 0
  }
}

const u32 = fc.nat(0xffffffff)
const channel = fc.integer({ min: 1, max: 0xffffffff })
const reason = fc.constantFrom(...Object.values(Reason))

const validHeader: fc.Arbitrary<FrameHeader> = fc.oneof(
  fc.record({
    type: fc.constant(FrameType.HELLO),
    channelId: fc.constant(0),
    payloadBytes: fc.nat(HELLO_MAX_BYTES),
    flags: fc.constant(0),
    argument: fc.constant(0)
  }),
  ...(
    [
      [FrameType.OPEN, OPEN_MAX_BYTES],
      [FrameType.ACCEPT, 0]
    ] as const
  ).map(([type, maxBytes]) =>
    fc.record({
      type: fc.constant(type),
      channelId: channel,
      payloadBytes: fc.nat(maxBytes),
      flags: fc.constant(0),
      argument: fc.constant(0)
    })
  ),
  fc.record({
    type: fc.constantFrom(FrameType.REJECT, FrameType.RESET),
    channelId: channel,
    payloadBytes: fc.constant(0),
    flags: fc.constant(0),
    argument: reason
  }),
  fc.record({
    type: fc.constant(FrameType.DATA),
    channelId: channel,
    payloadBytes: fc.integer({ min: 1, max: MAX_PAYLOAD_BYTES }),
    flags: fc.constantFrom(0, FrameFlag.EOS),
    argument: fc.constant(0)
  }),
  fc.record({
    type: fc.constant(FrameType.DATA),
    channelId: channel,
    payloadBytes: fc.constant(0),
    flags: fc.constant(FrameFlag.EOS),
    argument: fc.constant(0)
  }),
  fc.record({
    type: fc.constant(FrameType.CREDIT),
    channelId: channel,
    payloadBytes: fc.constant(0),
    flags: fc.constant(0),
    argument: fc.integer({ min: 1, max: 0xffffffff })
  }),
  fc.record({
    type: fc.constantFrom(FrameType.PING, FrameType.PONG),
    channelId: fc.constant(0),
    payloadBytes: fc.constant(0),
    flags: fc.constant(0),
    argument: u32
  }),
  fc.record({
    type: fc.constant(FrameType.GOAWAY),
    channelId: fc.constant(0),
    payloadBytes: fc.nat(GOAWAY_MAX_BYTES),
    flags: fc.constant(0),
    argument: reason
  })
)

test('decodeHeader() reads back every header that keeps the rules, at any offset', (t) => {
  fc.assert(fc.property(validHeader, fc.nat(40), (header, offset) => {
    const bytes = encoded(header, offset)
    t.deepEqual(decoded(bytes, offset), header)
    t.true(bytes.subarray(0, offset).every((byte) => byte === 0xee), 'nothing before the offset is touched')
  }))
})

test('encodeHeader() writes what a DataView reads: little-endian, at the places of the drawing', (t) => {
  fc.assert(fc.property(validHeader, (header) => {
    const view = new DataView(encoded(header).buffer)
    t.is(view.getUint32(0, true), header.payloadBytes)
    t.is(view.getUint32(4, true), header.channelId)
    t.is(view.getUint8(8), header.type)
    t.is(view.getUint8(9), header.flags)
    t.is(view.getUint16(10, true), 0)
    t.is(view.getUint32(12, true), header.argument)
  }))
})

test('encodeHeader() never drifts: the wire format in hexadecimal', (t) => {
  const golden: Array<[FrameHeader, string]> = [
    [
      { type: FrameType.HELLO, channelId: 0, payloadBytes: 20, flags: 0, argument: 0 },
      '14000000 00000000 01 00 0000 00000000'
    ],
    [
      { type: FrameType.OPEN, channelId: 1, payloadBytes: 0, flags: 0, argument: 0 },
      '00000000 01000000 02 00 0000 00000000'
    ],
    [
      { type: FrameType.ACCEPT, channelId: 0xfffefdfc, payloadBytes: 0, flags: 0, argument: 0 },
      '00000000 fcfdfeff 03 00 0000 00000000'
    ],
    [
      { type: FrameType.REJECT, channelId: 2, payloadBytes: 0, flags: 0, argument: Reason.LIMIT },
      '00000000 02000000 04 00 0000 03000000'
    ],
    [
      { type: FrameType.DATA, channelId: 0x01020304, payloadBytes: 65_536, flags: FrameFlag.EOS, argument: 0 },
      '00000100 04030201 05 01 0000 00000000'
    ],
    [
      { type: FrameType.CREDIT, channelId: 3, payloadBytes: 0, flags: 0, argument: 0x80000001 },
      '00000000 03000000 06 00 0000 01000080'
    ],
    [
      { type: FrameType.RESET, channelId: 4, payloadBytes: 0, flags: 0, argument: Reason.CONNECTION_RESET },
      '00000000 04000000 07 00 0000 04000000'
    ],
    [
      { type: FrameType.PING, channelId: 0, payloadBytes: 0, flags: 0, argument: 0xffffffff },
      '00000000 00000000 08 00 0000 ffffffff'
    ],
    [
      { type: FrameType.PONG, channelId: 0, payloadBytes: 0, flags: 0, argument: 258 },
      '00000000 00000000 09 00 0000 02010000'
    ],
    [
      { type: FrameType.GOAWAY, channelId: 0, payloadBytes: 3, flags: 0, argument: Reason.BUSY },
      '03000000 00000000 0a 00 0000 08000000'
    ]
  ]
  t.is(golden.length, Object.keys(FrameType).length)
  for (const [header, hex] of golden) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    t.is(Buffer.from(encoded(header)).toString('hex'), bytes.toString('hex'), frameTypeName(header.type))
    t.deepEqual(decoded(bytes), header)
  }
})

test('the layout is what is drawn', (t) => {
  t.is(HEADER_BYTES, 16)
  t.deepEqual(HeaderOffset, { PAYLOAD_BYTES: 0, CHANNEL_ID: 4, TYPE: 8, FLAGS: 9, RESERVED: 10, ARGUMENT: 12 })
  t.deepEqual(FrameType, {
    HELLO: 1,
    OPEN: 2,
    ACCEPT: 3,
    REJECT: 4,
    DATA: 5,
    CREDIT: 6,
    RESET: 7,
    PING: 8,
    PONG: 9,
    GOAWAY: 10
  })
  t.deepEqual(FrameFlag, { EOS: 1 })
  t.deepEqual(Reason, {
    NONE: 0,
    REFUSED: 1,
    TIMEOUT: 2,
    LIMIT: 3,
    CONNECTION_RESET: 4,
    SHUTDOWN: 5,
    PROTOCOL: 6,
    VERSION: 7,
    BUSY: 8,
    UNAVAILABLE: 9
  })
  t.is(CONTROL_CHANNEL_ID, 0)
})

const broken: Array<[rule: string, header: FrameHeader, message: RegExp]> = [
  ['type 0', { ...plain(FrameType.OPEN), type: 0 as FrameType }, /type must be 1 to 10: it is 0/],
  ['type 11', { ...plain(FrameType.OPEN), type: 11 as FrameType }, /type must be 1 to 10: it is 11/],
  ['type 255', { ...plain(FrameType.OPEN), type: 255 as FrameType }, /type must be 1 to 10: it is 255/],
  [
    'DATA above the limit',
    { ...plain(FrameType.DATA), payloadBytes: MAX_PAYLOAD_BYTES + 1 },
    /payload of DATA must be at most 65536 bytes: it is 65537/
  ],
  ['DATA of 4 GiB', { ...plain(FrameType.DATA), payloadBytes: 0xffffffff }, /at most 65536 bytes: it is 4294967295/],
  [
    'HELLO above its own limit',
    { ...plain(FrameType.HELLO), payloadBytes: HELLO_MAX_BYTES + 1 },
    /payload of HELLO must be at most 1024/
  ],
  [
    'GOAWAY above its own limit',
    { ...plain(FrameType.GOAWAY), payloadBytes: GOAWAY_MAX_BYTES + 1 },
    /payload of GOAWAY must be at most 512/
  ],
  ['OPEN above its own limit', { ...plain(FrameType.OPEN), payloadBytes: OPEN_MAX_BYTES + 1 }, /of OPEN .* 107/],
  ...[FrameType.ACCEPT, FrameType.REJECT, FrameType.CREDIT, FrameType.RESET, FrameType.PING, FrameType.PONG].map(
    (type): [string, FrameHeader, RegExp] => [
      `${frameTypeName(type)} with a payload`,
      { ...plain(type), payloadBytes: 1 },
      /must be at most 0 bytes: it is 1/
    ]
  ),
  ...Object.values(FrameType)
    .filter((type) => type !== FrameType.DATA)
    .map((type): [string, FrameHeader, RegExp] => [
      `${frameTypeName(type)} with EOS`,
      { ...plain(type), flags: FrameFlag.EOS },
      /flags of .* must be defined ones: they are 1/
    ]),
  [
    'DATA with an unknown flag',
    { ...plain(FrameType.DATA), flags: 2 },
    /flags of DATA must be defined ones: they are 2/
  ],
  ['DATA with EOS and an unknown flag', { ...plain(FrameType.DATA), flags: 0x81 }, /they are 129/],
  ...[FrameType.HELLO, FrameType.PING, FrameType.PONG, FrameType.GOAWAY].map((type): [string, FrameHeader, RegExp] => [
    `${frameTypeName(type)} on a channel`,
    { ...plain(type), channelId: 1 },
    /must be on channel 0: its channel is 1/
  ]),
  ...[FrameType.OPEN, FrameType.ACCEPT, FrameType.REJECT, FrameType.DATA, FrameType.CREDIT, FrameType.RESET].map(
    (type): [string, FrameHeader, RegExp] => [
      `${frameTypeName(type)} on channel 0`,
      { ...plain(type), channelId: 0 },
      /must name a channel: its channel is 0/
    ]
  ),
  ['empty DATA without EOS', { ...plain(FrameType.DATA), payloadBytes: 0 }, /DATA without EOS must carry a payload/],
  ['CREDIT of nothing', { ...plain(FrameType.CREDIT), argument: 0 }, /CREDIT must grant at least 1 byte/],
  ...[FrameType.HELLO, FrameType.OPEN, FrameType.ACCEPT, FrameType.DATA].map((type): [string, FrameHeader, RegExp] => [
    `${frameTypeName(type)} with an argument`,
    { ...plain(type), argument: 1 },
    /must be 0: the argument of this .* is 1/
  ]),
  ...[FrameType.REJECT, FrameType.RESET, FrameType.GOAWAY].map((type): [string, FrameHeader, RegExp] => [
    `${frameTypeName(type)} for an unknown reason`,
    { ...plain(type), argument: 10 },
    /a reason must be 0 to 9: the argument of this .* is 10/
  ])
]

for (const [rule, header, message] of broken) {
  test(`decodeHeader() refuses ${rule}`, (t) => {
    t.throws(() => decoded(encoded(header)), { code: ErrorCode.PROTOCOL, message })
  })
}

test('decodeHeader() refuses reserved bytes that are not 0', (t) => {
  for (const offset of [HeaderOffset.RESERVED, HeaderOffset.RESERVED + 1]) {
    for (const type of Object.values(FrameType)) {
      const bytes = encoded(plain(type))
      t.notThrows(() => decoded(bytes))
      bytes[offset] = 1
      t.throws(() => decoded(bytes), { code: ErrorCode.PROTOCOL, message: /reserved bytes of .* must be 0/ })
    }
  }
})

test('decodeHeader() holds DATA to the limit given, and other frames to theirs', (t) => {
  t.notThrows(() => decoded(encoded({ ...plain(FrameType.DATA), payloadBytes: 1024 }), 0, 1024))
  t.throws(() => decoded(encoded({ ...plain(FrameType.DATA), payloadBytes: 1025 }), 0, 1024), {
    code: ErrorCode.PROTOCOL
  })
  t.notThrows(() => decoded(encoded({ ...plain(FrameType.GOAWAY), payloadBytes: GOAWAY_MAX_BYTES }), 0, 1))
})

test('decodeHeader() leaves the target alone when it throws', (t) => {
  const header = decoded(encoded(plain(FrameType.DATA)))
  const before = { ...header }
  t.throws(() => { decodeHeader(encoded({ ...plain(FrameType.OPEN), channelId: 0 }), 0, 10, header) })
  t.deepEqual(header, before)
})

test('decodeHeader() gives any 16 bytes a header or ERR_TUNNEL_PROTOCOL, and what it takes encodes to ' +
  'the same bytes', (t) => {
  const anyBytes = fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES })
  // Random bytes almost never get past the first rule; sparse ones do.
  const sparseBytes = fc
    .tuple(fc.nat(300), fc.nat(2), fc.nat(11), fc.nat(2), fc.nat(1), fc.nat(10))
    .map(([payloadBytes, channelId, type, flags, reserved, argument]) => {
      const bytes = encoded({ type: type as FrameType, channelId, payloadBytes, flags, argument })
      bytes[HeaderOffset.RESERVED] = reserved
      return bytes
    })
  let taken = 0
  fc.assert(
    fc.property(fc.oneof(anyBytes, sparseBytes), (bytes) => {
      let header
      try {
        header = decoded(bytes)
      } catch (error) {
        t.is((error as { code?: string }).code, ErrorCode.PROTOCOL)
        return
      }
      taken++
      t.deepEqual(encoded(header), bytes)
    }),
    { numRuns: 2000 }
  )
  t.true(taken > 0)
})

test('frameTypeName() names every type and shows an unknown one', (t) => {
  for (const [name, type] of Object.entries(FrameType)) t.is(frameTypeName(type), name)
  t.is(frameTypeName(99), 'type 99')
})
