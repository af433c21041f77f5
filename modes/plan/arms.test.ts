import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { armsOf, LADDER, MAX_SIZE_BYTES, parseArms, parseSize } from './arms.js'

test('parseArms() keeps the order, and numbers an arm that is named again', (t) => {
  const arms = parseArms(['stream', 'baseline', 'direct', 'stream-stalled', 'baseline', 'shm-uds', 'relay2'])
  t.deepEqual(arms, [
    { label: 'stream', path: 'stream', transport: 'stream', secondHop: 'tcp', stalledReaders: 0 },
    { label: 'baseline', path: 'baseline', transport: 'baseline', secondHop: null, stalledReaders: 0 },
    { label: 'baseline#2', path: 'baseline', transport: 'baseline', secondHop: null, stalledReaders: 0 },
    { label: 'stream-stalled', path: 'stream', transport: 'stream', secondHop: 'tcp', stalledReaders: 1 },
    { label: 'baseline#3', path: 'baseline', transport: 'baseline', secondHop: null, stalledReaders: 0 },
    { label: 'shm-uds', path: 'shm-uds', transport: 'shm', secondHop: 'unix', stalledReaders: 0 },
    { label: 'relay2', path: 'relay2', transport: 'relay2', secondHop: null, stalledReaders: 0 }
  ])
})

test('the ladder goes from direct HTTP to the tunnel', (t) => {
  t.deepEqual(LADDER, [
    'baseline',
    'uds',
    'relay',
    'relay2',
    'stream',
    'stream-uds',
    'stream-embedded',
    'shm',
    'shm-uds',
    'shm-embedded'
  ])
  t.deepEqual(parseArms(LADDER).map(({ label }) => label), LADDER)
})

test('parseArms() names the arms that exist', (t) => {
  const error = t.throws(() => parseArms(['baseline', 'tcp']), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.USAGE)
  t.is(
    error.message,
    'Cannot use --arms=tcp: it must be one of ' + LADDER.map((arm) => `${arm}, ${arm}-stalled`).join(', ')
  )
})

test('armsOf() finds the arms of a run by their labels', (t) => {
  const arms = parseArms(['baseline', 'baseline', 'stream-stalled'])
  t.deepEqual(armsOf({ arms: arms.map((arm) => arm.label) }), arms)
})

test('parseSize() knows small, large and numbers of bytes', (t) => {
  t.deepEqual(parseSize('small'), { name: 'small', path: '/small', bodyBytes: 2, expect: { kind: 'small' } })
  t.deepEqual(parseSize('large'), {
    name: 'large',
    path: '/large',
    bodyBytes: 262_144,
    expect: { kind: 'content', bytes: 262_144 }
  })
  t.deepEqual(parseSize('1000'), {
    name: '1000',
    path: '/bytes/1000',
    bodyBytes: 1000,
    expect: { kind: 'content', bytes: 1000 }
  })
  t.is(parseSize(String(MAX_SIZE_BYTES)).bodyBytes, MAX_SIZE_BYTES)
})

for (const name of ['', '0', '-5', '007', '1.5', '1k', 'Small', String(MAX_SIZE_BYTES + 1)]) {
  test(`parseSize() refuses "${name}"`, (t) => {
    const error = t.throws(() => parseSize(name), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.USAGE)
    t.is(error.message, `Cannot use --sizes=${name}: it must be small, large, or a number of bytes from 1 to 67108864`)
  })
}
