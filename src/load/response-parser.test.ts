import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { CHUNK_LINE_MAX_BYTES, ResponseParser, SECTION_MAX_BYTES } from './response-parser.js'
import { rawResponse, type RawResponse } from './testing/arbitrary-response.js'
import { requestThroughNode } from './testing/node-parser.js'
import { parseInPieces, type Parsed } from './testing/parse-in-pieces.js'
import { startRawServer } from './testing/raw-server.js'

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
  ['Connection: close', crlf('HTTP/1.1 200 OK', 'Connection: x, Close', 'Content-Length: 2', '') + 'ok', 200, false, 'ok'],
  ['white space and commas around Connection: close', crlf('HTTP/1.1 200 OK', 'Connection: x , ,\tclose\t, y', 'Content-Length: 0', ''), 200, false, ''],
  ['options that only look like close', crlf('HTTP/1.1 200 OK', 'Connection: closed, close\xa0, x close', 'Content-Length: 0', ''), 200, true, ''],
  ['HTTP/1.0', crlf('HTTP/1.0 200 OK', 'Content-Length: 2', '') + 'ok', 200, false, 'ok'],
  ['HTTP/1.0 with keep-alive', crlf('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 2', '') + 'ok', 200, true, 'ok'],
  ['a body up to the end of the connection', crlf('HTTP/1.1 200 OK', '') + 'until the end', 200, false, 'until the end'],
  ['an empty body up to the end of the connection', crlf('HTTP/1.1 200 OK', ''), 200, false, ''],
  ['204 without a body', crlf('HTTP/1.1 204 No Content', ''), 204, true, ''],
  ['304 with the length of what it does not send', crlf('HTTP/1.1 304 Not Modified', 'Content-Length: 9', ''), 304, true, ''],
  ['interim responses', crlf('HTTP/1.1 100 Continue', '', 'HTTP/1.1 103 Early Hints', 'Link: x', '', 'HTTP/1.1 500 No', 'Content-Length: 1', '') + 'x', 500, true, 'x'],
  ['chunks', crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked', '', '3', 'abc', '0A', '0123456789', '0', ''), 200, true, 'abc0123456789'],
  ['chunk extensions', crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1;a', 'x', '1;b="c;\\"d";e=f', 'y', '0;last', ''), 200, true, 'xy'],
  ['trailers', crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '1', 'x', '0', 'Trailer: yes', 'Content-Length: 77', ''), 200, true, 'x'],
  ['no chunk but the last', crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '0', ''), 200, true, '']
]

for (const [title, bytes, status, keepAlive, body] of ACCEPTED) {
  test(`ResponseParser accepts ${title}, whole and byte by byte`, (t) => {
    for (const cuts of [[], everyByte(bytes)]) {
      t.deepEqual(accepted(parseInPieces(bytesOf(bytes), cuts)), { status, keepAlive, body })
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
  ['status 600', crlf('HTTP/1.1 600 OK', 'Content-Length: 0', '')],
  ['a status line without a space after the status', crlf('HTTP/1.1 200', 'Content-Length: 0', '')],
  ['two spaces before the status', crlf('HTTP/1.1  200 OK', 'Content-Length: 0', '')],
  ['a control character in the reason', crlf('HTTP/1.1 200 O\0K', 'Content-Length: 0', '')],
  ['101', crlf('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', '')],
  ['an interim response that ends the connection', crlf('HTTP/1.1 100 Continue', 'Connection: close', '', 'HTTP/1.1 200 OK', 'Content-Length: 0', '')],
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
  ['a chunk line without an end', chunked('1;' + 'a'.repeat(CHUNK_LINE_MAX_BYTES))],
  ['a folded trailer', chunked('0\r\nX: y\r\n z\r\n\r\n')],
  ['a trailer without a colon', chunked('0\r\nX\r\n\r\n')],
  ['trailers without an end', chunked('0\r\nX: ' + 'y'.repeat(SECTION_MAX_BYTES))],
  ['a head without an end', 'HTTP/1.1 200 OK\r\nX: ' + 'y'.repeat(SECTION_MAX_BYTES)],
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

test('ResponseParser refuses bytes before any request, and everything after it has thrown', (t) => {
  const parser = new ResponseParser({ onBody () {}, onMessage () {} })
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
  })
  const bytes = bytesOf((head('Content-Length: 2') + 'ok').repeat(2))
  parser.expect()
  t.throws(() => parser.feed(bytes, bytes.length), { code: ErrorCode.HTTP_INVALID })
  t.is(messages, 0)
})

test('ResponseParser takes a response to HEAD as having no body', (t) => {
  for (const bytes of [head('Content-Length: 5'), head('Transfer-Encoding: chunked'), head('X: y')]) {
    t.deepEqual(accepted(parseInPieces(bytesOf(bytes), [], true)), { status: 200, keepAlive: true, body: '' })
  }
})

test('ResponseParser accepts a head of exactly the limit, and refuses one byte more', (t) => {
  const headOf = (bytes: number): string => {
    const rest = head('Content-Length: 0', 'X: ')
    return head('Content-Length: 0', 'X: ' + 'y'.repeat(bytes - rest.length))
  }
  for (const cuts of [[], [9_000]]) {
    t.is(parseInPieces(bytesOf(headOf(SECTION_MAX_BYTES)), cuts).message?.status, 200)
    t.truthy(parseInPieces(bytesOf(headOf(SECTION_MAX_BYTES + 1)), cuts).error)
  }
})

test('ResponseParser parses one response after another on a connection, the same and changed heads', (t) => {
  const statuses: number[] = []
  const bodies: string[] = []
  const parser = new ResponseParser({
    onBody (view, start, end) { bodies.push(view.toString('latin1', start, end)) },
    onMessage (status) { statuses.push(status) }
  })
  const responses = [200, 200, 404, 200, 200].map((status, i) => bytesOf(crlf(`HTTP/1.1 ${status} X`, 'Content-Length: 1', '') + String(i)))
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
  fc.assert(fc.property(mutated(), fc.array(fc.nat(400), { maxLength: 20 }), (bytes, cuts) => {
    const whole = parseInPieces(bytes, [])
    for (const pieces of [cuts, everyByte(bytes)]) {
      const cut = parseInPieces(bytes, pieces)
      t.is(cut.error === null, whole.error === null, `${String(whole.error)} / ${String(cut.error)}`)
      if (whole.error === null) t.deepEqual(cut, whole)
    }
  }), { numRuns: 3_000 })
})

test('ResponseParser agrees with node:http about valid responses cut anywhere', async (t) => {
  let current: RawResponse | null = null
  const server = await startRawServer((socket) => {
    socket.write(current!.bytes)
    if (current!.isUntilClose) socket.end()
  })
  t.teardown(() => server.close())
  await fc.assert(fc.asyncProperty(rawResponse(), fc.array(fc.nat(2_000), { maxLength: 12 }), async (response, cuts) => {
    const ours = parseInPieces(response.bytes, cuts)
    current = response
    const theirs = await requestThroughNode(server.port)
    t.is(ours.error, null)
    t.deepEqual({ ...ours.message, body: ours.body }, theirs)
    t.true(ours.body.equals(response.body))
  }), { numRuns: 300 })
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
  return fc.tuple(rawResponse({ hasExtensions: false }), fc.array(mutation, { maxLength: 2 })).map(([response, mutations]) => {
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
