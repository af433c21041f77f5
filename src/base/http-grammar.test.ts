import test from 'ava'
import { hasOption, parseChunkLine, parseContentLength, readFields } from './http-grammar.js'

class Refused extends Error {}
const refuse = (rule: string): Error => new Refused(rule)

/** Names and values of a section that ends with an empty line. */
function fieldsOf (text: string): string[] {
  const bytes = Buffer.from(text, 'latin1')
  const fields: string[] = []
  readFields(
    bytes,
    0,
    bytes.length,
    {
      onField: (_, nameStart, nameEnd, start, end) => {
        fields.push(`${bytes.toString('latin1', nameStart, nameEnd)}=${bytes.toString('latin1', start, end)}`)
      }
    },
    refuse
  )
  return fields
}

test('readFields() gives names as sent and values without the white space around them', t => {
  t.deepEqual(fieldsOf('A:1\r\nb-B: \t x y\t \r\nC:\r\nD: \xe9\r\n\r\n'), ['A=1', 'b-B=x y', 'C=', 'D=\xe9'])
  t.deepEqual(fieldsOf('\r\n'), [])
})

for (const [what, text, rule] of [
  ['a folded line', 'A: 1\r\n 2\r\n\r\n', /must begin with a name/],
  ['no name', ': 1\r\n\r\n', /must begin with a name/],
  ['a space before the colon', 'A : 1\r\n\r\n', /directly followed by a colon/],
  ['no colon', 'A\r\n\r\n', /directly followed by a colon/],
  ['NUL in a value', 'A: 1\x002\r\n\r\n', /no control character/],
  ['DEL in a value', 'A: 1\x7f2\r\n\r\n', /no control character/],
  ['a bare CR in a value', 'A: 1\r2\r\n\r\n', /no control character/],
  ['a bare LF', 'A: 1\nB: 2\r\n\r\n', /no control character/]
] as const) {
  test(`readFields() refuses ${what}, with or without anybody to tell`, t => {
    t.throws(() => fieldsOf(text), { instanceOf: Refused, message: rule })
    const bytes = Buffer.from(text, 'latin1')
    t.throws(() => { readFields(bytes, 0, bytes.length, null, refuse) }, { instanceOf: Refused, message: rule })
  })
}

const chunkLine = (text: string): number => parseChunkLine(Buffer.from(text, 'latin1'), 0, text.length, refuse)

test('parseChunkLine() takes digits of both cases, and passes extensions over', t => {
  t.is(chunkLine('0aF\r\n'), 0xaf)
  t.is(chunkLine('ffffffffffff\r\n'), 2 ** 48 - 1)
  t.is(chunkLine('1;a;b=c;d="e;\\"\xe9"\r\n'), 1)
})

for (const text of [
  '\r\n',
  'g\r\n',
  '-1\r\n',
  '0x1\r\n',
  '1 \r\n',
  '1 ;a\r\n',
  '1;\r\n',
  '1;a=\r\n',
  '1;a="\r\n',
  '1;a="b\\\r\n',
  '1;a=b c\r\n',
  '0000000000001\r\n',
  '1x\n',
  '1\n'
]) {
  test(`parseChunkLine() refuses ${JSON.stringify(text)}`, (t) => {
    t.throws(() => chunkLine(text), { instanceOf: Refused })
  })
}

const contentLength = (text: string, before = -1): number =>
  parseContentLength(Buffer.from(text), 0, text.length, before, refuse)

test('parseContentLength() takes digits, and one field only', t => {
  t.deepEqual(['0', '007', '999999999999999'].map(text => contentLength(text)), [0, 7, 999_999_999_999_999])
  for (const text of ['', '+1', '-1', '1.0', '1,1', ' 1', '1 ', '0x1', '1000000000000000']) {
    t.throws(() => contentLength(text), { instanceOf: Refused }, text)
  }
  for (const before of [0, 5]) {
    t.throws(() => contentLength('5', before), { instanceOf: Refused, message: /must not be repeated/ })
  }
})

test('hasOption() finds whole options of a list, in any case, at any place', t => {
  const has = (text: string): boolean => hasOption(Buffer.from(text), 0, text.length, 'close')
  for (const text of ['close', 'Close', 'upgrade, CLOSE', 'close,upgrade', ' ,\tclose\t, x', ',close']) {
    t.true(has(text), text)
  }
  for (const text of ['', ',', 'closed', 'keep-alive', 'x close', 'clos e', 'not-close']) t.false(has(text), text)
})
