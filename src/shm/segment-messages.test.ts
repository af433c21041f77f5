import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import {
  decodeRequest,
  decodeTicket,
  encodeRequest,
  encodeTicket,
  newRequest,
  type RequestMessage
} from './segment-messages.js'

const nonce = Uint8Array.from({ length: 16 }, (_, i) => 0xA0 + i)
const nonceHex = 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'
const request: RequestMessage = { kind: 'memfd', pid: 0x01020304, nonce }
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** `bytes` with those at `offset` replaced. */
function patched (bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice()
  copy.set(values, offset)
  return copy
}

function littleEndian (value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex')
}

test('encodeRequest() and encodeTicket() never drift: in hexadecimal', (t) => {
  t.is(hex(encodeRequest(request)), '02000000' + '04030201' + nonceHex)
  t.is(hex(encodeRequest({ ...request, kind: 'shared-array-buffer' })), '01000000' + '04030201' + nonceHex)
  const pid = littleEndian(process.pid)
  t.is(
    hex(encodeTicket('memfd', nonce, { fd: 513, totalBytes: 0x10000 })),
    '02000000' + pid + nonceHex + '01020000' + '00000100'
  )
  t.is(hex(encodeTicket('shared-array-buffer', nonce)), '01000000' + pid + nonceHex)
})

test('newRequest() has a nonce of its own each time', (t) => {
  const nonces = new Set(Array.from({ length: 100 }, () => hex(newRequest('memfd').nonce)))
  t.is(nonces.size, 100)
  t.is([...nonces][0]!.length, 32)
  t.is(newRequest('memfd').pid, process.pid)
})

test('decodeRequest() and decodeTicket() read back what was written, wherever it lies', (t) => {
  const message = fc.record({
    kind: fc.constantFrom('memfd' as const, 'shared-array-buffer' as const),
    pid: fc.nat(0xffffffff),
    nonce: fc.uint8Array({ minLength: 16, maxLength: 16 })
  })
  fc.assert(
    fc.property(
      message,
      fc.nat(0xffffffff),
      fc.integer({ min: 1, max: 1024 ** 3 }),
      fc.nat(9),
      (any, fd, totalBytes, offset) => {
        const moved = (bytes: Uint8Array): Uint8Array => {
          const place = new Uint8Array(64)
          place.set(bytes, offset)
          return place.subarray(offset, offset + bytes.length)
        }
        const decoded = decodeRequest(moved(encodeRequest(any)), any.kind)
        t.deepEqual({ ...decoded, nonce: hex(decoded.nonce) }, { ...any, nonce: hex(any.nonce) })
        const file = any.kind === 'memfd' ? { fd, totalBytes } : undefined
        t.deepEqual(decodeTicket(moved(encodeTicket(any.kind, any.nonce, file)), any), {
          pid: process.pid,
          file: file ?? { fd: 0, totalBytes: 0 }
        })
      }
    )
  )
})

test('decodeRequest() keeps a nonce of its own: the bytes may be overwritten', (t) => {
  const bytes = encodeRequest(request)
  const decoded = decodeRequest(bytes, 'memfd')
  bytes.fill(0)
  t.is(hex(decoded.nonce), nonceHex)
})

const badRequests: Array<[what: string, bytes: Uint8Array, code: ErrorCode, message: RegExp]> = [
  ['nothing', new Uint8Array(0), ErrorCode.PROTOCOL, /must have 24 bytes: it has 0/],
  ['a byte less', encodeRequest(request).subarray(1), ErrorCode.PROTOCOL, /must have 24 bytes: it has 23/],
  ['a byte more', new Uint8Array(25), ErrorCode.PROTOCOL, /must have 24 bytes: it has 25/],
  [
    'kind 0',
    patched(encodeRequest(request), 0, 0),
    ErrorCode.PROTOCOL,
    /must name a kind of memory, 1 or 2: it names 0/
  ],
  ['an unknown kind', patched(encodeRequest(request), 0, 3), ErrorCode.PROTOCOL, /it names 3/],
  ['a reserved byte', patched(encodeRequest(request), 3, 1), ErrorCode.PROTOCOL, /reserved bytes/],
  [
    'the other kind',
    patched(encodeRequest(request), 0, 1),
    ErrorCode.UNAVAILABLE,
    /this side shares a memfd and the peer a shared-array-buffer: run host and plugin both in threads/
  ]
]

for (const [what, bytes, code, message] of badRequests) {
  test(`decodeRequest() refuses ${what}`, (t) => {
    const error = t.throws(() => decodeRequest(bytes, 'memfd'), { instanceOf: TunnelError, message })
    t.is(error.code, code)
    t.regex(error.message, /^Cannot offer shared memory: /)
  })
}

const ticket = encodeTicket('memfd', nonce, { fd: 5, totalBytes: 4096 })
const badTickets: Array<[what: string, bytes: Uint8Array, kind: RequestMessage['kind'], message: RegExp]> = [
  ['nothing', new Uint8Array(0), 'memfd', /must have 32 bytes: it has 0/],
  ['a byte less', ticket.subarray(0, 31), 'memfd', /must have 32 bytes: it has 31/],
  ['a byte more', new Uint8Array(33), 'memfd', /must have 32 bytes: it has 33/],
  ['the other kind', encodeTicket('shared-array-buffer', nonce), 'memfd', /must have 32 bytes: it has 24/],
  ['the other kind, from the other side', ticket, 'shared-array-buffer', /must have 24 bytes: it has 32/],
  ['a wrong kind', patched(ticket, 0, 1), 'memfd', /must be for a memfd: it begins with 1/],
  ['a reserved byte', patched(ticket, 2, 1), 'memfd', /must be for a memfd/],
  ['a foreign nonce', patched(ticket, 23, 0), 'memfd', /it answers another one/],
  [
    'more than the largest segment',
    encodeTicket('memfd', nonce, { fd: 5, totalBytes: 1024 ** 3 + 1 }),
    'memfd',
    /from 1 to 1073741824 bytes: the ticket says 1073741825/
  ],
  ['an empty segment', encodeTicket('memfd', nonce, { fd: 5, totalBytes: 0 }), 'memfd', /the ticket says 0/]
]

for (const [what, bytes, kind, message] of badTickets) {
  test(`decodeTicket() refuses ${what}${kind === 'memfd' ? '' : ' in threads'}`, (t) => {
    const error = t.throws(() => decodeTicket(bytes, { ...request, kind }), { instanceOf: TunnelError, message })
    t.is(error.code, ErrorCode.PROTOCOL)
    t.regex(error.message, /^Cannot attach the shared memory: /)
  })
}
