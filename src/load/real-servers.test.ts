import test, { type ExecutionContext } from 'ava'
import type net from 'node:net'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { emptyCounts } from '../metrics/counts.js'
import { Histogram } from '../metrics/histogram.js'
import type { LoadJob, LoadResult } from './job.js'
import { jobFor, runChecked, serve } from './testing/load-rig.js'
import { response, type Answer, type RawServer } from './testing/raw-server.js'

/** What servers do that nobody here has written: each in a closed and in an open loop, with every engine. */

const OK = response('ok')
const TIMED_OUT = response('', '408 Request Timeout', 'Connection: close\r\n')
const REQUESTS = 20
const CLOSE: LoadJob['headers'] = [['Connection', 'close']]

type Found = LoadResult & { readonly server: RawServer }

interface Case {
  readonly title: string
  readonly answer: Answer
  readonly job?: Partial<LoadJob>
  readonly check: (t: ExecutionContext, found: Found) => void
}

function allOk (t: ExecutionContext, { counts, problems }: Found): void {
  t.deepEqual(problems, [])
  t.deepEqual(counts, { ...emptyCounts(), sent: REQUESTS, ok: REQUESTS })
}

function allOkAtOnce (t: ExecutionContext, found: Found): void {
  allOk(t, found)
  t.is(found.retried, 0)
  t.is(found.server.requests, REQUESTS)
}

/** Answers the first request of each connection, and ends it by `end` when it is asked again. */
function once (end: (socket: net.Socket) => void): Answer {
  const used = new WeakSet<net.Socket>()
  return (socket) => {
    if (used.has(socket)) return end(socket)
    used.add(socket)
    socket.write(OK)
  }
}

/** The first request of each connection is answered there, so each but the first is sent twice. */
function allRetried (t: ExecutionContext, found: Found): void {
  allOk(t, found)
  t.is(found.retried, REQUESTS - 1)
  t.is(found.server.requests, 2 * REQUESTS - 1)
}

/** Every response took its lag and its service, those of requests that were sent twice included. */
function checkTimes (t: ExecutionContext, { response, lag, latency }: LoadResult): void {
  const [responses, lags, services] = [response, lag, latency].map((text) => Histogram.decode(text!).meanNs)
  const expectedNs = lags! + services!
  t.true(Math.abs(responses! - expectedNs) <= expectedNs * 2e-3, `${responses!} of ${expectedNs}`)
}

const CASES: Case[] = [
  {
    title: 'a server that obeys Connection: close and does not say so',
    answer: (socket) => socket.end(OK),
    job: { headers: CLOSE, concurrency: 4 },
    check: (t, found) => {
      allOkAtOnce(t, found)
      t.true(found.server.connections >= REQUESTS)
    }
  },
  {
    title: 'a server that does not obey Connection: close',
    answer: (socket) => socket.write(response('ok', '200 OK', 'Connection: keep-alive\r\n')),
    job: { headers: CLOSE },
    check: (t, found) => {
      allOkAtOnce(t, found)
      t.true(found.server.connections >= REQUESTS)
    }
  },
  {
    title: 'HTTP/1.0, the body up to the end',
    answer: (socket) => socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nok'),
    check: allOkAtOnce
  },
  {
    title: 'HTTP/1.0 with a length and without an end',
    answer: (socket) => socket.write('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    check: allOkAtOnce
  },
  {
    title: 'HTTP/1.0 that keeps the connection',
    answer: (socket) => socket.write('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'),
    check: (t, found) => {
      allOkAtOnce(t, found)
      t.is(found.server.connections, 1)
    }
  },
  {
    title: 'a server that ends every connection a little after its response',
    answer: (socket) => {
      socket.write(OK)
      setImmediate(() => socket.end())
    },
    check: allOk
  },
  {
    title: 'a server that resets every connection a little after its response',
    answer: (socket) => socket.write(OK, () => socket.resetAndDestroy()),
    check: allOk
  },
  {
    title: 'a server that ends every connection with a 408, a little after its response',
    answer: (socket) => {
      socket.write(OK)
      setImmediate(() => socket.end(TIMED_OUT))
    },
    check: allOk
  },
  {
    title: 'a 408 right behind the response',
    answer: (socket) => socket.end(Buffer.concat([OK, TIMED_OUT])),
    check: allOkAtOnce
  },
  { title: 'an end in place of the second response', answer: once((socket) => socket.end()), check: allRetried },
  {
    title: 'a reset in place of the second response',
    answer: once((socket) => socket.resetAndDestroy()),
    check: allRetried
  },
  {
    title: 'a 408 in place of the second response',
    answer: once((socket) => socket.end(TIMED_OUT)),
    check: allRetried
  },
  {
    title: 'an end in place of the second response to POST',
    answer: once((socket) => socket.end()),
    job: { method: 'POST' },
    check: (t, { counts, retried, problems }) => {
      t.deepEqual(counts, { ...emptyCounts(), sent: REQUESTS, ok: REQUESTS / 2, reset: REQUESTS / 2 })
      t.is(retried, 0)
      t.regex(problems.join(), /^reset: the connection ended before the response was whole/)
    }
  },
  {
    title: 'an end in place of the second response of a server of this package',
    answer: once((socket) => socket.end()),
    job: { expect: { kind: 'small' } },
    check: (t, { counts, retried }) => {
      t.deepEqual(counts, { ...emptyCounts(), sent: REQUESTS, ok: REQUESTS / 2, reset: REQUESTS / 2 })
      t.is(retried, 0)
    }
  },
  {
    title: 'bytes behind every response',
    answer: (socket) => socket.write(Buffer.concat([OK, Buffer.from('more')])),
    check: (t, { counts, problems }) => {
      t.deepEqual(counts, { ...emptyCounts(), sent: REQUESTS, ok: REQUESTS })
      t.is(problems.length, 1)
      t.regex(problems[0]!, /the server sent bytes that no request asked for/)
    }
  },
  {
    title: 'statuses that do not exist',
    answer: (socket, index) => socket.write(response('ok', index % 2 === 0 ? '600 What' : '999')),
    check: (t, { counts, statuses, server }) => {
      t.deepEqual(counts, { ...emptyCounts(), sent: REQUESTS, badStatus: REQUESTS })
      t.deepEqual(statuses, { 600: REQUESTS / 2, 999: REQUESTS / 2 })
      t.is(server.connections, 1)
    }
  },
  {
    title: 'what no RFC has a server send, and curl takes',
    answer: (socket) => socket.write('HTTP/1.1 200\nX: a\n b\nTransfer-Encoding: chunked\n\n2 \nok\n0\n\n'),
    check: allOkAtOnce
  },
  {
    title: 'a head of 200 KiB',
    answer: (socket) => socket.write(response('ok', '200 OK', `X: ${'y'.repeat(1_000)}\r\n`.repeat(200))),
    check: allOkAtOnce
  },
  {
    title: 'two lengths',
    answer: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    job: { requests: 2 },
    check: (t, { counts, problems }) => {
      t.deepEqual(counts, { ...emptyCounts(), sent: 2, mismatch: 2 })
      t.deepEqual(problems, [
        "mismatch: Cannot read the server's response as HTTP: Content-Length must not be repeated with another " +
        'value: 2 and 3'
      ])
    }
  },
  {
    title: 'interim responses, and trailers',
    answer: (socket) => {
      socket.write('HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n')
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n')
    },
    check: allOkAtOnce
  },
  {
    title: '204, 304 and HEAD with a length',
    answer: (socket, index) =>
      socket.write(
        `HTTP/1.1 ${['204 No Content', '304 Not Modified', '200 OK'][index % 3]}\r\nContent-Length: 5\r\n\r\n`
      ),
    job: { method: 'HEAD', requests: 21 },
    check: (t, { counts, statuses, server }) => {
      t.deepEqual([counts.ok, counts.badStatus], [14, 7])
      t.deepEqual(statuses, { 200: 7, 204: 7, 304: 7 })
      t.is(server.connections, 1)
    }
  }
]

const OPEN: LoadJob['pace'] = { kind: 'open', ratePerSec: 1_000, arrivals: 'constant', seed: 1, maxConnections: 4 }

for (const { title, answer, job, check } of CASES) {
  for (const name of ENGINES_HERE) {
    for (const isOpen of [false, true]) {
      test.serial(`a load takes ${title} (${name}, ${isOpen ? 'open' : 'closed'} loop)`, async (t) => {
        const server = await serve(t, answer)
        const concurrency = job?.concurrency ?? 1
        const pace: LoadJob['pace'] = isOpen ? { ...OPEN, maxConnections: concurrency } : { kind: 'closed' }
        const result = await runChecked(
          t,
          jobFor(server.address, {
            expect: { kind: 'response', status: null, sha256: null },
            requests: REQUESTS,
            durationMs: 60_000,
            pace,
            ...job,
            concurrency
          }),
          {},
          createEngine(name)
        )
        check(t, { ...result, server })
        if (isOpen && result.counts.ok === result.counts.sent) checkTimes(t, result)
      })
    }
  }
}

for (const name of ENGINES_HERE) {
  test.serial(`a load takes a body up to the end for lost where a reset ends it (${name})`, async (t) => {
    const server = await serve(t, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nok', () => socket.resetAndDestroy()))
    const job = jobFor(server.address, {
      expect: { kind: 'response', status: null, sha256: null },
      requests: 5,
      durationMs: 60_000,
      concurrency: 1
    })
    const { counts } = await runChecked(t, job, {}, createEngine(name))
    t.deepEqual(counts, { ...emptyCounts(), sent: 5, reset: 5 })
  })
}
