import test from 'ava'
import { tcpAddress } from '../base/address.js'
import { ErrorCode } from '../base/errors.js'
import { connectError, systemCode } from './socket-errors.js'

const codes: ReadonlyArray<readonly [tried: string[], named: string, exhausted: boolean]> = [
  // Ports of the address that took connections until now; the other one never did.
  [['EADDRNOTAVAIL', 'ECONNREFUSED'], 'EADDRNOTAVAIL', true],
  // A machine without IPv6: nothing listens at the address that it has.
  [['ECONNREFUSED', 'EADDRNOTAVAIL'], 'ECONNREFUSED', false],
  [['ECONNREFUSED', 'EMFILE'], 'EMFILE', true],
  [['ENFILE', 'ETIMEDOUT'], 'ENFILE', true],
  [['EHOSTUNREACH', 'ETIMEDOUT', 'ECONNREFUSED'], 'ECONNREFUSED', false],
  [['ETIMEDOUT', 'EHOSTUNREACH'], 'ETIMEDOUT', false],
  [['ENETUNREACH', 'EHOSTUNREACH'], 'EHOSTUNREACH', false]
]

for (const [tried, named, exhausted] of codes) {
  test(`connectError() of a name whose addresses failed with ${tried.join(', ')} names ${named}`, (t) => {
    const error = connectError(tcpAddress('name', 80), ...tried.map((code) => Object.assign(new Error(code), { code })))
    t.is(systemCode(error.cause), named)
    t.true(error.message.includes(named))
    t.is(error.code === ErrorCode.LIMIT, exhausted)
  })
}
