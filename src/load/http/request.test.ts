import test from 'ava'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { ErrorCode } from '../../base/errors.js'
import { asksForClose, isIdempotent, requestBytes, type RequestParts } from './request.js'

const target = tcpAddress('127.0.0.1', 80)
const textOf = (parts: Partial<RequestParts> = {}): string =>
  requestBytes({ target, path: '/', ...parts }).toString('latin1')

test('requestBytes() asks by GET, for the address as Host', (t) => {
  t.is(textOf(), 'GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n')
  t.is(textOf({ target: tcpAddress('::1', 8080) }), 'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n')
  t.is(textOf({ target: unixAddress('/tmp/x.sock'), path: '/a?b=c' }), 'GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n')
})

test('requestBytes() sends method, fields and body, and tells the length', (t) => {
  t.is(
    textOf({
      method: 'POST',
      host: 'example.com',
      headers: [
        ['X-A', 'b'],
        ['x-a', '\xe9 c']
      ],
      body: Buffer.from('h\xe9', 'latin1')
    }),
    'POST / HTTP/1.1\r\nHost: example.com\r\nX-A: b\r\nx-a: \xe9 c\r\nContent-Length: 2\r\n\r\nh\xe9'
  )
  t.is(textOf({ headers: [['host', 'other']], host: 'example.com' }), 'GET / HTTP/1.1\r\nhost: other\r\n\r\n')
  for (const method of ['POST', 'PUT', 'PATCH']) t.true(textOf({ method }).includes('\r\nContent-Length: 0\r\n'))
  for (const method of ['GET', 'HEAD', 'DELETE']) t.false(textOf({ method }).includes('Content-Length'))
})

const REFUSED: Array<[title: string, parts: Partial<RequestParts>]> = [
  ['a path with a space', { path: '/a b' }],
  ['a path with a line end', { path: '/a\r\nX: y' }],
  ['a method with a space', { method: 'GET /x HTTP/1.1\r\nX:' }],
  ['an empty method', { method: '' }],
  ['CONNECT', { method: 'CONNECT' }],
  ['a field name with a colon', { headers: [['X:', 'y']] }],
  ['an empty field name', { headers: [['', 'y']] }],
  ['a field value with a line end', { headers: [['X', 'y\r\nZ: z']] }],
  ['a field value beyond Latin-1', { headers: [['X', '\u20ac']] }],
  ['a Host with a line end', { host: 'a\r\nX: y' }],
  ['a second Content-Length', { headers: [['Content-length', '5']] }],
  ['Transfer-Encoding', { headers: [['Transfer-Encoding', 'chunked']] }]
]

for (const [title, parts] of REFUSED) {
  test(`requestBytes() refuses ${title}`, (t) => {
    t.throws(() => textOf(parts), { code: ErrorCode.USAGE, message: /^Cannot .*: / })
  })
}

test('asksForClose() finds the option in any of the Connection fields, as one of a list, in any case', (t) => {
  for (const value of ['close', 'Close', 'keep-alive, close', 'close ,x', ' \tclose']) {
    t.true(asksForClose([['X', 'y'], ['connection', value]]), value)
  }
  for (const headers of [
    undefined,
    [],
    [['Connection', 'keep-alive']],
    [['Connection', 'closed, x-close']],
    [['X', 'close']]
  ] as const) {
    t.false(asksForClose(headers))
  }
})

test('isIdempotent() knows the methods that may be sent twice', (t) => {
  t.deepEqual(
    [undefined, 'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'].map((method) => isIdempotent(method)),
    Array(6).fill(true)
  )
  t.deepEqual(['POST', 'PATCH', 'get', 'PURGE'].map((method) => isIdempotent(method)), Array(4).fill(false))
})
