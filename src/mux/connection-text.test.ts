import test from 'ava'
import fc from 'fast-check'
import type { ConnectionAddresses } from '../base/address.js'
import { ErrorCode } from '../base/errors.js'
import { OPEN_MAX_BYTES } from '../frame/layout.js'
import { decodeConnection, encodeConnection } from './connection-text.js'

const v4: ConnectionAddresses = {
  family: 'IPv4', remoteAddress: '192.0.2.1', remotePort: 56_324, localAddress: '192.0.2.9', localPort: 443
}

test('encodeConnection() never drifts', (t) => {
  t.is(Buffer.from(encodeConnection(v4)).toString(), 'TCP4 192.0.2.1 192.0.2.9 56324 443')
  const mapped: ConnectionAddresses = { ...v4, family: 'IPv6', remoteAddress: '::ffff:192.0.2.1', localAddress: '::1' }
  t.is(Buffer.from(encodeConnection(mapped)).toString(), 'TCP6 ::ffff:192.0.2.1 ::1 56324 443')
})

test('decodeConnection() reads back every pair of addresses, and they fit', (t) => {
  const port = fc.nat(65_535)
  const pairs = fc.oneof(
    ...([['IPv4', fc.ipV4()], ['IPv6', fc.ipV6()]] as const).map(([family, ip]) => fc.record({
      family: fc.constant(family), remoteAddress: ip, remotePort: port, localAddress: ip, localPort: port
    }))
  )
  fc.assert(fc.property(pairs, (addresses) => {
    const payload = encodeConnection(addresses)
    t.true(payload.length <= OPEN_MAX_BYTES)
    t.deepEqual(decodeConnection(payload), addresses)
  }))
})

test('decodeConnection() takes silence and formats that it does not know for no address', (t) => {
  for (const text of ['', 'UNKNOWN', 'TCP8 a b', 'tcp4 1.2.3.4 1.2.3.4 1 2']) {
    t.is(decodeConnection(Buffer.from(text)), null)
  }
})

for (const text of [
  'TCP4', 'TCP4 1.2.3.4 1.2.3.4 1', 'TCP4 1.2.3.4 1.2.3.4 1 2 3', 'TCP4 1.2.3.256 1.2.3.4 1 2', 'TCP4 ::1 ::1 1 2',
  'TCP4 1.2.3.4 a.b 1 2', 'TCP6 1.2.3.4 ::1 1 2', 'TCP6 ::1 :::1 1 2',
  'TCP6 ::1]/ ::1 1 2', 'TCP4 1.2.3.4 1.2.3.4 65536 2',
  'TCP4 1.2.3.4 1.2.3.4 -1 2', 'TCP4 1.2.3.4 1.2.3.4 1 2\r\n', 'TCP4  1.2.3.4 1.2.3.4 1 2'
]) {
  test(`decodeConnection() refuses ${JSON.stringify(text)}`, (t) => {
    t.throws(() => decodeConnection(Buffer.from(text)), {
      code: ErrorCode.PROTOCOL, message: /two addresses and two ports/
    })
  })
}
