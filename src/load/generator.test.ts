import test from 'ava'
import fc from 'fast-check'
import { machineMs } from '../base/clock.js'
import { contentBytes, LARGE_BODY_BYTES } from '../base/content.js'
import { ErrorCode } from '../base/errors.js'
import { createTestEngine } from '../engine/testing/engines.js'
import { emptyCounts } from '../metrics/counts.js'
import { Histogram } from '../metrics/histogram.js'
import { runLoadSlice } from './generator.js'
import type { LoadProgress } from './record/progress.js'
import { jobFor, loadUntil, runChecked, serve } from './testing/load-rig.js'
import { refusedAddress, response } from './testing/raw-server.js'

const OK = response('ok')
const CONTENT = Buffer.from(contentBytes(LARGE_BODY_BYTES))

/** Enough for every connection to have settled several requests. */
const REQUESTS = 40

test.serial('runLoadSlice() counts what a good server answers, on as many connections as asked for', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const { counts, problems, bodyBytes, allResponses, windowMs, connect, cpu } = await runChecked(
    t,
    jobFor(server.address, { warmupMs: 50 })
  )
  t.true(counts.ok > 0)
  t.deepEqual(counts, {
    ...emptyCounts(),
    sent: counts.ok + counts.unfinished,
    ok: counts.ok,
    unfinished: counts.unfinished
  })
  t.is(server.connections, 4)
  t.is(bodyBytes, counts.ok * 2)
  t.is(windowMs, 500)
  t.is(Histogram.decode(connect).count, 4)
  t.true(allResponses <= server.requests && allResponses >= counts.ok)
  t.deepEqual(problems, [])
  t.true(cpu !== null && cpu.userUs + cpu.systemUs > 0)
})

test.serial('runLoadSlice() counts every request that the server was sent, where there is no warm-up', async (t) => {
  const { counts, allResponses, server } = await loadUntil(t, REQUESTS, (socket) => socket.write(OK))
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.is(allResponses, counts.ok)
  t.true(counts.ok <= server.requests && server.requests <= counts.sent)
})

test.serial('runLoadSlice() verifies large bodies, in whatever pieces they come', async (t) => {
  const whole = response(CONTENT)
  const { counts, bodyBytes } = await loadUntil(t, REQUESTS, (socket, index) => {
    const cut = (index * 7_919) % whole.length
    socket.write(whole.subarray(0, cut))
    setImmediate(() => socket.write(whole.subarray(cut)))
  }, { expect: { kind: 'content', bytes: LARGE_BODY_BYTES } })
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.is(bodyBytes, counts.ok * LARGE_BODY_BYTES)
})

test.serial('runLoadSlice() finds one wrong byte at the end of a large body', async (t) => {
  const wrong = Buffer.from(CONTENT)
  wrong[LARGE_BODY_BYTES - 1]! ^= 1
  const { counts, problems } = await loadUntil(t, 12, (socket) => socket.write(response(wrong)), {
    expect: { kind: 'content', bytes: LARGE_BODY_BYTES }
  })
  t.true(counts.mismatch > 0)
  t.is(counts.sent, counts.mismatch + counts.unfinished)
  t.deepEqual(problems, ['mismatch: body differs from the expected bytes'])
})

test.serial('runLoadSlice() takes chunks', async (t) => {
  const { counts, server } = await loadUntil(t, REQUESTS, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n')
  )
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.is(server.connections, 4)
})

test.serial('runLoadSlice() takes bodies that end with the connection', async (t) => {
  const { counts, problems } = await loadUntil(t, REQUESTS, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nok'))
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.deepEqual(problems, [])
})

test.serial('runLoadSlice() takes a server that closes after each response', async (t) => {
  const { counts, problems, connect } = await loadUntil(t, REQUESTS, (socket) =>
    socket.end(response('ok', '200 OK', 'Connection: close\r\n'))
  )
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.true(Histogram.decode(connect).count >= counts.ok)
  t.deepEqual(problems, [])
})

test.serial('runLoadSlice() does not take 500 for a success', async (t) => {
  const { counts, problems, bodyBytes, server } = await loadUntil(t, REQUESTS, (socket) =>
    socket.write(response('ok', '500 Internal Server Error'))
  )
  t.true(counts.badStatus > 0)
  t.is(counts.sent, counts.badStatus + counts.unfinished)
  t.is(bodyBytes, 0)
  t.is(server.connections, 4)
  t.deepEqual(problems, ['badStatus: status 500'])
})

test.serial('runLoadSlice() counts short bodies as mismatches', async (t) => {
  const { counts } = await loadUntil(t, 12, (socket) => socket.write(response('o')))
  t.true(counts.mismatch > 0)
  t.is(counts.sent, counts.mismatch + counts.unfinished)
})

test.serial('runLoadSlice() counts garbage as mismatches', async (t) => {
  const { counts } = await loadUntil(t, 12, (socket) => socket.write('220 smtp.example ESMTP\r\n'))
  t.true(counts.mismatch > 0)
  t.is(counts.sent, counts.mismatch + counts.unfinished)
})

test.serial('runLoadSlice() does not read a wrong body that has no end to its end', async (t) => {
  const { counts } = await loadUntil(t, 12, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const fill = (): void => { while (!socket.destroyed && socket.write(CONTENT)); }
    socket.on('drain', fill)
    fill()
  })
  t.true(counts.mismatch > 0)
  t.is(counts.sent, counts.mismatch + counts.unfinished)
})

test.serial('runLoadSlice() gives up on a server that does not answer', async (t) => {
  const { counts, problems, allResponses } = await loadUntil(t, 12, () => {}, { requestTimeoutMs: 40 })
  t.true(counts.timeout > 0)
  t.is(counts.sent, counts.timeout + counts.unfinished)
  t.is(allResponses, 0)
  t.deepEqual(problems, ['timeout: no whole response within 40 ms'])
})

test.serial(
  'runLoadSlice() counts every request that a server never answers as unfinished where the time limit is longer',
  async (t) => {
    const server = await serve(t, () => {})
    const { counts } = await runChecked(t, jobFor(server.address, { durationMs: 100 }))
    t.deepEqual(counts, { ...emptyCounts(), sent: 4, unfinished: 4 })
  }
)

test.serial('runLoadSlice() does not count the requests of the warm-up', async (t) => {
  const server = await serve(t, () => {})
  const { counts } = await runChecked(t, jobFor(server.address, { warmupMs: 50, durationMs: 50 }))
  t.is(server.requests, 4)
  t.deepEqual(counts, emptyCounts())
})

test.serial('runLoadSlice() counts resets in the middle of a body', async (t) => {
  const { counts } = await loadUntil(t, 12, (socket) => {
    socket.write(response('ok').subarray(0, -1), () => socket.resetAndDestroy())
  })
  t.true(counts.reset > 0)
  t.is(counts.sent, counts.reset + counts.unfinished)
})

test.serial('runLoadSlice() shows no success and a bounded number of refusals for a dead server', async (t) => {
  const job = jobFor(await refusedAddress())
  const { counts, problems, connect } = await runChecked(t, job)
  t.true(counts.refused > 0)
  t.deepEqual(counts, { ...emptyCounts(), sent: counts.refused, refused: counts.refused })
  // Pauses of 10, 20, 40, 80 and 160 ms leave room for six or so in each connection's 500 ms.
  t.true(counts.refused <= 10 * job.concurrency)
  t.is(Histogram.decode(connect).count, 0)
  t.is(problems.length, 1)
  t.regex(problems[0]!, /ERR_TUNNEL_CONNECT_REFUSED/)
})

test.serial('runLoadSlice() goes on with new connections when some fail', async (t) => {
  const { counts } = await loadUntil(t, REQUESTS, (socket, index) =>
    index < 8 ? socket.resetAndDestroy() : socket.write(OK)
  )
  t.is(counts.reset, 8)
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.reset + counts.unfinished)
})

test.serial('runLoadSlice() measures no less than the server takes', async (t) => {
  const { latency } = await loadUntil(t, 12, (socket) => setTimeout(() => socket.write(OK), 20))
  const histogram = Histogram.decode(latency)
  t.true(histogram.count > 0)
  // Timers fire up to 1 ms before their time.
  t.true(histogram.minNs >= 18.9e6)
})

test.serial('runLoadSlice() sends the request that was asked for', async (t) => {
  const paths = new Set<string>()
  await loadUntil(t, 12, (socket, _index, path) => {
    paths.add(path)
    socket.write(OK)
  }, { path: '/some/path?with=query' })
  t.deepEqual([...paths], ['/some/path?with=query'])
})

test.serial('runLoadSlice() keeps stalled readers stalled, and closes them at the end', async (t) => {
  const endless = Buffer.alloc(24 * 1024 * 1024)
  let stalled = 0
  let drained = 0
  const { counts, problems, server } = await loadUntil(t, 2_000, (socket, _index, path) => {
    if (path !== '/stalled') return socket.write(OK)
    stalled++
    // Node calls back without an error for a write that a reset cut off, too.
    socket.write(endless, () => { if (!socket.destroyed) drained++ })
  }, { stalledReaders: 3, stalledPath: '/stalled' })
  t.is(stalled, 3)
  t.is(drained, 0)
  t.true(counts.ok > 0)
  t.is(counts.sent, counts.ok + counts.unfinished)
  t.deepEqual(problems, [])
  await Promise.all([...server.open].map(async (socket) => await new Promise((resolve) => socket.on('close', resolve))))
})

test.serial('runLoadSlice() reports stalled readers that cannot connect', async (t) => {
  const { problems } = await runChecked(t, jobFor(await refusedAddress(), { stalledReaders: 2 }))
  t.true(problems.some((problem) => problem.startsWith('stalled reader: ')))
})

test.serial('runLoadSlice() begins the warm-up when it was agreed to, and not before', async (t) => {
  const startAtMs = machineMs() + 120
  let firstMs = Infinity
  let connectionsAtFirst = 0
  const server = await serve(t, (socket, index) => {
    firstMs = Math.min(firstMs, machineMs())
    if (index === 0) connectionsAtFirst = server.connections
    socket.write(OK)
  })
  const { counts } = await runChecked(t, jobFor(server.address), { agreeOnStart: async () => startAtMs })
  t.is(connectionsAtFirst, 4)
  t.true(firstMs >= startAtMs)
  t.true(counts.ok > 0)
})

test.serial('runLoadSlice() rejects if there is no agreement on the start, with every socket closed', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  await t.throwsAsync(
    runChecked(t, jobFor(server.address), {
      agreeOnStart: async () => {
        throw new Error('No agreement')
      }
    }),
    { message: 'No agreement' }
  )
  t.is(server.requests, 0)
})

test.serial('runLoadSlice() ends early on a signal, with what it measured until then', async (t) => {
  const { counts, windowMs } = await loadUntil(t, REQUESTS, (socket) => socket.write(OK), { durationMs: 60_000 })
  t.true(counts.ok > 0)
  t.true(windowMs > 0 && windowMs < 60_000)
})

test.serial('runLoadSlice() measures nothing where the signal comes before the window', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const early = await runChecked(t, jobFor(server.address, { durationMs: 60_000 }), { signal: AbortSignal.abort() })
  t.is(server.requests, 0)
  const stopping = new AbortController()
  const never = new Promise<number>(() => {})
  const waiting = await runChecked(t, jobFor(server.address), {
    signal: stopping.signal,
    agreeOnStart: async () => {
      stopping.abort()
      return await never
    }
  })
  for (const result of [early, waiting]) {
    t.deepEqual(result.counts, emptyCounts())
    t.is(result.windowMs, 0)
  }
})

test.serial('runLoadSlice() refuses paths that could end the request line', async (t) => {
  const address = await refusedAddress()
  for (const path of ['', 'small', '/a b', '/a\r\nX: y', '/ü', '/a\0']) {
    await t.throwsAsync(runLoadSlice(createTestEngine(), jobFor(address, { path })), { code: ErrorCode.USAGE })
    await t.throwsAsync(runLoadSlice(createTestEngine(), jobFor(address, { stalledPath: path })), {
      code: ErrorCode.USAGE
    })
  }
})

test.serial('runLoadSlice() survives servers that answer anything', async (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        'HTTP/1.1 200 OK\r\n',
        'Content-Length: 2\r\n',
        'Transfer-Encoding: chunked\r\n',
        '\r\n',
        'ok',
        '2\r\nok\r\n',
        '0\r\n\r\n',
        'HTTP/1.1 100 Continue\r\n\r\n'
      )
      .map((text) => Buffer.from(text))
  )
  const ending = fc.constantFrom('keep', 'end', 'reset')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(piece, { maxLength: 6 }), ending), { minLength: 1, maxLength: 8 }),
      async (answers) => {
        const server = await serve(t, (socket, index) => {
          const [pieces, how] = answers[index % answers.length]!
          for (const bytes of pieces) socket.write(bytes)
          if (how === 'end') socket.end()
          if (how === 'reset') socket.resetAndDestroy()
        })
        await runChecked(t, jobFor(server.address, { warmupMs: 0, durationMs: 60, requestTimeoutMs: 15 }))
        server.close()
      }
    ),
    { numRuns: 25 }
  )
})

const anyResponse = { kind: 'response', status: null, sha256: null } as const

test.serial(
  'runLoadSlice() sends as many requests as asked for, whatever becomes of them, and ends with the last',
  async (t) => {
    const server = await serve(t, (socket, index) => {
      if (index % 3 === 0) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok')
      else socket.write(index % 3 === 1 ? OK : response('', '503 Service Unavailable'))
    })
    const { counts, windowMs, statuses } = await runChecked(
      t,
      jobFor(server.address, { requests: 30, durationMs: 60_000, expect: anyResponse })
    )
    t.is(server.requests, 30)
    t.deepEqual(counts, { ...emptyCounts(), sent: 30, ok: 10, badStatus: 10, reset: 10 })
    t.deepEqual(statuses, { 200: 10, 503: 10 })
    t.true(windowMs < 60_000)
  }
)

test.serial('runLoadSlice() ends when as many attempts to connect failed as requests were asked for', async (t) => {
  const { counts } = await runChecked(t, jobFor(await refusedAddress(), { requests: 6, durationMs: 60_000 }))
  t.deepEqual(counts, { ...emptyCounts(), sent: 6, refused: 6 })
})

test.serial(
  'runLoadSlice() takes any whole response from 200 to 299 where nothing else is told, and counts its bytes',
  async (t) => {
    const server = await serve(t, (socket, index) =>
      socket.write(index % 2 === 0 ? response('four', '201 Created') : 'HTTP/1.1 204 No Content\r\n\r\n')
    )
    const { counts, bodyBytes, statuses } = await runChecked(
      t,
      jobFor(server.address, { requests: 20, durationMs: 60_000, expect: anyResponse })
    )
    t.is(counts.ok, 20)
    t.is(bodyBytes, 40)
    t.deepEqual(statuses, { 201: 10, 204: 10 })
  }
)

test.serial('runLoadSlice() takes no other status, and no other body, than those it is told', async (t) => {
  const sha256 = '2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df' // of "ok"
  const server = await serve(t, (socket, index) =>
    socket.write(response(index % 2 === 0 ? 'ok' : 'no', index % 4 < 2 ? '404 Not Found' : '200 OK'))
  )
  const { counts, problems } = await runChecked(
    t,
    jobFor(server.address, { requests: 40, durationMs: 60_000, expect: { kind: 'response', status: 404, sha256 } })
  )
  t.deepEqual(counts, { ...emptyCounts(), sent: 40, ok: 10, badStatus: 20, mismatch: 10 })
  t.true(problems.some((problem) => problem.startsWith('mismatch: body has SHA-256 ')))
})

test.serial('runLoadSlice() expects no body of a response to HEAD', async (t) => {
  const server = await serve(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'))
  const { counts } = await runChecked(
    t,
    jobFor(server.address, { method: 'HEAD', requests: 10, durationMs: 60_000, expect: anyResponse })
  )
  t.is(counts.ok, 10)
})

test.serial('runLoadSlice() tells at the end of each second how it goes', async (t) => {
  const server = await serve(t, (socket) => setTimeout(() => socket.write(OK), 20))
  const told: LoadProgress[] = []
  const { counts, seconds } = await runChecked(t, jobFor(server.address, { durationMs: 2_100 }), {
    onProgress: (progress) => {
      told.push(progress)
    }
  })
  t.deepEqual(told.map(({ second }) => second), [1, 2])
  t.true(told[0]!.counts.ok > 0 && told[0]!.counts.ok < told[1]!.counts.ok && told[1]!.counts.ok <= counts.ok)
  for (const [index, { latency }] of told.entries()) {
    const told = Histogram.decode(latency).count
    t.true(told > 0 && told <= seconds[index]!.ok)
  }
})

test.serial('runLoadSlice() knows how much its thread worked', async (t) => {
  const server = await serve(t, (socket) => socket.write(OK))
  const { busy } = await runChecked(t, jobFor(server.address))
  t.true(busy !== null && busy > 0, 'how much depends on what else runs')
})
