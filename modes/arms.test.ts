import test from 'ava'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { armsOf, MAX_SIZE_BYTES, parseArms, parseSize } from './arms.js'

test('parseArms() keeps the order, and numbers an arm that is named again', (t) => {
  t.deepEqual(parseArms(['stream', 'baseline', 'baseline', 'stream-stalled', 'baseline', 'shm', 'shm-stalled']), [
    { label: 'stream', transport: 'stream', stalledReaders: 0 },
    { label: 'baseline', transport: 'baseline', stalledReaders: 0 },
    { label: 'baseline#2', transport: 'baseline', stalledReaders: 0 },
    { label: 'stream-stalled', transport: 'stream', stalledReaders: 1 },
    { label: 'baseline#3', transport: 'baseline', stalledReaders: 0 },
    { label: 'shm', transport: 'shm', stalledReaders: 0 },
    { label: 'shm-stalled', transport: 'shm', stalledReaders: 1 }
  ])
})

test('parseArms() names the arms that exist', (t) => {
  const error = t.throws(() => parseArms(['baseline', 'tcp']), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.USAGE)
  t.is(error.message, 'Cannot use --arms=tcp: it must be one of baseline, baseline-stalled, stream, stream-stalled, shm, shm-stalled, stream-embedded, shm-embedded')
})

test('armsOf() finds the arms of a run by their labels', (t) => {
  const arms = parseArms(['baseline', 'baseline', 'stream-stalled'])
  t.deepEqual(armsOf({ arms: arms.map((arm) => arm.label) }), arms)
})

test('parseSize() knows small, large and numbers of bytes', (t) => {
  t.deepEqual(parseSize('small'), { name: 'small', path: '/small', bodyBytes: 2, expect: { kind: 'small' } })
  t.deepEqual(parseSize('large'), { name: 'large', path: '/large', bodyBytes: 262_144, expect: { kind: 'content', bytes: 262_144 } })
  t.deepEqual(parseSize('1000'), { name: '1000', path: '/bytes/1000', bodyBytes: 1000, expect: { kind: 'content', bytes: 1000 } })
  t.is(parseSize(String(MAX_SIZE_BYTES)).bodyBytes, MAX_SIZE_BYTES)
})

for (const name of ['', '0', '-5', '007', '1.5', '1k', 'Small', String(MAX_SIZE_BYTES + 1)]) {
  test(`parseSize() refuses "${name}"`, (t) => {
    const error = t.throws(() => parseSize(name), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.USAGE)
    t.is(error.message, `Cannot use --sizes=${name}: it must be small, large, or a number of bytes from 1 to 67108864`)
  })
}
