import { once } from 'node:events'
import { createServer, METHODS } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { type RequestHead, RequestRefusal } from './request-head.js'
import { RequestParser, SECTION_MAX_BYTES } from './request-parser.js'

interface Seen {
  readonly head: RequestHead
  readonly body: string
}

/** What the reader makes of `text`, fed in pieces that end at `cuts`: whole requests, and why it stopped. */
function read (
  text: string,
  cuts: readonly number[] = []
): { seen: Seen[]; refusal: RequestRefusal | null; idle: boolean } {
  const bytes = Buffer.from(text, 'latin1')
  const seen: Seen[] = []
  let head: RequestHead | null = null
  let body = ''
  const reader = new RequestParser({
    onHead: (found) => {
      head = found
      body = ''
    },
    onBody: (view, start, end) => {
      body += Buffer.from(view).toString('latin1', start, end)
    },
    onRequest: () => {
      seen.push({ head: head!, body })
    }
  })
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  try {
    let from = 0
    for (const to of [...ends, bytes.length]) {
      const piece = bytes.subarray(from, to)
      for (let at = 0; at < piece.length;) at = reader.feed(piece, at, piece.length)
      from = to
    }
  } catch (error) {
    if (!(error instanceof RequestRefusal)) throw error
    return { seen, refusal: error, idle: false }
  }
  return { seen, refusal: null, idle: reader.isIdle }
}

const H = 'Host: a\r\n'

test('RequestParser reads heads and bodies, one request after the other', (t) => {
  const { seen, refusal, idle } = read(
    `GET /a?b HTTP/1.1\r\n${H}\r\n` +
      '\r\nPOST /echo HTTP/1.1\r\nhost:a\r\ncontent-LENGTH: \t3 \r\nContent-Type: text/x\r\nExpect: ' +
      '100-Continue\r\n\r\nabc' +
      `POST /echo HTTP/1.1\r\n${H}Transfer-Encoding: Chunked\r\n\r\n00a;x=1;y="q\\"r"\r\n0123456789\r\n1\r\n ` +
      '\r\n0\r\nTrailer: yes\r\n\r\n' +
      'GET / HTTP/1.0\r\n\r\n' +
      `GET / HTTP/1.1\r\n${H}Connection: keep-alive , Close\r\n\r\n`
  )
  t.is(refusal, null)
  t.true(idle)
  t.deepEqual(
    seen.map(({ head, body }) => [
      head.method,
      head.target,
      head.keepAlive,
      head.expectsContinue,
      head.contentType,
      body
    ]),
    [
      ['GET', '/a?b', true, false, null, ''],
      ['POST', '/echo', true, true, 'text/x', 'abc'],
      ['POST', '/echo', true, false, null, '0123456789 '],
      ['GET', '/', false, false, null, ''],
      ['GET', '/', false, false, null, '']
    ]
  )
})

const refused: Array<[what: string, text: string, status: number]> = [
  [
    'Content-Length and Transfer-Encoding',
    `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400
  ],
  [
    'the same the other way round',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`,
    400
  ],
  ['two lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`, 400],
  ['a list of lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 5, 5\r\n\r\n`, 400],
  ['a signed length', `POST / HTTP/1.1\r\n${H}Content-Length: +5\r\n\r\n`, 400],
  ['a hexadecimal length', `POST / HTTP/1.1\r\n${H}Content-Length: 0x5\r\n\r\n`, 400],
  ['an empty length', `POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\n`, 400],
  ['a length of 16 digits', `POST / HTTP/1.1\r\n${H}Content-Length: 1000000000000000\r\n\r\n`, 400],
  ['chunked and something behind it', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n`, 400],
  ['chunked twice', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['a coding that looks like chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n`, 400],
  ['a coding before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['a name with a space before the colon', `POST / HTTP/1.1\r\n${H}Content-Length : 5\r\n\r\n`, 400],
  ['a folded line', `GET / HTTP/1.1\r\n${H}A: b\r\n c\r\n\r\n`, 400],
  ['a bare line feed', `GET / HTTP/1.1\n${H}\r\n`, 400],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n', 400],
  ['a NUL', 'GET / HTTP/1.1\r\nHost: a\0\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 400],
  ['two spaces', `GET  / HTTP/1.1\r\n${H}\r\n`, 400],
  ['no version', `GET /\r\n${H}\r\n`, 400],
  ['a space in the target', `GET /a b HTTP/1.1\r\n${H}\r\n`, 400],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 505],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`, 505],
  ['another expectation', `POST / HTTP/1.1\r\n${H}Expect: payment\r\n\r\n`, 417],
  ['a head that does not end', `GET / HTTP/1.1\r\n${H}X: ${'x'.repeat(SECTION_MAX_BYTES)}`, 431],
  [
    'trailers that do not end',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(3000)}`,
    431
  ],
  ...['', ' 5', '5 ', '-5', '+5', '0x5', 'g', '1000000000000', '5;', '5;=a', '5;a="b', '5\n', '5\rx'].map(
    (line): [string, string, number] => [
      `the chunk line ${JSON.stringify(line)}`,
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${line}\r\nhello\r\n0\r\n\r\n`,
      400
    ]
  ),
  [
    'a chunk line that does not end',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(1100)}`,
    400
  ],
  ...['FOO', 'get', 'Get', 'PRI', 'CONNECT', 'GETX', 'GE', 'DESCRIBE'].map((method): [string, string, number] => [
    `the method ${method}`,
    `${method} / HTTP/1.1\r\n${H}\r\n`,
    501
  ]),
  ...['Content-Length: 0', 'content-length: 5', 'Transfer-Encoding: chunked', 'A: b\r\ntransfer-ENCODING:'].map(
    (trailer): [string, string, number] => [
      `the trailer ${JSON.stringify(trailer)}`,
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailer}\r\n\r\n`,
      400
    ]
  ),
  [
    'chunk data that is longer than its size',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
    400
  ]
]

for (const [what, text, status] of refused) {
  test(`RequestParser refuses ${what}, however it is cut`, (t) => {
    t.is(read(text).refusal?.status, status)
    t.is(read(text, Array.from({ length: text.length }, (_, i) => i)).refusal?.status, status)
  })
}

const line = fc.constantFrom(
  'Content-Length: 3',
  'Content-Length: 0',
  'content-length:3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'Connection: close',
  'Connection: keep-alive',
  'Host: b',
  'X: y',
  'X:',
  ': y',
  'X : y',
  ' folded',
  'Expect: 100-continue',
  'Content-Length: 3,3',
  'Transfer-Encoding: chunked,',
  'A\tB: c'
)
const target = fc.constantFrom('/', '/small', '/a?b=c', '*', 'http://h/x', '/\x80', '/a b', '')
const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'http/1.1', 'HTTP/11')
const ending = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n')
const tail = fc.constantFrom('0\r\nContent-Length: 0\r\n\r\n', '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '', 'abc', '3\r\nabc\r\n0\r\n\r\n', '3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n', '3\r\nabcd', '0\r\n\r\n',
  '\r\nabc', '-1\r\n\r\n', '00000003\r\nabc\r\n0\r\n\r\n')
const method = fc.constantFrom(...METHODS, 'GET', 'POST', 'HEAD', 'get', 'G ET', 'FOO', 'PRI')
const arbitraryRequest = fc
  .tuple(method, target, version, ending, fc.array(line, { maxLength: 4 }), ending, tail)
  .map(
    ([method, where, which, first, lines, last, rest]) =>
      `${method} ${where} ${which}${first}${['Host: a', ...lines].join('\r\n')}\r\n${last}${rest}`
  )

/** Mostly right, so that much of it is taken. */
const framed = fc.constantFrom(
  ['', ''],
  ['Content-Length: 3', 'abc'],
  ['content-length:  0', ''],
  ['Content-Length: 4', 'a\r\nb'],
  ['Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'],
  ['transfer-encoding:\tCHUNKED', '3;x=y;z="a;b"\r\nabc\r\n0002\r\n\r\n\r\n0\r\nT: u\r\n\r\n'],
  ['Transfer-Encoding: chunked', 'a\r\n0123456789\r\n00\r\n\r\n']
)
const harmless = fc.constantFrom(
  'X: y',
  'X:',
  'x:\t\x80\xff ',
  'Connection: close',
  'Connection: keep-alive, x',
  'Expect: 100-continue',
  'Content-Type: a/b',
  '!#$%: ~'
)
const likelyRequest = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'HEAD', 'PUT'),
    fc.constantFrom('/', '/a?b=c', '/%20~!', 'http://h/x'),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
    fc.uniqueArray(harmless, { maxLength: 3, selector: (field) => field.slice(0, 8) }),
    framed
  )
  .map(
    ([method, where, which, lines, [field, body]]) =>
      `${method} ${where} ` +
        `${which}\r\n${['Host: a', ...lines, ...(field === '' ? [] : [field])].join('\r\n')}\r\n\r\n${body}`
  )

test('RequestParser finds the same however the bytes are cut', (t) => {
  fc.assert(
    fc.property(fc.oneof(arbitraryRequest, likelyRequest), fc.array(fc.nat(400), { maxLength: 20 }), (text, cuts) => {
      const [whole, cut] = [read(text), read(text, cuts)]
      t.deepEqual(cut.seen, whole.seen)
      t.is(cut.refusal?.status, whole.refusal?.status)
    }),
    { numRuns: 500 }
  )
})

test('RequestParser takes nothing that node:http refuses, and means the same by what it takes', async (t) => {
  const server = createServer((req, res) => {
    let body = ''
    req.setEncoding('latin1').on('data', (piece: string) => { body += piece })
    req.on('end', () => { res.end(JSON.stringify([req.method, req.url, body])) })
  })
  t.teardown(() => { server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const throughNode = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.end(Buffer.from(text, 'latin1'))
    let all = ''
    for await (const piece of socket.setEncoding('latin1')) all += String(piece)
    return all
  }
  let taken = 0
  await fc.assert(fc.asyncProperty(fc.oneof(arbitraryRequest, likelyRequest), async (text) => {
    const { seen, refusal, idle } = read(text)
    const first = seen[0]
    // What follows may be wrong, and node then says nothing else.
    if (first === undefined || seen.length > 1 || refusal !== null || !idle) return
    taken++
    const answer = await throughNode(text)
    const expected = JSON.stringify([first.head.method, first.head.target, first.body])
    if (first.head.method === 'HEAD') t.regex(answer, /HTTP\/1\.1 200/, text)
    else t.true(answer.includes(expected), `${JSON.stringify(text)}: node says ${answer.slice(0, 300)}`)
  }), { numRuns: 600 })
  t.true(taken > 50, `only ${taken} were taken`)
})
