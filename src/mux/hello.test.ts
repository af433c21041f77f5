import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { HELLO_MAX_BYTES } from '../frame/layout.js'
import { checkLimit, decodeHello, encodeHello, type Hello, HelloLimit, PROTOCOL_VERSION, Role } from './hello.js'

const hello: Hello = {
  role: Role.PLUGIN,
  serves: false,
  transport: 'stream',
  maxPayloadBytes: 65_536,
  windowBytes: 262_144,
  maxChannels: 4096,
  attachment: new Uint8Array(0)
}
const expected = { role: Role.PLUGIN, transport: 'stream' }

/** `hello` with the bytes at `offset` replaced. */
function patched (offset: number, ...bytes: number[]): Uint8Array {
  const payload = encodeHello(hello)
  payload.set(bytes, offset)
  return payload
}

function u32 (value: number): number[] {
  return [value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24]
}

function within (name: keyof typeof HelloLimit): fc.Arbitrary<number> {
  const [min, max] = HelloLimit[name]
  return fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max))
}

test('decodeHello() reads back every HELLO within the limits', (t) => {
  fc.assert(fc.property(fc.record({
    role: fc.constantFrom(Role.HOST, Role.PLUGIN),
    serves: fc.boolean(),
    transport: fc.constantFrom('memory', 'stream', 'shm'),
    maxPayloadBytes: within('maxPayloadBytes'),
    windowBytes: within('windowBytes'),
    maxChannels: within('maxChannels'),
    attachment: fc.uint8Array({ maxLength: 30 })
  }), fc.nat(9), ({ serves, ...rest }, offset) => {
    const any = { ...rest, serves: serves && rest.role === Role.PLUGIN }
    const payload = new Uint8Array(64)
    const encoded = encodeHello(any)
    payload.set(encoded, offset)
    t.deepEqual(decodeHello(payload.subarray(offset, offset + encoded.length), any), any)
  }))
})

test('encodeHello() never drifts: the handshake in hexadecimal', (t) => {
  t.is(
    Buffer.from(encodeHello(hello)).toString('hex'),
    '4854554e' + '0100' + '02' + '01' + '00000100' + '00000400' + '00100000'
  )
  t.is(
    Buffer.from(encodeHello({ ...hello, role: Role.HOST, transport: 'memory' }))
      .toString('hex')
      .slice(12, 16),
    '0100'
  )
  t.is(Buffer.from(encodeHello({ ...hello, transport: 'shm' })).toString('hex').slice(12, 16), '0202')
  t.is(Buffer.from(encodeHello({ ...hello, serves: true })).toString('hex').slice(12, 16), '0301')
  t.is(PROTOCOL_VERSION, 1)
  t.true(encodeHello(hello).length <= HELLO_MAX_BYTES)
})

const broken: Array<[what: string, payload: Uint8Array, message: RegExp]> = [
  ['what does not begin with the magic', patched(0, 0x47), /magic HTUN/],
  ['the first bytes of an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost'), /does not speak this protocol/],
  ['a HELLO of the wrong role', encodeHello({ ...hello, role: Role.HOST }), /must be a plugin: it says it is a host/],
  ['an unknown role', patched(6, 4), /must be a plugin: it says it is a role 4/],
  ['role 0', patched(6, 0), /it says it is a role 0/],
  ['another transport', encodeHello({ ...hello, transport: 'shm' }), /this side uses stream and the peer shm/],
  ['an unknown transport', patched(7, 3), /this side uses stream and the peer unknown/],
  ['a transport that encodeHello() does not know', encodeHello({ ...hello, transport: 'pigeon' }), /the peer unknown/],
  [
    'maxPayloadBytes below its limit',
    patched(8, ...u32(1023)),
    /maxPayloadBytes must be an integer from 1024 to 131072: it is 1023/
  ],
  ['maxPayloadBytes above its limit', patched(8, ...u32(131_073)), /maxPayloadBytes .* it is 131073/],
  ['windowBytes below its limit', patched(12, ...u32(1023)), /windowBytes .* it is 1023/],
  ['windowBytes above its limit', patched(12, ...u32(0xffffffff)), /windowBytes .* it is 4294967295/],
  ['no channels', patched(16, ...u32(0)), /maxChannels .* it is 0/],
  ['maxChannels above its limit', patched(16, ...u32(65_537)), /maxChannels .* it is 65537/]
]

for (const [what, payload, message] of broken) {
  test(`decodeHello() refuses ${what}`, (t) => {
    t.throws(() => decodeHello(payload, expected), { code: ErrorCode.PROTOCOL, message })
  })
}

test('decodeHello() takes a plugin that serves for a plugin, and never for a host', (t) => {
  t.true(decodeHello(encodeHello({ ...hello, serves: true }), expected).serves)
  t.false(decodeHello(encodeHello(hello), expected).serves)
  t.throws(() => decodeHello(encodeHello({ ...hello, serves: true }), { ...expected, role: Role.HOST }), {
    code: ErrorCode.PROTOCOL, message: /must be a host: it says it is a plugin/
  })
})

test('decodeHello() refuses a HELLO cut short at any length', (t) => {
  const payload = encodeHello(hello)
  for (let length = 0; length < payload.length; length++) {
    t.throws(() => decodeHello(payload.subarray(0, length), expected), { code: ErrorCode.PROTOCOL }, `${length} bytes`)
  }
})

test('decodeHello() tells another version before anything else, whatever that version looks like', (t) => {
  const mismatch = {
    code: ErrorCode.VERSION,
    message: /speaks protocol version 1 and the peer version 513: run the same version/
  }
  t.throws(() => decodeHello(patched(4, 1, 2), expected), mismatch)
  t.throws(() => decodeHello(patched(4, 1, 2).subarray(0, 6), expected), mismatch)
  t.throws(() => decodeHello(Buffer.concat([patched(4, 1, 2), Buffer.alloc(100)]), expected), mismatch)
  t.throws(() => decodeHello(patched(4, 1, 2, 9, 9), expected), mismatch)
  t.throws(() => decodeHello(patched(4, 0, 0), expected), { code: ErrorCode.VERSION })
})

test('decodeHello() gives any bytes a HELLO, ERR_TUNNEL_PROTOCOL or ERR_TUNNEL_VERSION', (t) => {
  const damaged = fc.tuple(fc.nat(19), fc.nat(255)).map(([offset, byte]) => patched(offset, byte))
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), damaged), (payload) => {
    try {
      t.deepEqual(encodeHello(decodeHello(payload, expected)), Uint8Array.from(payload))
    } catch (error) {
      t.true(
        error instanceof TunnelError && (error.code === ErrorCode.PROTOCOL || error.code === ErrorCode.VERSION),
        String(error)
      )
    }
  }), { numRuns: 500 })
})

test('checkLimit() takes the bounds and refuses what lies beyond, fractions and what is no number', (t) => {
  const failure = (rule: string): TunnelError => new TunnelError(ErrorCode.USAGE, rule)
  for (const [name, [minimum, maximum]] of Object.entries(HelloLimit) as Array<
    [keyof typeof HelloLimit, readonly [number, number]]
  >) {
    t.is(checkLimit(name, minimum, failure), minimum)
    t.is(checkLimit(name, maximum, failure), maximum)
    for (const value of [minimum - 1, maximum + 1, minimum + 0.5, NaN, Infinity]) {
      t.throws(() => checkLimit(name, value, failure), {
        code: ErrorCode.USAGE,
        message: `${name} must be an integer from ${minimum} to ${maximum}: it is ${value}`
      })
    }
  }
})
