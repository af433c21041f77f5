import test from 'ava'
import { type FixedAnswer, route } from './routes.js'

function fixedAnswer (method: string, target: string): FixedAnswer {
  const answer = route(method, target)
  if (answer.kind !== 'fixed') throw new Error(`${method} ${target} is ${answer.kind}`)
  return answer
}

test('route() ignores a query', t => {
  t.is(route('GET', '/small?a=1'), route('GET', '/small'))
  t.is(route('GET', '/bytes/5?a=1').kind, 'content')
})

test('route() takes /bytes/N for every N up to 1 GiB', t => {
  for (const bytes of [0, 1, 65_521, 1_073_741_824]) {
    const answer = route('GET', `/bytes/${bytes}`)
    t.is(answer.kind === 'content' ? answer.body.bytes : -1, bytes)
  }
})

for (const text of [
  '',
  '-1',
  '+1',
  '1.5',
  '1e3',
  '0x10',
  '01',
  ' 1',
  '1 ',
  '1/2',
  '%31',
  '١',
  '1073741825',
  '9999999999',
  '99999999999999999999999',
  'NaN',
  'Infinity'
]) {
  test(`route() refuses /bytes/${text} with a sentence`, (t) => {
    const answer = fixedAnswer('GET', `/bytes/${text}`)
    t.is(answer.status, 400)
    t.regex(String(answer.body), /must be an integer from 0 to 1073741824/)
  })
}

test('route() names the endpoints where it finds nothing', t => {
  for (const target of ['/', '', '*', '/Small', '/small/', '/bytes', '/echo/', '//small', 'http://host/small']) {
    const answer = fixedAnswer('GET', target)
    t.is(answer.status, 404, target)
    t.regex(String(answer.body), /\/small.*\/large.*\/health.*\/bytes\/N.*\/echo/)
  }
})

test('route() names the methods that a path has', t => {
  for (const [method, target, allow] of [
    ['POST', '/small', 'GET, HEAD'],
    ['get', '/large', 'GET, HEAD'],
    ['DELETE', '/bytes/1', 'GET, HEAD'],
    ['GET', '/echo', 'POST'],
    ['HEAD', '/echo', 'POST']
  ] as const) {
    const answer = fixedAnswer(method, target)
    t.is(answer.status, 405)
    t.deepEqual(answer.headers.slice(-2), ['Allow', allow])
  }
})

test('route() repeats no more than the start of an absurd target', t => {
  t.true(String(fixedAnswer('GET', `/${'x'.repeat(10_000)}`).body).length < 300)
  t.true(String(fixedAnswer('GET', `/bytes/${'9'.repeat(10_000)}`).body).length < 300)
})
