import type { ExecutionContext } from 'ava'
import { contentBytes } from '../../base/content.js'
import { parseResponses, RawClient, type RawResponse, requestHead } from './raw-client.js'

/** More than the sockets on the way hold, so that it is not all sent when the client's end is noticed. */
const LONG_BYTES = 8_388_608

function http10 (method: string, target: string, ...fields: string[]): string {
  return [`${method} ${target} HTTP/1.0`, ...fields, '', ''].join('\r\n')
}

const KEPT = 'Connection: keep-alive'

function lengthsOf (replies: readonly RawResponse[]): Array<[status: number, bytes: number]> {
  return replies.map(({ status, body }) => [status, body.length])
}

/** What every valid client may do. uWebSockets.js answers some of it with 505 or with a cut. */
export const anyClient: Readonly<Record<string, (t: ExecutionContext, port: number) => Promise<void>>> = {
  'HTTP/1.0 gets one response and the end': async (t, port) => {
    for (const [method, body] of [['GET', 'ok'], ['HEAD', '']] as const) {
      const client = await RawClient.connect(t, port)
      client.write(http10(method, '/small', 'User-Agent: ApacheBench/2.3', 'Accept: */*'))
      const [reply, ...others] = parseResponses(await client.closed(), [method])
      t.deepEqual([reply?.status, String(reply?.body), others.length], [200, body, 0], method)
      t.like(reply?.headers, { connection: 'close', 'content-length': '2' }, method)
    }
  },

  'HTTP/1.0 keeps its connection where it asks for that, and is told so': async (t, port) => {
    const client = await RawClient.connect(t, port)
    const asked: ReadonlyArray<readonly [head: string, bytes: number]> = [
      [http10('GET', '/small', 'Connection: Keep-Alive'), 2],
      [http10('GET', '/large', KEPT), 262_144],
      [http10('POST', '/echo', 'Connection: Keep-Alive', 'Content-Length: 5') + 'hello', 5],
      [http10('GET', '/bytes/100000', 'Connection: Keep-Alive'), 100_000]
    ]
    for (const [i, [bytes]] of asked.entries()) {
      client.write(bytes)
      t.is((await client.responses(i + 1)).at(-1)?.headers.connection, 'keep-alive', bytes)
    }
    client.write(http10('GET', '/small'))
    const replies = parseResponses(await client.closed())
    t.deepEqual(lengthsOf(replies), [...asked.map(([, bytes]) => bytes), 2].map((bytes) => [200, bytes]))
    t.is(replies.at(-1)?.headers.connection, 'close')
  },

  'requests at once, of both versions, are answered in order': async (t, port) => {
    const client = await RawClient.connect(t, port)
    client.write(requestHead('GET', '/bytes/3') + http10('GET', '/bytes/100000', KEPT) +
      http10('HEAD', '/large', KEPT) + requestHead('GET', '/small') + http10('GET', '/bytes/7'))
    const replies = parseResponses(await client.closed(), ['GET', 'GET', 'HEAD', 'GET', 'GET'])
    t.deepEqual(lengthsOf(replies), [[200, 3], [200, 100_000], [200, 0], [200, 2], [200, 7]])
    const said = replies.map(({ headers }) => headers.connection)
    t.deepEqual(said, [undefined, 'keep-alive', 'keep-alive', undefined, 'close'])
  },

  'a client that ends its side behind its requests gets every response whole': async (t, port) => {
    const long = `/bytes/${LONG_BYTES}`
    for (const request of [requestHead('GET', long), http10('GET', long, KEPT)]) {
      const client = await RawClient.connect(t, port)
      client.socket.end(requestHead('GET', '/small') + request)
      const [small, large] = parseResponses(await client.closed())
      t.is(String(small?.body), 'ok')
      t.true(large?.body.equals(contentBytes(LONG_BYTES)))
    }
  },

  'a request may be cut at every byte': async (t, port) => {
    const requests = [
      requestHead('GET', '/small', 'Connection: close'),
      http10('GET', '/small'),
      requestHead('POST', '/echo', 'Transfer-Encoding: chunked', 'Connection: close') +
        '1\r\no\r\n1;a=b\r\nk\r\n0\r\n\r\n'
    ]
    for (const request of requests) {
      const cuts = Array.from(request.slice(1), (_, i) => [request.slice(0, i + 1), request.slice(i + 1)] as const)
      const clients = await Promise.all(cuts.map(async () => await RawClient.connect(t, port)))
      await Promise.all(clients.map(async ({ socket }, i) => {
        await new Promise((resolve) => { socket.write(cuts[i]![0], resolve) })
      }))
      // The answer to a later request says that the first parts have been read.
      const later = await RawClient.connect(t, port)
      later.write(requestHead('GET', '/small'))
      await later.responses(1)
      for (const [i, client] of clients.entries()) client.write(cuts[i]![1])
      for (const [i, client] of clients.entries()) {
        const [reply] = parseResponses(await client.closed())
        t.deepEqual([reply?.status, String(reply?.body)], [200, 'ok'], JSON.stringify(cuts[i]))
      }
    }
  }
}
