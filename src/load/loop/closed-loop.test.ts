import test, { type ExecutionContext } from 'ava'
import { tcpAddress } from '../../base/address.js'
import { nowNs, SECOND_NS } from '../../base/clock.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { connectError } from '../../engine/socket-errors.js'
import { emptyCounts, errorCount, type RequestCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import { ExactBodyCheck } from '../http/body-check.js'
import { ClosedLoop } from './closed-loop.js'
import type { ConnectionSettings } from '../http/connection.js'
import type { SliceState } from './loop.js'
import { Tally } from '../record/tally.js'
import { FakeEngine, type FakeSocket } from '../testing/fake-engine.js'
import { response } from '../testing/raw-server.js'

const EXPECTED = Buffer.from('expected body')
const REFUSED = new TunnelError(ErrorCode.CONNECT_REFUSED, 'Cannot connect: nothing listens there')
const BROKEN = new TunnelError(ErrorCode.SOCKET_RESET, 'The connection was reset')

interface Bench {
  readonly engine: FakeEngine
  readonly slice: SliceState
  readonly loop: ClosedLoop
  readonly firstAttempts: () => number
  readonly openSockets: () => number
  readonly counts: () => RequestCounts
  readonly problems: () => readonly string[]
  readonly socket: (index: number) => FakeSocket
}

/** A loop in the middle of its window, its connection not yet standing. */
function setUp (settings: Partial<ConnectionSettings> = {}): Bench {
  const engine = new FakeEngine()
  let firstAttempts = 0
  let openSockets = 0
  const slice: SliceState = {
    settings: {
      engine,
      target: tcpAddress('127.0.0.1', 1),
      connectTimeoutMs: 0,
      request: Buffer.from('GET'),
      isHead: false,
      isLast: false,
      isStrict: true,
      mayRetry: false,
      status: 200,
      createBodyCheck: () => new ExactBodyCheck(EXPECTED),
      scratch: Buffer.alloc(1_000),
      ...settings
    },
    tally: new Tally(),
    isRunning: true,
    tryBegin: () => true,
    onSettled: () => {},
    onFirstAttempt: () => {
      firstAttempts++
    },
    onOpen: () => {
      openSockets++
    },
    onClose: () => {
      openSockets--
    }
  }
  slice.tally.setWindow(nowNs() - SECOND_NS, nowNs() + 60 * SECOND_NS)
  const loop = new ClosedLoop(slice)
  return {
    engine,
    slice,
    loop,
    firstAttempts: () => firstAttempts,
    openSockets: () => openSockets,
    counts: () => slice.tally.counts,
    problems: () => slice.tally.result(null, null).problems,
    socket: (index) => engine.sockets[index]!
  }
}

function connected (settings: Partial<ConnectionSettings> = {}): Bench {
  const bench = setUp(settings)
  bench.socket(0).reader.connect!()
  return bench
}

const counts = (some: Partial<RequestCounts>): RequestCounts => ({ ...emptyCounts(), ...some })

/**
 * The connection was cut off after `failedAfterNs`, the loss entered, and a new one follows after the pause and not
 * before.
 */
function expectReplaced (t: ExecutionContext, bench: Bench, failedAfterNs: number): void {
  t.is(bench.socket(0).calls.at(-1), 'abort')
  bench.loop.sweep(failedAfterNs + 9e6, SECOND_NS)
  t.is(bench.engine.sockets.length, 1)
  bench.loop.sweep(nowNs() + 11e6, SECOND_NS)
  t.is(bench.engine.sockets.length, 2)
  t.is(bench.openSockets(), 2)
  bench.socket(0).close()
  t.is(bench.openSockets(), 1)
  bench.socket(1).reader.connect!()
  bench.socket(1).arrive(response(EXPECTED))
  t.is(bench.counts().ok, 1)
}

test('ClosedLoop sends one request after another on one connection', (t) => {
  const bench = connected()
  for (let i = 0; i < 3; i++) bench.socket(0).arrive(response(EXPECTED))
  t.deepEqual(bench.socket(0).calls, ['write', 'write', 'write', 'write'])
  t.deepEqual(bench.counts(), counts({ sent: 3, ok: 3 }))
  t.is(bench.engine.sockets.length, 1)
  t.deepEqual(bench.problems(), [])
})

test('ClosedLoop sends nothing before start(), and then at once', (t) => {
  const bench = setUp()
  bench.slice.isRunning = false
  t.is(bench.firstAttempts(), 0)
  bench.socket(0).reader.connect!()
  t.is(bench.firstAttempts(), 1)
  t.deepEqual(bench.socket(0).calls, [])
  bench.slice.isRunning = true
  bench.loop.start(nowNs())
  t.deepEqual(bench.socket(0).calls, ['write'])
})

test('ClosedLoop.start() connects again where the first attempt failed', (t) => {
  const bench = setUp()
  bench.slice.isRunning = false
  bench.socket(0).close(REFUSED)
  t.is(bench.firstAttempts(), 1)
  bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  t.is(bench.engine.sockets.length, 1)
  bench.slice.isRunning = true
  bench.loop.start(nowNs())
  t.is(bench.engine.sockets.length, 2)
  t.is(bench.firstAttempts(), 1)
})

test('ClosedLoop.start() connects again where the server closed the idle connection', (t) => {
  const bench = setUp()
  bench.slice.isRunning = false
  bench.socket(0).reader.connect!()
  bench.socket(0).reader.end()
  t.deepEqual(bench.socket(0).calls, ['shutdown'])
  bench.socket(0).close()
  t.is(bench.engine.sockets.length, 1)
  bench.slice.isRunning = true
  bench.loop.start(nowNs())
  t.is(bench.engine.sockets.length, 2)
  t.deepEqual(bench.problems(), [])
})

test('ClosedLoop counts every refused attempt, and waits longer after each', (t) => {
  const bench = setUp()
  for (const pauseMs of [10, 20, 40, 80, 160, 160, 160]) {
    const index = bench.engine.sockets.length - 1
    const before = nowNs()
    bench.socket(index).close(REFUSED)
    const after = nowNs()
    bench.loop.sweep(before + pauseMs * 1e6 - 1e3, SECOND_NS)
    t.is(bench.engine.sockets.length, index + 1)
    bench.loop.sweep(after + pauseMs * 1e6, SECOND_NS)
    t.is(bench.engine.sockets.length, index + 2)
  }
  t.deepEqual(bench.counts(), counts({ sent: 7, refused: 7 }))
  t.is(bench.problems().length, 1)
  t.is(bench.openSockets(), 1)
})

test('ClosedLoop begins with the shortest pause again after a success', (t) => {
  const bench = setUp()
  for (let i = 0; i < 5; i++) {
    bench.socket(i).close(REFUSED)
    bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  }
  bench.socket(5).reader.connect!()
  bench.socket(5).arrive(response(EXPECTED))
  bench.socket(5).close(BROKEN)
  bench.loop.sweep(nowNs() + 11e6, SECOND_NS)
  t.is(bench.engine.sockets.length, 7)
})

test('ClosedLoop counts a bad status and keeps the connection', (t) => {
  const bench = connected()
  bench.socket(0).arrive(response(EXPECTED, '500 Internal Server Error'))
  bench.socket(0).arrive(response('', '404 Not Found'))
  bench.socket(0).arrive(response(EXPECTED))
  t.deepEqual(bench.counts(), counts({ sent: 3, ok: 1, badStatus: 2 }))
  t.is(bench.engine.sockets.length, 1)
  t.deepEqual(bench.problems(), ['badStatus: status 500', 'badStatus: status 404'])
})

test('ClosedLoop takes no status but 200 for a success, whatever the body', (t) => {
  const bench = connected()
  for (const status of ['201 Created', '206 Partial Content', '302 Found']) {
    bench.socket(0).arrive(response(EXPECTED, status))
  }
  t.deepEqual(bench.counts(), counts({ sent: 3, badStatus: 3 }))
})

const MISMATCHES: Array<[title: string, bytes: Buffer | string]> = [
  ['a short body', response(EXPECTED.subarray(1))],
  ['a long body', response(Buffer.concat([EXPECTED, Buffer.from('!')]))],
  ['a wrong byte', response('expected bodY')],
  ['no body', response('')],
  ['the beginning of a body that is wrong', 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nX'],
  ['the beginning of a body that is too long', 'HTTP/1.1 200 OK\r\n\r\nexpected body and more'],
  ['what is not HTTP', 'SSH-2.0-server\r\n'],
  ['bytes behind the response', Buffer.concat([response(EXPECTED), Buffer.from('x')])]
]

for (const [title, bytes] of MISMATCHES) {
  test(`ClosedLoop counts ${title} as a mismatch, and replaces the connection`, (t) => {
    const bench = connected()
    const before = nowNs()
    bench.socket(0).arrive(bytes)
    t.deepEqual(bench.counts(), counts({ sent: 1, mismatch: 1 }))
    t.is(bench.problems().length, 1)
    expectReplaced(t, bench, before)
  })
}

test('ClosedLoop counts an end in the middle of a response as a reset, and replaces the connection', (t) => {
  const bench = connected()
  bench.socket(0).arrive('HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nexpec')
  const before = nowNs()
  bench.socket(0).reader.end()
  t.deepEqual(bench.counts(), counts({ sent: 1, reset: 1 }))
  expectReplaced(t, bench, before)
})

test('ClosedLoop counts a lost connection as a reset once', (t) => {
  const bench = connected()
  bench.socket(0).close(BROKEN)
  t.deepEqual(bench.counts(), counts({ sent: 1, reset: 1 }))
  t.is(bench.openSockets(), 0)
  bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  t.is(bench.engine.sockets.length, 2)
})

test('ClosedLoop gives up at the time limit and not before, and takes nothing that comes later', (t) => {
  const before = nowNs()
  const bench = connected()
  const after = nowNs()
  bench.loop.sweep(before + SECOND_NS - 1e3, SECOND_NS)
  t.deepEqual(bench.counts(), emptyCounts())
  bench.loop.sweep(after + SECOND_NS, SECOND_NS)
  t.deepEqual(bench.counts(), counts({ sent: 1, timeout: 1 }))
  bench.socket(0).arrive(response(EXPECTED))
  bench.socket(0).reader.end()
  t.deepEqual(bench.counts(), counts({ sent: 1, timeout: 1 }))
})

test('ClosedLoop connects again at once, and without an error, after a response with Connection: close', (t) => {
  const bench = connected()
  bench.socket(0).arrive(response(EXPECTED, '200 OK', 'Connection: close\r\n'))
  t.deepEqual(bench.socket(0).calls, ['write', 'shutdown'])
  t.is(bench.engine.sockets.length, 2)
  bench.socket(0).reader.end()
  bench.socket(0).close()
  t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
  t.deepEqual(bench.problems(), [])
  t.is(bench.openSockets(), 1)
})

test('ClosedLoop takes a body that ends with the connection', (t) => {
  const bench = connected()
  bench.socket(0).arrive('HTTP/1.1 200 OK\r\n\r\nexpected')
  bench.socket(0).arrive(' body')
  t.is(bench.counts().sent, 0)
  bench.socket(0).reader.end()
  t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
  t.is(bench.engine.sockets.length, 2)
})

test('ClosedLoop cuts off a server that announced its close and does not close', (t) => {
  const bench = connected()
  bench.socket(0).arrive(response(EXPECTED, '200 OK', 'Connection: close\r\n'))
  const after = nowNs()
  bench.loop.sweep(after + SECOND_NS, SECOND_NS)
  t.deepEqual(bench.socket(0).calls, ['write', 'shutdown', 'abort'])
  t.is(bench.counts().timeout, 0)
})

const TIMED_OUT = response('', '408 Request Timeout', 'Connection: close\r\n')
const LENIENT = { isStrict: false, mayRetry: true }

/** Its connection has served once and is idle, since the window is over for it. */
function idle (): Bench {
  const bench = connected()
  bench.slice.isRunning = false
  bench.socket(0).arrive(response(EXPECTED))
  bench.slice.isRunning = true
  return bench
}

for (const [title, pieces] of [
  ['in one piece', [TIMED_OUT]],
  ['byte by byte', [...TIMED_OUT].map((byte) => Buffer.of(byte))],
  ['of HTTP/1.0', ['HTTP/1.0 408 X\r\n\r\n']],
  ['that is cut off', ['HTTP/1.1 40']]
] as const) {
  test(`ClosedLoop takes a 408 on an idle connection (${title}) for its orderly end`, (t) => {
    const bench = idle()
    for (const piece of pieces) bench.socket(0).arrive(piece)
    bench.socket(0).reader.end()
    bench.socket(0).close(BROKEN)
    t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
    t.deepEqual(bench.problems(), [])
    t.is(bench.engine.sockets.length, 2, 'it is replaced at once')
    t.is(bench.openSockets(), 1)
  })
}

test('ClosedLoop takes a reset of an idle connection for its orderly end', (t) => {
  const bench = idle()
  bench.socket(0).close(BROKEN)
  t.deepEqual([bench.counts(), bench.problems(), bench.engine.sockets.length], [counts({ sent: 1, ok: 1 }), [], 2])
})

for (const [title, pieces] of [
  ['another response', [response(EXPECTED)]], ['a 408 that is none', ['HTTP/1.1 4', '09 Conflict']], ['garbage', ['x']]
] as const) {
  test(`ClosedLoop drops an idle connection on which something else arrives (${title}), says so, and counts no ` +
    'request for it', (t) => {
    const bench = idle()
    for (const piece of pieces) bench.socket(0).arrive(piece)
    t.is(bench.socket(0).calls.at(-1), 'abort')
    t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
    t.is(bench.problems().length, 1)
    t.regex(bench.problems()[0]!, /the server sent bytes that no request asked for/)
  })
}

test('ClosedLoop does not wait for ever for the rest of a 408', (t) => {
  const bench = idle()
  bench.socket(0).arrive('HTTP/1.1 ')
  bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  t.is(bench.socket(0).calls.at(-1), 'abort')
  t.is(bench.problems().length, 1)
})

test('ClosedLoop makes no connection at once for one that ended before it served', (t) => {
  const bench = setUp()
  bench.slice.isRunning = false
  bench.socket(0).reader.connect!()
  bench.slice.isRunning = true
  const before = nowNs()
  bench.socket(0).reader.end()
  t.is(bench.engine.sockets.length, 1)
  bench.loop.sweep(before + 9e6, SECOND_NS)
  t.is(bench.engine.sockets.length, 1)
  bench.loop.sweep(nowNs() + 11e6, SECOND_NS)
  t.is(bench.engine.sockets.length, 2)
  t.deepEqual(bench.problems(), [])
})

test('ClosedLoop ends a connection after the response to a request that asked for it, whatever the ' +
  'response says', (t) => {
  const bench = connected({ isLast: true })
  bench.socket(0).arrive(response(EXPECTED, '200 OK', 'Connection: keep-alive\r\n'))
  t.deepEqual(bench.socket(0).calls, ['write', 'shutdown'])
  t.is(bench.engine.sockets.length, 2)
  bench.socket(0).close(BROKEN)
  t.deepEqual([bench.counts(), bench.problems()], [counts({ sent: 1, ok: 1 }), []])
})

for (const [title, rest, problem] of [
  ['and says so', 'HTTP/1.1 200 OK\r\n\r\n', /no request asked for/], ['but for a 408', TIMED_OUT, null]
] as const) {
  test(`ClosedLoop takes a response with bytes behind it and replaces the connection, ${title}`, (t) => {
    const bench = connected(LENIENT)
    bench.socket(0).arrive(Buffer.concat([response(EXPECTED), Buffer.from(rest)]))
    t.deepEqual(bench.socket(0).calls, ['write', 'shutdown'])
    t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
    t.is(bench.engine.sockets.length, 2)
    if (problem === null) t.deepEqual(bench.problems(), [])
    else t.regex(bench.problems().join(), problem)
  })
}

test('ClosedLoop counts a body up to the end of the connection as lost where a reset ends it', (t) => {
  const bench = connected(LENIENT)
  bench.socket(0).arrive('HTTP/1.1 200 OK\r\n\r\nexpected body')
  bench.socket(0).close(BROKEN)
  t.deepEqual(bench.counts(), counts({ sent: 1, reset: 1 }))
})

test('ClosedLoop counts a response of the right length before a reset as good', (t) => {
  const bench = connected()
  bench.slice.isRunning = false
  bench.socket(0).arrive(response(EXPECTED))
  bench.socket(0).close(BROKEN)
  t.deepEqual([bench.counts(), bench.problems()], [counts({ sent: 1, ok: 1 }), []])
})

/** What a server does that ends an idle connection while a request is on its way to it. */
const PASSED_EACH_OTHER: Array<[title: string, end: (socket: FakeSocket) => void]> = [
  ['its end', (socket) => socket.reader.end()],
  ['a reset', (socket) => socket.close(BROKEN)],
  ['a close', (socket) => socket.close()],
  ['a 408', (socket) => socket.arrive(TIMED_OUT)]
]

for (const [title, end] of PASSED_EACH_OTHER) {
  test(`ClosedLoop sends a request once more, on a new connection, where ${title} on a used one comes instead of a ` +
    'response', (t) => {
    const bench = connected(LENIENT)
    bench.socket(0).arrive(response(EXPECTED))
    const sentBefore = nowNs()
    end(bench.socket(0))
    t.deepEqual(bench.counts(), counts({ sent: 1, ok: 1 }))
    bench.socket(1).reader.connect!()
    t.deepEqual(bench.socket(1).calls, ['write'])
    while (nowNs() - sentBefore < 2e6);
    bench.socket(1).arrive(response(EXPECTED))
    t.deepEqual(bench.counts(), counts({ sent: 2, ok: 2 }))
    const { retried, latency, problems } = bench.slice.tally.result(null, null)
    t.deepEqual([retried, problems], [1, []])
    t.true(Histogram.decode(latency).maxNs >= 2e6, 'its time is from the first sending')
    if (bench.openSockets() === 2) bench.socket(0).close()
    t.is(bench.openSockets(), 1)
    end(bench.socket(1))
    t.is(
      bench.slice.tally.result(null, null).retried,
      2,
      'the next request on the new connection may be sent once more, too'
    )
  })

  test(`ClosedLoop counts ${title} instead of a response as an error on a new connection, of other methods, and if ` +
    'strict', (t) => {
    const outcome = title === 'a 408' ? 'badStatus' : 'reset'
    const fresh = connected(LENIENT)
    end(fresh.socket(0))
    const other = connected({ isStrict: false })
    other.socket(0).arrive(response(EXPECTED))
    end(other.socket(0))
    t.deepEqual(
      [fresh.counts(), other.counts()],
      [counts({ sent: 1, [outcome]: 1 }), counts({ sent: 2, ok: 1, [outcome]: 1 })]
    )
    t.deepEqual(
      [fresh, other].map((bench) => bench.slice.tally.result(null, null).retried),
      [0, 0]
    )
  })
}

test('ClosedLoop sends nothing twice of which a response has begun', (t) => {
  const bench = connected(LENIENT)
  bench.socket(0).arrive(response(EXPECTED))
  bench.socket(0).arrive('H')
  bench.socket(0).reader.end()
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, reset: 1 }))
})

/** A request waits for a new connection. */
function retrying (): Bench {
  const bench = connected(LENIENT)
  bench.socket(0).arrive(response(EXPECTED))
  bench.socket(0).reader.end()
  bench.socket(0).close()
  return bench
}

test('ClosedLoop counts a request once whose second connection is refused, and pauses', (t) => {
  const bench = retrying()
  bench.socket(1).close(REFUSED)
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, reset: 1 }))
  t.is(bench.problems().length, 1)
  t.deepEqual([bench.engine.sockets.length, bench.openSockets()], [2, 0])
  bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  t.is(bench.engine.sockets.length, 3)
})

test('ClosedLoop counts a request once that times out while its second connection is made', (t) => {
  const bench = retrying()
  bench.loop.sweep(nowNs() + SECOND_NS, SECOND_NS)
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, timeout: 1 }))
  t.deepEqual(bench.socket(1).calls, ['abort'])
})

test('ClosedLoop.stop() counts a request that waits for its second connection as unfinished', (t) => {
  const bench = retrying()
  bench.slice.isRunning = false
  bench.loop.stop()
  bench.socket(1).close()
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, unfinished: 1 }))
  t.is(bench.openSockets(), 0)
})

for (const [code, cure] of [
  ['EADDRNOTAVAIL', /no local port.*ip_local_port_range/],
  ['EMFILE', /this process has no descriptor.*ulimit -n/],
  ['ENFILE', /this machine has no descriptor.*file-max/]
] as const) {
  test(`ClosedLoop counts ${code} apart from what the server refused, with its cure`, (t) => {
    const bench = setUp()
    bench.socket(0).close(connectError(tcpAddress('127.0.0.1', 1), Object.assign(new Error(code), { code })))
    t.deepEqual(bench.counts(), { ...counts({ sent: 1 }), exhausted: 1 })
    t.is(errorCount(bench.counts()), 1)
    t.regex(bench.problems().join(), /^exhausted: /)
    t.regex(bench.problems().join(), cure)
  })
}

test('ClosedLoop sends no request after the end of the window, even before stop()', (t) => {
  const bench = connected()
  bench.slice.tally.cutWindow(nowNs() - 1)
  bench.socket(0).arrive(response(EXPECTED))
  t.deepEqual(bench.socket(0).calls, ['write'])
})

test('ClosedLoop.stop() counts the request on its way as unfinished, and cuts every connection off', (t) => {
  const bench = connected()
  bench.socket(0).arrive(response(EXPECTED, '200 OK', 'Connection: close\r\n'))
  bench.socket(1).reader.connect!()
  bench.slice.isRunning = false
  bench.loop.stop()
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, unfinished: 1 }))
  t.deepEqual(bench.engine.sockets.map((socket) => socket.calls.at(-1)), ['abort', 'abort'])
  bench.socket(0).close()
  bench.socket(1).close(BROKEN)
  t.is(bench.openSockets(), 0)
  t.is(bench.engine.sockets.length, 2)
  t.deepEqual(bench.counts(), counts({ sent: 2, ok: 1, unfinished: 1 }))
})

test('ClosedLoop.stop() cuts off a connection that does not stand yet, and counts nothing for it', (t) => {
  const bench = setUp()
  bench.slice.isRunning = false
  bench.loop.stop()
  t.deepEqual(bench.socket(0).calls, ['abort'])
  bench.socket(0).close()
  t.is(bench.openSockets(), 0)
  t.deepEqual(bench.counts(), emptyCounts())
})
