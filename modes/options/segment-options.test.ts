import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { DEFAULT_SEGMENT_SIZES } from '../../src/shm/segment-sizes.js'
import { givenSegmentFlag, SEGMENT_FLAGS, segmentSizesOf } from './segment-options.js'

test('segmentSizesOf() fills in the defaults that --help names', (t) => {
  t.deepEqual(segmentSizesOf({}), DEFAULT_SEGMENT_SIZES)
  t.deepEqual(
    segmentSizesOf(Object.fromEntries(Object.entries(SEGMENT_FLAGS).map(([name, { standard }]) => [name, standard]))),
    DEFAULT_SEGMENT_SIZES
  )
})

test('segmentSizesOf() takes text from the command line and numbers from a config file', (t) => {
  t.deepEqual(segmentSizesOf({ 'slot-bytes': '4096', slots: '64', 'ring-entries': 128, 'inline-bytes': 512 }), {
    slotBytes: 4096,
    slots: 64,
    ringEntries: 128,
    inlineBytes: 512,
    constantBytes: 1_048_576
  })
})

const refused: Array<[given: Record<string, unknown>, message: string]> = [
  [{ 'slot-bytes': '1k' }, 'Cannot use --slot-bytes=1k: it must be an integer from 1024 to 131072'],
  [{ 'slot-bytes': '262144' }, 'Cannot use --slot-bytes=262144: it must be an integer from 1024 to 131072'],
  [{ slots: '15' }, 'Cannot use --slots=15: it must be an integer from 16 to 65536'],
  [{ slots: '' }, 'Cannot use --slots=: it must be an integer from 16 to 65536'],
  [{ 'ring-entries': 63 }, 'Cannot use --ring-entries=63: it must be an integer from 64 to 65536'],
  [{ 'inline-bytes': '0' }, 'Cannot use --inline-bytes=0: it must be an integer from 512 to 65536'],
  [
    { 'slot-bytes': '5000' },
    'Cannot use --slot-bytes=5000: --slot-bytes must be a power of two: it is 5000; the next ones are 4096 and 8192'
  ],
  [
    { slots: '20', 'ring-entries': '100' },
    'Cannot use --slots=20 --ring-entries=100: --ring-entries must be a power of two: it is 100; the next ones are ' +
    '64 and 128'
  ],
  [
    { 'constant-bytes': '1000' },
    'Cannot use --constant-bytes=1000: --constant-bytes must be a multiple of 4096: it is 1000'
  ],
  [{ 'inline-bytes': '1000' }, 'Cannot use --inline-bytes=1000: --inline-bytes must be a multiple of 32: it is 1000'],
  [
    { 'slot-bytes': '1024', 'inline-bytes': '1024' },
    'Cannot use --slot-bytes=1024 --inline-bytes=1024: --inline-bytes must be less than --slot-bytes, or no slot ' +
    'would be used: they are 1024 and 1024'
  ]
]
for (const [given, message] of refused) {
  test(`segmentSizesOf() refuses ${JSON.stringify(given)}`, (t) => {
    const error = t.throws(() => segmentSizesOf(given), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.USAGE)
    t.is(error.message, message)
  })
}

test('segmentSizesOf() refuses more memory than a segment may have, and names the options', (t) => {
  const error = t.throws(() => segmentSizesOf({ slots: '65536' }), { instanceOf: TunnelError })
  t.regex(
    error.message,
    /^Cannot use --slots=65536: a segment must have at most 1073741824 bytes: 65536 slots of 65536 bytes, .* choose fewer or smaller ones$/
  )
})

test('givenSegmentFlag() finds an option that needs shared memory', (t) => {
  t.is(givenSegmentFlag({ transport: 'stream' }), null)
  for (const name of Object.keys(SEGMENT_FLAGS)) t.is(givenSegmentFlag({ addr: './s', [name]: '64' }), name)
})
