import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { commandOf, parseExternalArm, targetOf } from './external-arm.js'

test('parseExternalArm() reads a name, a URL and a command, commas and equals signs in it included', (t) => {
  t.deepEqual(parseExternalArm('mine=http://10.0.0.1:8080', []), {
    name: 'mine',
    url: 'http://10.0.0.1:8080',
    start: null
  })
  t.deepEqual(parseExternalArm('socat=http://127.0.0.1:{port},start=socat TCP-LISTEN:{port},fork TCP:{origin},a=b', []),
    { name: 'socat', url: 'http://127.0.0.1:{port}', start: 'socat TCP-LISTEN:{port},fork TCP:{origin},a=b' })
})

test('targetOf() and commandOf() fill in the placeholders, each as often as it is there', (t) => {
  const arm = parseExternalArm('a=http://[::1]:{port},start=x {port} {origin} {port}', [])
  t.deepEqual(targetOf(arm, 1234), { kind: 'tcp', host: '::1', port: 1234 })
  t.is(commandOf(arm.start!, '127.0.0.1:9', 1234), 'x 1234 127.0.0.1:9 1234')
  t.deepEqual(targetOf({ name: 'a', url: 'http://localhost', start: null }, 1), {
    kind: 'tcp',
    host: 'localhost',
    port: 80
  })
})

for (const [text, rule] of [
  ['', /must be NAME=URL/],
  ['mine', /must be NAME=URL/],
  ['=http://a:1', /must be NAME=URL/],
  ['mine=', /must be NAME=URL/],
  ['mine=http://a:1,start= ', /must be NAME=URL/],
  ['a b=http://a:1', /must begin with a name/],
  ['a#2=http://a:1', /must begin with a name/],
  ['stream=http://a:1', /must not be named stream/],
  ['a=https://a:1', /begins with http/],
  ['a=//x', /must have a URL/],
  ['a=http://a:99999', /must have a URL/],
  ['a=http://a:0', /port from 1/],
  ['a=http://a:1/path', /host and a port only/],
  ['a=http://me@a:1', /host and a port only/],
  ['a=http://a:{port}', /has \{port\} in its URL/]
] as const) {
  test(`parseExternalArm() refuses "${text}"`, (t) => {
    const error = t.throws(() => parseExternalArm(text, ['stream']), { instanceOf: TunnelError, message: rule })
    t.is(error.code, ErrorCode.USAGE)
  })
}
