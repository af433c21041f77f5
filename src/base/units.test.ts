import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from './errors.js'
import {
  formatAddedUs,
  formatBytes,
  formatCount,
  formatDuration,
  formatMs,
  formatRatio,
  formatRps,
  parseDurationMs
} from './units.js'

test('formatCount() parts thousands by commas', t => {
  t.deepEqual([0, 999, 1000, 1234567.5].map(formatCount), ['0', '999', '1,000', '1,234,568'])
})

test('formatRps() gives whole numbers, and three digits below 100', t => {
  t.deepEqual([12345.6, 100.4, 99.96, 6.25, 0.4, 0].map(formatRps), ['12,346', '100', '100', '6.25', '0.400', '0'])
})

test('formatMs() gives nanoseconds as milliseconds with three significant digits', t => {
  t.deepEqual([187_000, 1_240_000, 12_400_000, 123_600_000, 999_600_000, 1_234_500_000, 0, 1].map(formatMs),
    ['0.187', '1.24', '12.4', '124', '1,000', '1,235', '0', '0.00000100'])
})

test('formatAddedUs() gives nanoseconds as microseconds with their sign', t => {
  t.deepEqual([84_200, -1_200, 0, 1_234_500, 1].map(formatAddedUs), ['+84.2', '-1.20', '0', '+1,235', '+0.00100'])
})

test('formatRatio() gives two decimals and never shows a small ratio as zero', t => {
  t.deepEqual([0.31, 1, 0, 0.0423, 0.00016, 0.00000016, 9.999, 123.4].map(formatRatio),
    ['0.31×', '1.00×', '0.00×', '0.042×', '0.00016×', '<0.0001×', '10.0×', '123×'])
})

test('formatBytes() uses binary units', t => {
  t.deepEqual([0, 2, 1023, 1024, 262_144, 1_610_612_736].map(formatBytes), [
    '0 B',
    '2 B',
    '1,023 B',
    '1 KiB',
    '256 KiB',
    '1.50 GiB'
  ])
})

test('formatDuration() uses at most two units', t => {
  t.deepEqual([0, 250, 999.6, 1000, 1500, 1999, 59_600, 70_000, 120_000, 7_500_000, 3_600_000].map(formatDuration),
    ['0ms', '250ms', '1s', '1s', '1.5s', '2s', '1m', '1m10s', '2m', '2h5m', '1h'])
})

test('parseDurationMs() accepts h, m, s and ms, alone and together', t => {
  const read = (...typed: string[]): number[] => typed.map(text => parseDurationMs(text, '--duration'))
  t.deepEqual(read('250ms', '1s', '2m', '1.5s', '0.001s', '0s', ' 3s '), [250, 1000, 120_000, 1500, 1, 0, 3000])
  t.deepEqual(read('1h', '90m', '0.5h', '2 s'), [3_600_000, 5_400_000, 1_800_000, 2000])
  t.deepEqual(read('1m30s', '1m 30s', '1h5m', '1h 0m 1s 5ms'), [90_000, 90_000, 3_900_000, 3_601_005])
})

test('parseDurationMs() reads whatever formatDuration() prints, as what it stands for', t => {
  // Any length, and those about a change of unit, where rounding could go over it.
  const between = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true })
  const length = fc.oneof(between(0, 2_147_483_647), between(0, 20_000),
    fc.tuple(fc.constantFrom(1_000, 10_000, 60_000, 3_600_000), between(-600, 600)).map(([at, by]) => at + by))
  fc.assert(fc.property(length, (durationMs) => {
    const printed = formatDuration(durationMs)
    const readMs = parseDurationMs(printed, '--duration')
    t.is(formatDuration(readMs), printed)
    const shownToMs = durationMs < 999.5 ? 0.5 : durationMs < 9_999.5 ? 50.5 : durationMs < 3_599_500 ? 500.5 : 60_000.5
    t.true(Math.abs(readMs - durationMs) <= shownToMs, printed)
  }))
})

test('parseDurationMs() reads as much as is written, in units that fall', t => {
  const parts = fc.tuple(fc.nat(500), fc.nat(100), fc.nat(100), fc.nat(2_000))
  fc.assert(fc.property(parts, fc.constantFrom('', ' '), ([h, m, s, ms], gap) => {
    const written = [`${h}h`, `${m}m`, `${s}s`, `${ms}ms`].join(gap)
    t.is(parseDurationMs(written, '--duration'), ((h * 60 + m) * 60 + s) * 1_000 + ms)
  }))
})

for (const [text, rule] of [
  ['5', /needs a unit .*write 5s for seconds or 5ms/],
  ['', /a number and a unit/],
  ['-1s', /a number and a unit/],
  ['1e3s', /not e/],
  ['1m30', /needs a unit .*write 30s for seconds or 30ms/],
  ['1d', /is h, m, s or ms, not d/],
  ['30s1m', /once each, the largest first/],
  ['1s1s', /once each, the largest first/],
  ['1s,2s', /a number and a unit/],
  ['x1s', /a number and a unit/],
  ['1S', /not S/],
  ['1constructor', /not constructor/],
  ['0.5ms', /whole number of milliseconds/],
  ['40000m', /at most 2147483647 ms/]
] as const) {
  test(`parseDurationMs() refuses ${JSON.stringify(text)} and names option, value and rule`, t => {
    const error = t.throws(() => parseDurationMs(text, '--duration'), { instanceOf: TunnelError })
    t.is(error?.code, ErrorCode.USAGE)
    t.true(error?.message.startsWith(`Cannot use --duration ${JSON.stringify(text)}: `))
    t.regex(error?.message ?? '', rule)
  })
}
