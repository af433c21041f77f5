import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { durationOf, integerOf, listOf, numberOf, oneOf, portOf, positiveOf, spinOf, textOf } from './option-values.js'

const refuses = test.macro((t, read: () => unknown, message: string) => {
  const error = t.throws(read, { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.USAGE)
  t.is(error.message, message)
})

test('integerOf() reads digits and numbers, bounds included', (t) => {
  t.is(integerOf('rounds', '1', 1, 9), 1)
  t.is(integerOf('rounds', '9', 1, 9), 9)
  t.is(integerOf('rounds', 0, 0, 9), 0)
  t.is(integerOf('rounds', '0', 0, 9), 0)
})

for (const value of ['', ' ', 'abc', '-1', '0', '10', '1.5', '1e0', '0x1', '01', '+1', '1 ', 'NaN']) {
  test(
    `integerOf() refuses "${value}"`,
    refuses,
    () => integerOf('rounds', value, 1, 9),
    `Cannot use --rounds=${value}: it must be an integer from 1 to 9`
  )
}
for (const value of [0, 10, 1.5, NaN, Infinity, null, true, [1], {}]) {
  test(
    `integerOf() refuses ${JSON.stringify(value)} of a config file (${String(value)})`,
    refuses,
    () => integerOf('rounds', value, 1, 9),
    `Cannot use --rounds=${JSON.stringify(value)}: it must be an integer from 1 to 9`
  )
}

test('portOf() reads ports, 0 included', (t) => {
  t.deepEqual(['0', '80', '65535'].map((text) => portOf('port', text)), [0, 80, 65_535])
})
for (const value of ['', '65536', '-1', 'http']) {
  test(
    `portOf() refuses "${value}" and says what 0 means`,
    refuses,
    () => portOf('port', value),
    `Cannot use --port=${value}: it must be an integer from 0 (any free port) to 65535`
  )
}

test('oneOf() returns what is allowed', (t) => {
  t.is(oneOf('mode', 'b', ['a', 'b']), 'b')
})
test(
  'oneOf() names what is allowed',
  refuses,
  () => oneOf('mode', 'c', ['a', 'b']),
  'Cannot use --mode=c: it must be one of a, b'
)
test(
  'oneOf() names the only value allowed',
  refuses,
  () => oneOf('mode', '', ['a']),
  'Cannot use --mode=: it must be a'
)

test('textOf() returns text', (t) => {
  t.is(textOf('out', 'x', 'y'), 'x')
})
test(
  'textOf() refuses nothing',
  refuses,
  () => textOf('out', '', 'results'),
  'Cannot use --out=: it must be text that is not empty, for example results'
)
test(
  'textOf() refuses a number of a config file',
  refuses,
  () => textOf('out', 5, 'results'),
  'Cannot use --out=5: it must be text that is not empty, for example results'
)

test('durationOf() reads every unit', (t) => {
  t.deepEqual(
    ['50ms', '2s', '1m30s', '90m', '24h'].map((text) => durationOf('duration', text, 50)),
    [50, 2000, 90_000, 5_400_000, 86_400_000]
  )
  t.is(durationOf('warmup', '0s', 0), 0)
})
test(
  'durationOf() refuses what is too short',
  refuses,
  () => durationOf('duration', '49ms', 50),
  'Cannot use --duration=49ms: it must be from 50ms to 24h'
)
test(
  'durationOf() refuses what is too long',
  refuses,
  () => durationOf('duration', '25h', 50),
  'Cannot use --duration=25h: it must be from 50ms to 24h'
)
test(
  'durationOf() refuses a number of a config file',
  refuses,
  () => durationOf('duration', 5, 50),
  'Cannot use --duration=5: it must be a duration with its unit, for example "250ms" or "2s"'
)
test('durationOf() refuses a number without unit', refuses, () => durationOf('duration', '5', 50),
  'Cannot use --duration "5": a duration needs a unit (h, m, s or ms): write 5s for seconds or 5ms for milliseconds')

test('numberOf() reads numbers and text, its bounds included', (t) => {
  t.deepEqual(
    ['0', '0.5', '.25', 0.5, 0.95].map((value) => numberOf('equal-load', value, 0, 0.95)),
    [0, 0.5, 0.25, 0.5, 0.95]
  )
})
for (const value of ['', '.', '-0.1', '0.96', '1e-1', '50%', 'abc', NaN, true]) {
  test(
    `numberOf() refuses ${JSON.stringify(value)}`,
    refuses,
    () => numberOf('equal-load', value, 0, 0.95),
    `Cannot use --equal-load=${typeof value === 'string' ? value : JSON.stringify(value)}: it must be a number from ` +
    '0 to 0.95'
  )
}

test(
  'positiveOf() refuses 0',
  refuses,
  () => positiveOf('rate', '0', 10),
  'Cannot use --rate=0: it must be a number above 0, up to 10'
)
test('positiveOf() reads what is above 0', (t) => {
  t.deepEqual(['0.001', '10', 1].map((value) => positiveOf('rate', value, 10)), [0.001, 10, 1])
})

test('listOf() reads text and arrays', (t) => {
  t.deepEqual(listOf('sizes', 'a, b'), ['a', 'b'])
  t.deepEqual(listOf('sizes', ['a', 8]), ['a', '8'])
  t.deepEqual(listOf('concurrency', 8), ['8'])
  t.deepEqual(listOf('arms', 'a,a', { mayRepeat: true }), ['a', 'a'])
})
for (const value of ['', 'a,', ',', 'a,,b']) {
  test(
    `listOf() refuses the gap in "${value}"`,
    refuses,
    () => listOf('sizes', value),
    `Cannot use --sizes=${value}: it must be a list of values with commas between them, for example a,b`
  )
}
test('spinOf() takes auto, no time, and some', (t) => {
  t.deepEqual([undefined, 'auto', '0', '250', 7].map((value) => spinOf(value, 'auto')), ['auto', 'auto', 0, 250, 7])
  t.is(spinOf(undefined, 'node'), 'auto')
})
for (const value of ['-1', '1.5', '100001', 'always', '']) {
  test(
    `spinOf() refuses "${value}"`,
    refuses,
    () => spinOf(value, 'epoll'),
    `Cannot use --spin-us=${value}: it must be auto, or an integer from 0 (never) to 100000`
  )
}
test(
  'spinOf() refuses what the node engine cannot do',
  refuses,
  () => spinOf('auto', 'node'),
  'Cannot use --spin-us=auto: it is for the epoll engine: leave it out, or leave out --engine=node'
)
test(
  'listOf() refuses an empty array',
  refuses,
  () => listOf('sizes', []),
  'Cannot use --sizes=[]: it must be a list of values with commas between them, for example a,b'
)
test(
  'listOf() refuses a value named twice',
  refuses,
  () => listOf('sizes', 'a,b,a'),
  'Cannot use --sizes=a,b,a: it must not name a value twice'
)
