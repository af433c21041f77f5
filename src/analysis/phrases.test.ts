import test from 'ava'
import { emptyCounts } from '../metrics/counts.js'
import { listWords, oneLine } from '../base/text.js'
import { describeChange, describeConnections, describeErrors, formatShare } from './phrases.js'

test('describeConnections() knows one from many', t => {
  t.deepEqual([1, 8, 1024].map(describeConnections), ['1 connection', '8 connections', '1,024 connections'])
})

test('describeErrors() names kinds that happened, and requests on their way are none', t => {
  t.is(describeErrors({ ...emptyCounts(), ok: 9, timeout: 3, reset: 1_200, unfinished: 64 }), '3 timeout, 1,200 reset')
  t.is(describeErrors(emptyCounts()), '')
})

test('describeChange() puts a ratio as a change, and never rounds to all or nothing', t => {
  t.deepEqual([0.31, 1.05, 1.004, 3, 0, 0.00016].map(describeChange), [
    '69 % less',
    '5 % more',
    'the same',
    '200 % more',
    '100 % less',
    '99.98 % less'
  ])
})

test('listWords() joins by commas and a last and', t => {
  t.deepEqual([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listWords), ['', 'a', 'a and b', 'a, b and c'])
})

test('oneLine() turns line breaks and other control characters into spaces', t => {
  t.is(oneLine(' a\r\nb\u001b[31mc\u2028d\u0000'), 'a b [31mc d')
})

for (const [part, whole, text] of [
  [10, 10, '100 %'],
  [0, 10, '0 %'],
  [1, 3, '33.33 %'],
  [9_999_999_999, 10_000_000_000, '99.99 %'],
  [2 ** 52 - 1, 2 ** 52, '99.99 %'],
  [1, 10_000_000, '<0.01 %'],
  [1, 2, '50 %']
] as const) {
  test(`formatShare() writes ${part} of ${whole} as ${text}`, (t) => {
    t.is(formatShare(part, whole), text)
  })
}
