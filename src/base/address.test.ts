import test from 'ava'
import { formatAddress, tcpAddress, UNIX_PATH_MAX_BYTES, unixAddress } from './address.js'
import { ErrorCode } from './errors.js'

const refused = { code: ErrorCode.ADDRESS_INVALID }

test('tcpAddress() takes ports from 0 to 65535', (t) => {
  for (const port of [0, 1, 4000, 65_535]) {
    t.deepEqual(tcpAddress('127.0.0.1', port), { kind: 'tcp', host: '127.0.0.1', port })
  }
})

test('tcpAddress() refuses any other port', (t) => {
  for (const port of [-1, 65_536, 1.5, NaN, Infinity, -Infinity]) {
    t.throws(() => tcpAddress('127.0.0.1', port), refused, String(port))
  }
})

test('unixAddress() takes a path up to the limit in bytes, and not one more', (t) => {
  const longest = '/tmp/' + 'a'.repeat(UNIX_PATH_MAX_BYTES - 5)
  t.deepEqual(unixAddress(longest), { kind: 'unix', path: longest })
  t.throws(() => unixAddress(longest + 'a'), {
    ...refused,
    message: new RegExp(`has ${UNIX_PATH_MAX_BYTES + 1} bytes.*at most ${UNIX_PATH_MAX_BYTES}`)
  })
})

test('unixAddress() counts bytes, not characters', (t) => {
  const half = Math.floor(UNIX_PATH_MAX_BYTES / 2)
  t.notThrows(() => unixAddress('é'.repeat(half)))
  t.throws(() => unixAddress('é'.repeat(half + 1)), refused)
})

test('unixAddress() refuses an empty path and one with a NUL byte', (t) => {
  t.throws(() => unixAddress(''), { ...refused, message: /name a file/ })
  t.throws(() => unixAddress('\0abstract'), { ...refused, message: /NUL/ })
  t.throws(() => unixAddress('/tmp/a\0b'), { ...refused, message: /NUL/ })
})

test('UNIX_PATH_MAX_BYTES is what sun_path leaves for a path', (t) => {
  t.is(UNIX_PATH_MAX_BYTES, process.platform === 'darwin' ? 103 : 107)
})

test('formatAddress() writes an address as people do', (t) => {
  t.is(formatAddress(tcpAddress('127.0.0.1', 4000)), '127.0.0.1:4000')
  t.is(formatAddress(tcpAddress('::1', 80)), '[::1]:80')
  t.is(formatAddress(tcpAddress('localhost', 0)), 'localhost:0')
  t.is(formatAddress(unixAddress('/tmp/tunnel.sock')), '/tmp/tunnel.sock')
})

test('tcpAddress() takes an IPv6 address with brackets or without', (t) => {
  for (const host of ['::1', '[::1]']) {
    t.deepEqual(tcpAddress(host, 80), { kind: 'tcp', host: '::1', port: 80 })
    t.is(formatAddress(tcpAddress(host, 80)), '[::1]:80')
  }
})
