import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import {
  CHUNK_LINE_MAX_BYTES,
  ResponseParser,
  SECTION_MAX_BYTES,
  STRICT_CHUNK_LINE_MAX_BYTES,
  STRICT_SECTION_MAX_BYTES
} from './response-parser.js'
import { rawResponse, type RawResponse } from '../testing/arbitrary-response.js'
import { requestThroughNode } from '../testing/node-parser.js'
import { parseInPieces, type Parsed } from '../testing/parse-in-pieces.js'
import { startRawServer } from '../testing/raw-server.js'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const crlf = (...lines: string[]): string => lines.map((line) => `${line}\r\n`).join('')

function accepted (parsed: Parsed): { status: number, keepAlive: boolean, body: string } {
  if (parsed.message === null) throw new Error(`no message: ${String(parsed.error)}`)
  return { ...parsed.message, body: parsed.body.toString('latin1') }
}

const ACCEPTED: Array<[title: string, bytes: string, status: number, keepAlive: boolean, body: string]> = [
  ['Content-Length', crlf('HTTP/1.1 200 OK', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['an empty reason', crlf('HTTP/1.1 200 ', 'content-length:2', '') + 'ok', 200, true, 'ok'],
  ['white space around a value', crlf('HTTP/1.1 200 OK', 'CONTENT-LENGTH: \t 2 \t', '') + 'ok', 200, true, 'ok'],
  ['an empty value', crlf('HTTP/1.1 200 OK', 'X-Empty:', 'Content-Length: 0', ''), 200, true, ''],
  ['obs-text in a value', crlf('HTTP/1.1 200 OK', 'X: \xe9', 'Content-Length: 0', ''), 200, true, ''],
  [
    'Connection: close',
    crlf('HTTP/1.1 200 OK', 'Connection: x, Close', 'Content-Length: 2', '') + 'ok',
    200,
    false,
    'ok'
  ],
  [
    'white space and commas around Connection: close',
    crlf('HTTP/1.1 200 OK', 'Connection: x , ,\tclose\t, y', 'Content-Length: 0', ''),
    200,
    false,
    ''
  ],
  [
    'options that only look like close',
    crlf('HTTP/1.1 200 OK', 'Connection: closed, close\xa0, x close', 'Content-Length: 0', ''),
    200,
    true,
    ''
  ],
  ['HTTP/1.0', crlf('HTTP/1.0 200 OK', 'Content-Length: 2', '') + 'ok', 200, false, 'ok'],
  [
    'HTTP/1.0 with keep-alive',
    crlf('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 2', '') + 'ok',
    200,
    true,
    'ok'
  ],
  [
    'a body up to the end of the connection',
    crlf('HTTP/1.1 200 OK', '') + 'until the end',
    200,
    false,
    'until the end'
  ],
  ['an empty body up to the end of the connection', crlf('HTTP/1.1 200 OK', ''), 200, false, ''],
  ['204 without a body', crlf('HTTP/1.1 204 No Content', ''), 204, true, ''],
  [
    '304 with the length of what it does not send',
    crlf('HTTP/1.1 304 Not Modified', 'Content-Length: 9', ''),
    304,
    true,
    ''
  ],
  [
    'interim responses',
    crlf(
      'HTTP/1.1 100 Continue',
      '',
      'HTTP/1.1 103 Early Hints',
      'Link: x',
      '',
      'HTTP/1.1 500 No',
      'Content-Length: 1',
      ''
    ) + 'x',
    500,
    true,
    'x'
  ],
  [
    'chunks',
    crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked', '', '3', 'abc', '0A', '0123456789', '0', ''),
    200,
    true,
    'abc0123456789'
  ],
  [
    'chunk extensions',
    crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1;a', 'x', '1;b="c;\\"d";e=f', 'y', '0;last', ''),
    200,
    true,
    'xy'
  ],
  [
    'trailers',
    crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1', 'x', '0', 'Trailer: yes', 'Content-Length: 77', ''),
    200,
    true,
    'x'
  ],
  ['a status above 599', crlf('HTTP/1.1 999 No', 'Content-Length: 2', '') + 'ok', 999, true, 'ok'],
  ['no chunk but the last', crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '0', ''), 200, true, '']
]

for (const [title, bytes, status, keepAlive, body] of ACCEPTED) {
  test(`ResponseParser accepts ${title}, strict or not, whole and byte by byte`, (t) => {
    for (const isStrict of [true, false]) {
      for (const cuts of [[], everyByte(bytes)]) {
        t.deepEqual(accepted(parseInPieces(bytesOf(bytes), cuts, { isStrict })), { status, keepAlive, body })
      }
    }
  })
}

const head = (...fields: string[]): string => crlf('HTTP/1.1 200 OK', ...fields, '')
const chunked = (rest: string): string => head('Transfer-Encoding: chunked') + rest

const REFUSED: Array<[title: string, bytes: string]> = [
  ['garbage', 'garbage'],
  ['an empty line first', '\r\n' + head('Content-Length: 0')],
  ['another protocol version', crlf('HTTP/2.0 200 OK', 'Content-Length: 0', '')],
  ['HTTP/1.2', crlf('HTTP/1.2 200 OK', 'Content-Length: 0', '')],
  ['a lower-case protocol name', crlf('http/1.1 200 OK', 'Content-Length: 0', '')],
  ['a status of two digits', crlf('HTTP/1.1 20 OK', 'Content-Length: 0', '')],
  ['a status of four digits', crlf('HTTP/1.1 2000 OK', 'Content-Length: 0', '')],
  ['a status with a letter', crlf('HTTP/1.1 2x0 OK', 'Content-Length: 0', '')],
  ['status 099', crlf('HTTP/1.1 099 OK', 'Content-Length: 0', '')],
  ['a status line without a space after the status', crlf('HTTP/1.1 200', 'Content-Length: 0', '')],
  ['two spaces before the status', crlf('HTTP/1.1  200 OK', 'Content-Length: 0', '')],
  ['a control character in the reason', crlf('HTTP/1.1 200 O\0K', 'Content-Length: 0', '')],
  ['101', crlf('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', '')],
  [
    'an interim response that ends the connection',
    crlf('HTTP/1.1 100 Continue', 'Connection: close', '', 'HTTP/1.1 200 OK', 'Content-Length: 0', '')
  ],
  ['an interim response in HTTP/1.0', crlf('HTTP/1.0 100 Continue', '', 'HTTP/1.1 200 OK', 'Content-Length: 0', '')],
  ['a field without a colon', head('Content-Length')],
  ['a field without a name', head(': x', 'Content-Length: 0')],
  ['white space before the colon', head('Content-Length : 0')],
  ['a space in a name', head('Content Length: 0')],
  ['a control character in a name', head('X\x01: y', 'Content-Length: 0')],
  ['a control character in a value', head('X: y\x7fz', 'Content-Length: 0')],
  ['a NUL in a value', head('X: y\0z', 'Content-Length: 0')],
  ['a bare CR in a value', head('X: y\rz', 'Content-Length: 0')],
  ['a folded line', head('X: y', ' z', 'Content-Length: 0')],
  ['a bare LF after the status line', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
  ['bare LFs at the end of the head', 'HTTP/1.1 200 OK\r\nContent-Length: 0\n\n'],
  ['two different lengths', head('Content-Length: 1', 'Content-Length: 2') + 'xx'],
  ['the same length twice', head('Content-Length: 2', 'Content-Length: 2') + 'ok'],
  ['a list of lengths', head('Content-Length: 2, 2') + 'ok'],
  ['an empty length', head('Content-Length:') + 'ok'],
  ['a length with a sign', head('Content-Length: +2') + 'ok'],
  ['a negative length', head('Content-Length: -2') + 'ok'],
  ['a hexadecimal length', head('Content-Length: 0x2') + 'ok'],
  ['a length beyond 2^53', head('Content-Length: 9007199254740993')],
  ['a length with Transfer-Encoding', head('Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding with a length', head('Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n'],
  ['an unknown transfer coding', head('Transfer-Encoding: gzip, chunked') + '0\r\n\r\n'],
  ['chunked twice', head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['Transfer-Encoding in HTTP/1.0', crlf('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked', '', '0', '')],
  ['a chunk without a size', chunked('\r\nxx\r\n')],
  ['a chunk size with a sign', chunked('-1\r\n')],
  ['a chunk size with a prefix', chunked('0x1\r\nx\r\n0\r\n\r\n')],
  ['a space before a chunk size', chunked(' 1\r\nx\r\n0\r\n\r\n')],
  ['a space after a chunk size', chunked('1 \r\nx\r\n0\r\n\r\n')],
  ['a chunk size that overflows', chunked('10000000000000001\r\nx\r\n0\r\n\r\n')],
  ['a chunk line that ends in LF', chunked('1\nx\r\n0\r\n\r\n')],
  ['a space before a chunk extension', chunked('1 ;a\r\nx\r\n0\r\n\r\n')],
  ['a chunk extension without a name', chunked('1;\r\nx\r\n0\r\n\r\n')],
  ['a chunk extension without a value', chunked('1;a=\r\nx\r\n0\r\n\r\n')],
  ['a quoted chunk extension without an end', chunked('1;a="b\r\nx\r\n0\r\n\r\n')],
  ['a quoted chunk extension that escapes the line end', chunked('1;a="b\\\r\nx\r\n0\r\n\r\n')],
  ['a control character in a chunk extension', chunked('1;a\0b\r\nx\r\n0\r\n\r\n')],
  ['chunk data longer than its size', chunked('1\r\nxy\r\n0\r\n\r\n')],
  ['chunk data that ends in LF', chunked('1\r\nx\n0\r\n\r\n')],
  ['a chunk line without an end', chunked('1;' + 'a'.repeat(STRICT_CHUNK_LINE_MAX_BYTES))],
  ['a folded trailer', chunked('0\r\nX: y\r\n z\r\n\r\n')],
  ['a trailer without a colon', chunked('0\r\nX\r\n\r\n')],
  ['trailers without an end', chunked('0\r\nX: ' + 'y'.repeat(STRICT_SECTION_MAX_BYTES))],
  ['a head without an end', 'HTTP/1.1 200 OK\r\nX: ' + 'y'.repeat(STRICT_SECTION_MAX_BYTES)],
  ['bytes behind the body', head('Content-Length: 2') + 'okk'],
  ['a second response', (head('Content-Length: 2') + 'ok').repeat(2)],
  ['bytes behind the last chunk', chunked('0\r\n\r\nx')],
  ['a body with 204', crlf('HTTP/1.1 204 No Content', 'Content-Length: 1', '') + 'x']
]

for (const [title, bytes] of REFUSED) {
  test(`ResponseParser refuses ${title}, whole and byte by byte`, (t) => {
    for (const cuts of [[], everyByte(bytes)]) {
      const { error } = parseInPieces(bytesOf(bytes), cuts)
      t.true(error instanceof TunnelError)
      t.is((error as TunnelError).code, ErrorCode.HTTP_INVALID)
    }
  })
}

/** What curl and Chromium accept, and how they read it: see docs/BENCHMARKING.md. */
const LENIENT: Array<[title: string, bytes: string, status: number, keepAlive: boolean, body: string]> = [
  ['no reason and no space', crlf('HTTP/1.1 200', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['several spaces before the status', crlf('HTTP/1.1   200 OK', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['a lower-case protocol name', crlf('http/1.1 200 OK', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['a later minor version', crlf('HTTP/1.2 200 OK', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['a control character in the reason', crlf('HTTP/1.1 200 O\x01K', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['empty lines first', '\r\n\r\n' + head('Content-Length: 2') + 'ok', 200, true, 'ok'],
  ['bare LFs', 'HTTP/1.1 200 OK\nConnection: close\nContent-Length: 2\n\nok', 200, false, 'ok'],
  ['a bare LF here and there', 'HTTP/1.1 200 OK\r\nConnection: close\nContent-Length: 2\r\n\nok', 200, false, 'ok'],
  ['a status line alone with LF', 'HTTP/1.1 200\n\nok', 200, false, 'ok'],
  ['the same length twice', head('Content-Length: 2', 'content-length: 2') + 'ok', 200, true, 'ok'],
  ['a list of the same length', head('Content-Length: 2,2 , 2') + 'ok', 200, true, 'ok'],
  ['white space before a colon', head('Content-Length \t: 2') + 'ok', 200, true, 'ok'],
  ['a folded line', head('X: y', '\tz', ' z', 'Content-Length: 2') + 'ok', 200, true, 'ok'],
  [
    'a folded length',
    head('Content-Length:', ' 2 ', ' ', 'Connection: keep-alive,', '\tclose') + 'ok',
    200,
    false,
    'ok'
  ],
  ['a folded line with LF', 'HTTP/1.1 200 OK\nContent-Length:\n 2\nX: y\n z\n\nok', 200, true, 'ok'],
  [
    'lines whose name is none',
    head('X Y: 3', ': 3', 'X\x01: 3', 'X\xe9: 3', '@: 3', 'Content-Length: 2') + 'ok',
    200,
    true,
    'ok'
  ],
  ['a control character in a value', head('X: a\x01b\x7f', 'Content-Length: 2') + 'ok', 200, true, 'ok'],
  [
    'chunks with a length',
    head('Content-Length: 1', 'Transfer-Encoding: chunked') + '2\r\nok\r\n0\r\n\r\n',
    200,
    true,
    'ok'
  ],
  [
    'chunked twice',
    head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '2\r\nok\r\n0\r\n\r\n',
    200,
    true,
    'ok'
  ],
  ['a coding before chunks', head('Transfer-Encoding: gzip, chunked') + '2\r\nok\r\n0\r\n\r\n', 200, true, 'ok'],
  [
    'another coding, and a length of no meaning',
    head('Transfer-Encoding: gzip', 'Content-Length: 1') + 'ok',
    200,
    false,
    'ok'
  ],
  ['identity with a length', head('Transfer-Encoding: identity', 'Content-Length: 2') + 'ok', 200, true, 'ok'],
  [
    'chunks in HTTP/1.0, once',
    crlf('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Transfer-Encoding: chunked', '', '2', 'ok', '0', ''),
    200,
    false,
    'ok'
  ],
  ['spaces behind a chunk size', chunked('2  \t\r\nok\r\n0 \r\n\r\n'), 200, true, 'ok'],
  ['a space before a chunk extension', chunked('2 ;a\r\nok\r\n0\r\n\r\n'), 200, true, 'ok'],
  ['anything as a chunk extension', chunked('2;;="\x01 \r\nok\r\n0;\r\n\r\n'), 200, true, 'ok'],
  ['many zeros in a chunk size', chunked('0000000000000002\r\nok\r\n00000000000000000\r\n\r\n'), 200, true, 'ok'],
  ['chunks with bare LFs', chunked('1\no\n1 \nk\n0\nX: y\n\n'), 200, true, 'ok'],
  [
    'an interim response that ends the connection',
    crlf('HTTP/1.1 100 Continue', 'Connection: close', '', 'HTTP/1.0 103 Hints', '') + head('Content-Length: 2') + 'ok',
    200,
    true,
    'ok'
  ],
  ['bytes behind the body, which end the connection', head('Content-Length: 2') + 'okk', 200, false, 'ok'],
  ['bytes behind the last chunk', chunked('2\r\nok\r\n0\r\n\r\nx'), 200, false, 'ok'],
  ['a body with 204', crlf('HTTP/1.1 204 No Content', 'Content-Length: 1', '') + 'x', 204, false, '']
]

for (const [title, bytes, status, keepAlive, body] of LENIENT) {
  test(`ResponseParser accepts ${title}, whole and byte by byte, and not if strict`, (t) => {
    t.deepEqual(accepted(parseInPieces(bytesOf(bytes), [], { isStrict: false })), { status, keepAlive, body })
    const cut = parseInPieces(bytesOf(bytes), everyByte(bytes), { isStrict: false })
    // Bytes behind the response come alone then. Whoever feeds them to a parser that expects nothing is at fault.
    if (cut.error !== null) t.regex((cut.error as Error).message, /no request asked for/)
    t.deepEqual([cut.message?.status, cut.body.toString('latin1')], [status, body])
    t.truthy(parseInPieces(bytesOf(bytes), []).error)
  })
}

const REFUSED_ALWAYS: Array<[title: string, bytes: string, rule: RegExp]> = [
  ['HTTP/0.9', 'ok', /must begin with HTTP\/1\./],
  ['another protocol version', crlf('HTTP/2.0 200 OK', 'Content-Length: 0', ''), /must begin with HTTP\/1\./],
  ['a control character for a letter of the protocol', crlf('HTTP\x0f1.1 200 OK', ''), /must begin with HTTP\/1\./],
  ['a status line without a status', crlf('HTTP/1.1', 'Content-Length: 0', ''), /followed by a space/],
  ['a tab before the status', crlf('HTTP/1.1\t200 OK', 'Content-Length: 0', ''), /followed by a space/],
  ['a status of two digits', crlf('HTTP/1.1 20 OK', 'Content-Length: 0', ''), /three digits/],
  ['a status of four digits', crlf('HTTP/1.1 2000 OK', 'Content-Length: 0', ''), /three digits/],
  ['status 099', crlf('HTTP/1.1 099 OK', 'Content-Length: 0', ''), /from 100 to 999/],
  ['too many empty lines', '\r\n\r\n\r\n' + head('Content-Length: 0'), /must begin with HTTP/],
  ['101', crlf('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', ''), /nobody asked for/],
  ['different lengths', head('Content-Length: 1', 'Content-Length: 2') + 'xx', /another value: 1 and 2/],
  ['a list of different lengths', head('Content-Length: 2, 1') + 'xx', /another value: 2 and 1/],
  ['an empty length', head('Content-Length:') + 'ok', /1 to 15 digits/],
  ['a length with a sign', head('Content-Length: +2') + 'ok', /must be digits/],
  ['a length beyond 2^53', head('Content-Length: 9007199254740993'), /1 to 15 digits/],
  ['NUL in a value', head('X: a\0b', 'Content-Length: 0'), /NUL/],
  ['NUL in a reason', crlf('HTTP/1.1 200 a\0b', 'Content-Length: 0', ''), /NUL/],
  ['a bare CR in a value', head('X: y\rz', 'Content-Length: 0'), /CR only at its end/],
  ['a bare CR before a name', head('\rX: y', 'Content-Length: 0'), /must have a colon/],
  ['a field without a colon', head('Content-Length'), /must have a colon/],
  ['a folded line without a field', crlf('HTTP/1.1 200 OK', ' X: y', 'Content-Length: 0', ''), /must continue a field/],
  ['a trailer without a colon', chunked('0\r\nX\r\n\r\n'), /must have a colon/],
  ['a chunk size with a prefix', chunked('0x1\r\nx\r\n0\r\n\r\n'), /chunk size must be followed/],
  ['a space before a chunk size', chunked(' 1\r\nx\r\n0\r\n\r\n'), /hexadecimal digits/],
  ['words behind a chunk size', chunked('1 x\r\nx\r\n0\r\n\r\n'), /chunk size must be followed/],
  ['a chunk size that overflows', chunked('10000000000000001\r\nx\r\n0\r\n\r\n'), /at most 12 digits/],
  ['chunk data longer than its size', chunked('1\r\nxy\r\n0\r\n\r\n'), /chunk data must be followed/],
  ['a chunk line without an end', chunked('1;' + 'a'.repeat(CHUNK_LINE_MAX_BYTES)), /at most 16384 bytes/]
]

for (const [title, bytes, rule] of REFUSED_ALWAYS) {
  test(`ResponseParser refuses ${title}, strict or not, and says what the server did`, (t) => {
    for (const cuts of [[], everyByte(bytes)]) {
      const { error } = parseInPieces(bytesOf(bytes), cuts, { isStrict: false })
      t.true(error instanceof TunnelError, String(error))
      t.regex((error as TunnelError).message, /^Cannot read the server's response as HTTP: /)
      t.regex((error as TunnelError).message, rule)
      t.truthy(parseInPieces(bytesOf(bytes), cuts).error)
    }
  })
}

test('ResponseParser tells what came behind a response, and takes none of it for the next one', (t) => {
  const unread: number[] = []
  const parser = new ResponseParser(
    {
      onBody () {},
      onMessage: (_status, _keepAlive, bytes) => {
        unread.push(bytes)
      }
    },
    false
  )
  const bytes = bytesOf(head('Content-Length: 2') + 'ok')
  parser.expect()
  parser.feed(Buffer.concat([bytes, bytes]), 2 * bytes.length)
  t.deepEqual(unread, [bytes.length])
})

test('ResponseParser, strict, does not take a head that one which is not strict has accepted', (t) => {
  const bytes = bytesOf('HTTP/1.1 200\nContent-Length: 0\n\n')
  for (const isStrict of [false, true, false, true]) {
    t.is(parseInPieces(bytes, [], { isStrict }).error === null, !isStrict)
  }
})

test('ResponseParser refuses bytes before any request, and everything after it has thrown', (t) => {
  const parser = new ResponseParser({ onBody () {}, onMessage () {} }, true)
  const bytes = bytesOf(head('Content-Length: 0'))
  t.throws(() => parser.feed(bytes, bytes.length), { code: ErrorCode.HTTP_INVALID })
  t.throws(() => parser.expect(), { code: ErrorCode.HTTP_INVALID })
  t.throws(() => parser.feed(bytes, bytes.length), { code: ErrorCode.HTTP_INVALID })
})

test('ResponseParser refuses a response that came with the one before, even if its request is sent at once', (t) => {
  let messages = 0
  const parser: ResponseParser = new ResponseParser({
    onBody () {},
    onMessage () {
      messages++
      parser.expect()
    }
  }, true)
  const bytes = bytesOf((head('Content-Length: 2') + 'ok').repeat(2))
  parser.expect()
  t.throws(() => parser.feed(bytes, bytes.length), { code: ErrorCode.HTTP_INVALID })
  t.is(messages, 0)
})

test('ResponseParser takes a response to HEAD as having no body', (t) => {
  for (const bytes of [head('Content-Length: 5'), head('Transfer-Encoding: chunked'), head('X: y')]) {
    t.deepEqual(accepted(parseInPieces(bytesOf(bytes), [], { isHeadRequest: true })), {
      status: 200,
      keepAlive: true,
      body: ''
    })
  }
})

test('ResponseParser accepts a head of exactly the limit, and refuses one byte more', (t) => {
  const headOf = (bytes: number): string => {
    const rest = head('Content-Length: 0', 'X: ')
    return head('Content-Length: 0', 'X: ' + 'y'.repeat(bytes - rest.length))
  }
  for (const [isStrict, limit] of [[true, STRICT_SECTION_MAX_BYTES], [false, SECTION_MAX_BYTES]] as const) {
    for (const cuts of [[], [9_000], [9_000, 16_000, 17_000, 40_000]]) {
      t.is(parseInPieces(bytesOf(headOf(limit)), cuts, { isStrict }).message?.status, 200)
      t.regex(
        String(parseInPieces(bytesOf(headOf(limit + 1)), cuts, { isStrict }).error),
        new RegExp(`at most ${limit} bytes`)
      )
    }
  }
})

test('ResponseParser parses one response after another on a connection, the same and changed heads', (t) => {
  const statuses: number[] = []
  const bodies: string[] = []
  const parser = new ResponseParser({
    onBody (view, start, end) { bodies.push(view.toString('latin1', start, end)) },
    onMessage (status) { statuses.push(status) }
  }, true)
  const responses = [200, 200, 404, 200, 200].map((status, i) =>
    bytesOf(crlf(`HTTP/1.1 ${status} X`, 'Content-Length: 1', '') + String(i))
  )
  for (const response of responses) {
    parser.expect()
    parser.feed(response, response.length)
    t.true(parser.isIdle)
  }
  t.deepEqual(statuses, [200, 200, 404, 200, 200])
  t.deepEqual(bodies, ['0', '1', '2', '3', '4'])
})

test('ResponseParser gives every body byte once, with its offset, and retains nothing of the view', (t) => {
  const body = Buffer.from(Array.from({ length: 5_000 }, (_, i) => i & 0xff))
  const response = Buffer.concat([bytesOf(head('Content-Length: 5000')), body])
  fc.assert(fc.property(fc.array(fc.nat(response.length), { maxLength: 30 }), (cuts) => {
    const parsed = parseInPieces(response, cuts)
    return parsed.message !== null && parsed.body.equals(body)
  }), { numRuns: 200 })
  t.pass()
})

test('ResponseParser finds the same wherever the bytes are cut, right or wrong', (t) => {
  fc.assert(fc.property(mutated(), fc.array(fc.nat(400), { maxLength: 20 }), fc.boolean(), (bytes, cuts, isStrict) => {
    const whole = parseInPieces(bytes, [], { isStrict })
    for (const pieces of [cuts, everyByte(bytes)]) {
      const cut = parseInPieces(bytes, pieces, { isStrict })
      // Bytes behind a response are the caller's where they come alone.
      if (!isStrict && /no request asked for/.test(String(cut.error))) {
        t.deepEqual([cut.message?.status, cut.body], [whole.message?.status, whole.body])
        continue
      }
      t.is(cut.error === null, whole.error === null, `${String(whole.error)} / ${String(cut.error)}`)
      if (whole.error === null) t.deepEqual(cut, whole)
    }
  }), { numRuns: 3_000 })
})

test('ResponseParser reads what it accepts strictly in the same way without', (t) => {
  fc.assert(fc.property(mutated(), fc.array(fc.nat(400), { maxLength: 20 }), (bytes, cuts) => {
    const strict = parseInPieces(bytes, [])
    if (strict.error === null && strict.message !== null) {
      t.deepEqual(parseInPieces(bytes, cuts, { isStrict: false }), strict)
    }
  }), { numRuns: 1_500 })
  t.pass()
})

test('ResponseParser agrees with node:http about valid responses cut anywhere', async (t) => {
  let current: RawResponse | null = null
  const server = await startRawServer((socket) => {
    socket.write(current!.bytes)
    if (current!.isUntilClose) socket.end()
  })
  t.teardown(() => server.close())
  await fc.assert(
    fc.asyncProperty(rawResponse(), fc.array(fc.nat(2_000), { maxLength: 12 }), async (response, cuts) => {
      const ours = parseInPieces(response.bytes, cuts)
      current = response
      const theirs = await requestThroughNode(server.port)
      t.is(ours.error, null)
      t.deepEqual({ ...ours.message, body: ours.body }, theirs)
      t.true(ours.body.equals(response.body))
    }),
    { numRuns: 300 }
  )
})

test('ResponseParser accepts nothing that node:http refuses or reads otherwise', async (t) => {
  let current: Buffer = Buffer.alloc(0)
  const server = await startRawServer((socket) => socket.end(current))
  t.teardown(() => server.close())
  let accepted = 0
  // A fixed seed: a difference to another Node's parser is something to look into, not a reason to fail now and then.
  await fc.assert(fc.asyncProperty(mutated(), async (bytes) => {
    const ours = parseInPieces(bytes, [])
    if (ours.error !== null || ours.message === null || FRAMING_WITH_TAB.test(bytes.toString('latin1'))) return
    accepted++
    current = bytes
    t.deepEqual({ ...ours.message, body: ours.body }, await requestThroughNode(server.port))
  }), { numRuns: 1_500, seed: 9112 })
  t.true(accepted > 0)
})

/** node:http takes no tab behind a length or a connection option for white space; RFC 9110 does. */
const FRAMING_WITH_TAB = /(content-length|transfer-encoding|connection):[^\r]*\t/i

/** A valid response with a few bytes changed, removed, added or repeated. */
function mutated (): fc.Arbitrary<Buffer> {
  const byte = fc.oneof(fc.constantFrom(...bytesOf('\r\n\0 \t:;,019afxXHTP/.-+')), fc.nat(255))
  const mutation = fc.record({ at: fc.nat(300), removed: fc.nat(2), added: fc.array(byte, { maxLength: 2 }) })
  return fc
    .tuple(rawResponse({ hasExtensions: false }), fc.array(mutation, { maxLength: 2 }))
    .map(([response, mutations]) => {
      let bytes = response.bytes
      for (const { at, removed, added } of mutations) {
        const from = at % (bytes.length + 1)
        bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(added), bytes.subarray(from + removed)])
      }
      return bytes
    })
}

function everyByte (bytes: { readonly length: number }): number[] {
  return Array.from({ length: bytes.length }, (_, i) => i)
}
