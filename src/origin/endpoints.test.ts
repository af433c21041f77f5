import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { contentBytes } from '../base/content.js'
import { RawClient, requestHead } from './testing/raw-client.js'
import { openServer, servers, testServers } from './testing/servers.js'

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

async function ask (
  port: number,
  method: string,
  path: string,
  body?: Uint8Array,
  headers: Record<string, string> = {}
): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      buffer(response).then(
        (whole) => resolve({ status: response.statusCode!, headers: response.headers, body: whole }),
        reject
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

function sha256 (bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function isContent (t: ExecutionContext, reply: Reply, bytes: number): void {
  t.is(reply.status, 200)
  t.is(reply.headers['content-length'], String(bytes))
  t.is(reply.headers['content-type'], 'application/octet-stream')
  t.is(reply.body.length, bytes)
  t.is(sha256(reply.body), sha256(contentBytes(bytes)))
}

testServers('GET /small and /health are the 2 bytes ok', async (t, server) => {
  const { port } = await openServer(t, server)
  for (const path of ['/small', '/health', '/small?nonce=1']) {
    const reply = await ask(port, 'GET', path)
    t.is(reply.status, 200)
    t.is(reply.headers['content-length'], '2')
    t.is(reply.body.toString(), 'ok')
  }
})

testServers('a kept-alive response has no more headers than it needs', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('GET', '/small') + requestHead('GET', '/bytes/1000000'))
  for (const { headers } of await client.responses(2)) {
    t.deepEqual(Object.keys(headers).sort(), [
      'content-length',
      'content-type',
      'date',
      ...(server === 'uws' ? ['uwebsockets'] : [])
    ])
  }
})

testServers('GET /large is the first 262,144 bytes of the content sequence', async (t, server) => {
  const { port } = await openServer(t, server)
  isContent(t, await ask(port, 'GET', '/large'), 262_144)
})

testServers('GET /bytes/N is the first N bytes of the content sequence', async (t, server) => {
  const { port } = await openServer(t, server)
  for (const bytes of [0, 1, 65_521, 65_522, 262_144, 262_145, 10_485_760]) {
    isContent(t, await ask(port, 'GET', `/bytes/${bytes}`), bytes)
  }
})

testServers('fetch() reads /bytes/10485760', async (t, server) => {
  const { url } = await openServer(t, server)
  const response = await fetch(`${url}/bytes/10485760`)
  t.is(sha256(new Uint8Array(await response.arrayBuffer())), sha256(contentBytes(10_485_760)))
})

testServers('GET /bytes/N refuses more than 1 GiB', async (t, server) => {
  const { port } = await openServer(t, server)
  const reply = await ask(port, 'GET', '/bytes/1073741825')
  t.is(reply.status, 400)
  t.regex(reply.body.toString(), /from 0 to 1073741824/)
})

testServers('GET /bytes/1073741824 begins at once and is announced in whole', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('GET', '/bytes/1073741824'))
  const start = await client.received(received => received.length > 1_000_000)
  t.regex(start.toString('latin1', 0, 300), /^HTTP\/1.1 200 OK\r\n[^]*content-length: 1073741824\r\n/i)
  const body = start.subarray(start.indexOf('\r\n\r\n') + 4)
  t.is(sha256(body), sha256(contentBytes(body.length)))
})

testServers('POST /echo returns the body with its content type', async (t, server) => {
  const { port } = await openServer(t, server)
  for (const bytes of [0, 1, 65_535, 65_536, 65_537, 1_000_000]) {
    const body = contentBytes(bytes)
    const reply = await ask(port, 'POST', '/echo', body, { 'content-type': 'text/x-test; q="1"' })
    t.is(reply.status, 200)
    t.is(reply.headers['content-type'], 'text/x-test; q="1"')
    t.is(reply.headers['content-length'], String(bytes))
    t.is(sha256(reply.body), sha256(body))
  }
  t.is((await ask(port, 'POST', '/echo', contentBytes(5))).headers['content-type'], 'application/octet-stream')
})

testServers('POST /echo returns 64 MiB', async (t, server) => {
  const { url } = await openServer(t, server)
  const body = contentBytes(67_108_864)
  const response = await fetch(`${url}/echo`, { method: 'POST', body })
  t.is(sha256(new Uint8Array(await response.arrayBuffer())), sha256(body))
})

testServers('POST /echo returns a chunked body, with the request behind it still answered', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo', 'Transfer-Encoding: chunked', 'Content-Type: text/x-test'))
  for (const piece of [
    '5\r\nhello\r\n',
    '1\r\n \r\n',
    'A\r\n0123',
    '456789\r',
    '\n0\r\n',
    '\r\n',
    requestHead('GET', '/small')
  ]) { client.write(piece) }
  const [echoed, small] = await client.responses(2)
  t.is(echoed?.body.toString(), 'hello 0123456789')
  t.is(echoed?.headers['content-type'], 'text/x-test')
  t.is(echoed?.headers['content-length'], '16')
  t.is(small?.body.toString(), 'ok')
})

testServers('POST /echo without Content-Length and Transfer-Encoding has no body', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo'))
  const [reply] = await client.responses(1)
  t.is(reply?.status, 200)
  t.is(reply?.headers['content-length'], '0')
})

testServers('POST /echo answers Expect: 100-continue before the body is sent', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo', 'Content-Length: 5', 'Expect: 100-continue'))
  const [interim] = await client.responses(1)
  t.is(interim?.status, 100)
  client.write('hello')
  const [, reply] = await client.responses(2)
  t.is(reply?.status, 200)
  t.is(reply?.body.toString(), 'hello')
})

testServers('POST /echo refuses a body that is announced with more than 256 MiB, and closes', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo', 'Content-Length: 268435457'))
  const [reply] = await client.responses(1)
  t.is(reply?.status, 413)
  t.is(reply?.headers['connection'], 'close')
  t.regex(String(reply?.body), /more than 268435456 bytes/)
  await client.closed()
})

testServers('POST /echo refuses a chunked body once it is longer than 256 MiB, and closes', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('POST', '/echo', 'Transfer-Encoding: chunked'))
  const piece = Buffer.concat([Buffer.from('1000000\r\n'), Buffer.alloc(16_777_216), Buffer.from('\r\n')])
  for (let i = 0; i < 16; i++) await new Promise(resolve => client.socket.write(piece, resolve))
  client.write('1\r\nx\r\n')
  const [reply] = await client.responses(1)
  t.is(reply?.status, 413)
  await client.closed()
})

testServers('HEAD has the head of GET and no body', async (t, server) => {
  const { port } = await openServer(t, server)
  for (const [path, bytes] of [
    ['/small', 2],
    ['/health', 2],
    ['/large', 262_144],
    ['/bytes/0', 0],
    ['/bytes/1073741824', 1_073_741_824]
  ] as const) {
    const client = await RawClient.connect(t, port)
    client.write(requestHead('HEAD', path) + requestHead('GET', '/small'))
    const [head, small] = await client.responses(2, ['HEAD', 'GET'])
    t.is(head?.status, 200, path)
    t.is(head?.headers['content-length'], String(bytes))
    t.is(small?.body.toString(), 'ok')
  }
})

testServers('HEAD of an error has no body either', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(
    ['/nothing', '/bytes/x', '/echo'].map((path) => requestHead('HEAD', path)).join('') + requestHead('GET', '/small')
  )
  const replies = await client.responses(4, ['HEAD', 'HEAD', 'HEAD', 'GET'])
  t.deepEqual(replies.map(({ status }) => status), [404, 400, 405, 200])
  t.true(Number(replies[0]?.headers['content-length']) > 0)
  t.is(replies[3]?.body.toString(), 'ok')
})

testServers('pipelined requests are answered in order', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  const paths = ['/small', '/bytes/65536', '/bytes/7', '/health', '/nothing', '/bytes/65522', '/bytes/65536', '/small']
  client.write(
    paths.map((path) => requestHead('GET', path)).join('') +
      requestHead('POST', '/echo', 'Content-Length: 3') +
      'abc' +
      requestHead('GET', '/bytes/3')
  )
  const replies = await client.responses(10)
  t.deepEqual(replies.map(({ status, body }) => [status, status === 200 ? body.length : 0]),
    [[200, 2], [200, 65_536], [200, 7], [200, 2], [404, 0], [200, 65_522], [200, 65_536], [200, 2], [200, 3], [200, 3]])
  t.is(sha256(replies[6]!.body), sha256(contentBytes(65_536)))
  t.is(replies[8]!.body.toString(), 'abc')
})

testServers('a request that arrives byte by byte is answered', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.socket.setNoDelay(true)
  for (const character of requestHead('POST', '/echo', 'Content-Length: 3') + 'abc') {
    await new Promise(resolve => client.socket.write(character, resolve))
  }
  t.is((await client.responses(1))[0]?.body.toString(), 'abc')
})

testServers('Connection: close ends the connection after the whole body', async (t, server) => {
  const { port } = await openServer(t, server)
  for (const bytes of [2, 262_144, 1_000_000]) {
    const client = await RawClient.connect(t, port)
    client.write(requestHead('GET', `/bytes/${bytes}`, 'Connection: close'))
    const all = await client.closed()
    t.is(sha256(all.subarray(all.indexOf('\r\n\r\n') + 4)), sha256(contentBytes(bytes)))
  }
})

testServers('a head that does not end is refused, not kept', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write(`GET /small HTTP/1.1\r\nHost: origin\r\nX-Padding: ${'x'.repeat(100_000)}`)
  t.regex((await client.closed()).toString(), /^(HTTP\/1.1 431 |$)/)
  t.is((await ask(port, 'GET', '/small')).body.toString(), 'ok')
})

testServers('what is not HTTP is refused', async (t, server) => {
  const { port } = await openServer(t, server)
  const client = await RawClient.connect(t, port)
  client.write('\0\x01\x02 nothing\r\n\r\n')
  t.regex((await client.closed()).toString(), /^(HTTP\/1.1 [45]\d\d |$)/)
  t.is((await ask(port, 'GET', '/small')).body.toString(), 'ok')
})

const COMPARED: ReadonlyArray<readonly [method: string, path: string, body?: string]> = [
  ['GET', '/small'],
  ['GET', '/health'],
  ['GET', '/large'],
  ['GET', '/bytes/0'],
  ['GET', '/bytes/65522'],
  ['GET', '/bytes/1000000'],
  ['HEAD', '/small'],
  ['HEAD', '/large'],
  ['HEAD', '/bytes/1000000'],
  ['HEAD', '/nothing'],
  ['HEAD', '/echo'],
  ['POST', '/echo', 'hello'],
  ['POST', '/echo', ''],
  ['POST', '/small', 'hello'],
  ['DELETE', '/large'],
  ['GET', '/echo'],
  ['GET', '/nothing'],
  ['GET', '/'],
  ['GET', '/small/'],
  ['GET', '/bytes/'],
  ['GET', '/bytes/-1'],
  ['GET', '/bytes/%F0%9F'],
  ['GET', `/${'x'.repeat(500)}`]
]

test('all servers answer alike, but that uWebSockets adds its name and leaves out Connection: close', async t => {
  const origins = await Promise.all(servers.map(async server => await openServer(t, server)))
  for (const [method, path, body] of COMPARED) {
    const replies = await Promise.all(origins.map(async ({ port }) => {
      const reply = await ask(port, method, path, body === undefined ? undefined : Buffer.from(body))
      const { date, uwebsockets, connection, ...headers } = reply.headers
      if (uwebsockets === undefined) t.is(connection, 'close')
      t.truthy(date)
      return { ...reply, headers: Object.entries(headers).sort(), body: sha256(reply.body) }
    }))
    for (const [i, reply] of replies.entries()) t.deepEqual(reply, replies[0], `${servers[i]}: ${method} ${path}`)
  }
})
