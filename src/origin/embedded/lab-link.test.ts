import test from 'ava'
import { contentBytes } from '../../base/content.js'
import { parseResponses, requestHead } from '../testing/raw-client.js'
import { ContentSource } from './content-source.js'
import { DatedBlock } from './dated-block.js'
import { LabConnection, type TimeLimits } from './lab-connection.js'
import { LabLink } from './lab-link.js'
import type { ServerChannel, ServerConstant, ServerConstants } from './server-channel.js'

/** Constants of a link, of which `reading` are being read by somebody. */
class FakeConstants implements ServerConstants {
  readonly reading = new Set<ServerConstant>()
  readonly contents = new Map<ServerConstant, Uint8Array>()
  room = Infinity

  publish (bytes: Uint8Array): ServerConstant | null {
    if (this.contents.size >= this.room) return null
    const constant = { bytes: bytes.length }
    this.contents.set(constant, new Uint8Array(bytes))
    return constant
  }

  tryRewrite (constant: ServerConstant, bytes: Uint8Array): boolean {
    if (this.reading.has(constant)) return false
    this.contents.set(constant, new Uint8Array(bytes))
    return true
  }
}

/** A channel whose client has granted `credit` bytes. */
class FakeChannel implements ServerChannel {
  readonly addresses = null
  unconfirmedBytes = 0
  credit = Infinity
  accepted = 0
  ended = 0
  resets = 0
  copiedBytes = 0
  released = 0
  readonly #constants: FakeConstants
  readonly #sent: Uint8Array[] = []
  #claim = new Uint8Array(0)

  constructor (constants: FakeConstants) {
    this.#constants = constants
  }

  get sent (): Buffer { return Buffer.concat(this.#sent) }
  accept (): void { this.accepted++ }
  end (): void { this.ended++ }
  reset (): void { this.resets++ }

  claim (bytes = 65_536): Uint8Array | null {
    const allowed = Math.min(bytes, this.credit, 65_536)
    if (allowed === 0) return null
    return (this.#claim = new Uint8Array(allowed))
  }

  commit (bytes: number): void {
    this.credit -= bytes
    this.copiedBytes += bytes
    this.#sent.push(this.#claim.slice(0, bytes))
  }

  sendConstant (constant: ServerConstant, offset: number, bytes: number): number {
    const allowed = Math.min(bytes, this.credit, 65_536)
    this.credit -= allowed
    this.#sent.push(this.#constants.contents.get(constant)!.slice(offset, offset + allowed))
    return allowed
  }
}

const LIMITS: TimeLimits = { headTicks: 3, bodyTicks: 4, idleTicks: 5, lingerTicks: 2, stalledTicks: 7 }

function open (
  t: { teardown(task: () => void): void },
  constants = new FakeConstants()
): {
    link: LabLink
    channel: FakeChannel
    connection: LabConnection
    send(text: string): void
    constants: FakeConstants
    ticks(count: number): void
  } {
  const link = new LabLink(constants, LIMITS)
  t.teardown(() => {
    link.close()
  })
  const channel = new FakeChannel(constants)
  const connection = link.onChannel(channel) as LabConnection
  return {
    link,
    channel,
    connection,
    constants,
    send: (text) => {
      connection.onData(Buffer.from(text, 'latin1'), () => {
        channel.released++
      })
    },
    ticks: (count) => {
      for (let i = 0; i < count; i++) {
        link.tick++
        connection.checkTime(LIMITS)
      }
    }
  }
}

test('LabConnection sends /small and /large from constants, without a copy', (t) => {
  const { channel, send } = open(t)
  t.is(channel.accepted, 1)
  send(requestHead('GET', '/small') + requestHead('GET', '/large') + requestHead('GET', '/bytes/500000'))
  send(requestHead('GET', '/large'))
  const [small, large, , again] = parseResponses(channel.sent)
  t.is(small?.body.toString(), 'ok')
  t.is(Buffer.compare(large!.body, contentBytes(262_144)), 0)
  t.is(Buffer.compare(again!.body, contentBytes(262_144)), 0)
  t.true(channel.copiedBytes < 300, 'but for the head of /bytes/N')
  t.is(channel.released, 2)
})

test('LabConnection copies where the link has no room for constants', (t) => {
  const constants = new FakeConstants()
  constants.room = 0
  const { channel, send } = open(t, constants)
  send(requestHead('GET', '/small') + requestHead('GET', '/large') + requestHead('GET', '/bytes/400000'))
  const [small, large, bytes] = parseResponses(channel.sent)
  t.is(small?.body.toString(), 'ok')
  t.is(Buffer.compare(large!.body, contentBytes(262_144)), 0)
  t.is(Buffer.compare(bytes!.body, contentBytes(400_000)), 0)
})

for (const room of [Infinity, 0]) {
  test('LabConnection goes on wherever credit ends, and keeps nothing that it has not room to answer (constants: ' +
    `${room})`, (t) => {
    const constants = new FakeConstants()
    constants.room = room
    const { channel, connection, send } = open(t, constants)
    const requests =
      requestHead('GET', '/small') +
      requestHead('GET', '/large') +
      requestHead('HEAD', '/large') +
      requestHead('GET', '/nothing') +
      requestHead('GET', '/bytes/70000') +
      requestHead('POST', '/echo', 'Content-Length: 5') +
      'hello' +
      requestHead('GET', '/small')
    channel.credit = 0
    send(requests)
    send(requests)
    t.is(channel.released, 0)
    t.is(channel.sent.length, 0)
    for (let i = 0; i < 100_000 && channel.released < 2; i++) {
      channel.credit += 1 + (i % 7) * 300
      connection.onClaimable()
    }
    channel.credit = Infinity
    connection.onClaimable()
    const methods = ['GET', 'GET', 'HEAD', 'GET', 'GET', 'POST', 'GET']
    const replies = parseResponses(channel.sent, [...methods, ...methods])
    t.deepEqual(
      replies.map(({ status, body }) => [status, status === 404 ? 0 : body.length]),
      [...Array(2)].flatMap(() => [
        [200, 2],
        [200, 262_144],
        [200, 0],
        [404, 0],
        [200, 70_000],
        [200, 5],
        [200, 2]
      ])
    )
    t.is(Buffer.compare(replies[8]!.body, contentBytes(262_144)), 0)
    t.is(channel.released, 2)
  })
}

test('LabConnection answers what it refuses once, ends, and throws away what follows', (t) => {
  for (const [text, status] of [
    [
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: ' +
      `chunked\r\n\r\n0\r\n\r\n${requestHead('GET', '/small')}`,
      400
    ],
    [requestHead('GET', '/small').replace('1.1', '3.0'), 505],
    [requestHead('POST', '/echo', 'Content-Length: 268435457'), 413],
    [requestHead('POST', '/small', 'Content-Length: 268435457'), 413],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}`, 431],
    [requestHead('POST', '/small', 'Content-Length: 5', 'Expect: 100-continue'), 405]
  ] as const) {
    const { channel, send } = open(t)
    send(text)
    send(requestHead('GET', '/small'))
    const replies = parseResponses(channel.sent)
    t.deepEqual(
      replies.map((reply) => [reply.status, reply.headers.connection]),
      [[status, 'close']],
      text.slice(0, 60)
    )
    t.is(channel.ended, 1)
    t.is(channel.released, 2)
  }
})

test('LabConnection ends after Connection: close and for HTTP/1.0, and answers both', (t) => {
  for (const request of [
    requestHead('GET', '/large', 'Connection: close'),
    'GET /large HTTP/1.0\r\n\r\n',
    'HEAD /large HTTP/1.0\r\n\r\n'
  ]) {
    const { channel, send } = open(t)
    send(request + requestHead('GET', '/small'))
    const replies = parseResponses(channel.sent, [request.slice(0, 4).trim()])
    t.deepEqual(
      replies.map(({ status, headers }) => [status, headers['content-length'], headers.connection]),
      [[200, '262144', 'close']]
    )
    t.is(channel.ended, 1)
  }
})

test('LabConnection answers requests that came before the client ended, then ends; half a request is refused', (t) => {
  const whole = open(t)
  whole.send(requestHead('GET', '/small'))
  whole.connection.onEnd()
  t.deepEqual([parseResponses(whole.channel.sent).length, whole.channel.ended], [1, 1])

  const stalled = open(t)
  stalled.channel.credit = 10
  stalled.send(requestHead('GET', '/small') + requestHead('GET', '/health'))
  stalled.connection.onEnd()
  t.is(stalled.channel.ended, 0)
  stalled.channel.credit = Infinity
  stalled.connection.onClaimable()
  t.deepEqual([parseResponses(stalled.channel.sent).length, stalled.channel.ended], [2, 1])

  for (const half of ['GET /small HT', requestHead('POST', '/echo', 'Content-Length: 5') + 'he']) {
    const cut = open(t)
    cut.send(half)
    cut.connection.onEnd()
    t.deepEqual([parseResponses(cut.channel.sent)[0]?.status, cut.channel.ended], [400, 1])
  }
})

test('LabConnection limits the time of heads, bodies, idleness and of clients that do not end', (t) => {
  const head = open(t)
  head.send('GET /small HTTP/1.1\r\n')
  head.ticks(3)
  t.is(head.channel.sent.length, 0)
  head.ticks(1)
  t.deepEqual([parseResponses(head.channel.sent)[0]?.status, head.channel.ended, head.channel.resets], [408, 1, 0])
  head.ticks(3)
  t.is(head.channel.resets, 1)

  const body = open(t)
  body.send(requestHead('POST', '/echo', 'Content-Length: 5') + 'he')
  body.ticks(4)
  body.send('l')
  body.ticks(4)
  t.is(body.channel.sent.length, 0)
  body.ticks(1)
  t.is(parseResponses(body.channel.sent)[0]?.status, 408)

  const idle = open(t)
  idle.send(requestHead('GET', '/small'))
  idle.ticks(5)
  t.is(idle.channel.ended, 0)
  idle.ticks(1)
  t.is(idle.channel.ended, 1)

  const slow = open(t)
  slow.channel.credit = 1000
  slow.send(requestHead('GET', '/large'))
  slow.ticks(1000)
  t.deepEqual([slow.channel.ended, slow.channel.resets], [0, 0], 'a client may read as slowly as it likes')
})

test('LabConnection gives a client that takes its last response time from its last progress on', (t) => {
  const { link, channel, connection, send, ticks } = open(t)
  channel.unconfirmedBytes = 200_000
  send(requestHead('GET', '/large', 'Connection: close'))
  for (const left of [150_000, 100_000, 50_000]) {
    ticks(7)
    channel.unconfirmedBytes = left
  }
  ticks(8)
  t.is(channel.resets, 0)
  channel.unconfirmedBytes = 0
  ticks(3)
  t.is(channel.resets, 0, 'all is taken, and only now')
  send('more of an upload')
  ticks(2)
  t.is(channel.resets, 0)
  ticks(1)
  t.is(channel.resets, 1)
  connection.drain = () => { t.fail('it is still known to its link') }
  link.drain()

  const stalled = open(t)
  stalled.channel.unconfirmedBytes = 200_000
  stalled.send(requestHead('GET', '/large', 'Connection: close'))
  stalled.ticks(8)
  t.is(stalled.channel.resets, 0)
  stalled.ticks(1)
  t.is(stalled.channel.resets, 1)
})

test('LabLink counts a second once, however often its timer fires in it', async (t) => {
  let nowMs = 5998
  const times: number[] = []
  let enough!: () => void
  const done = new Promise<void>((resolve) => { enough = resolve })
  // The timer is due 1 or 2 ms later each time, and this clock runs at half its speed.
  const link = new LabLink(new FakeConstants(), LIMITS, () => {
    nowMs += 0.5
    times.push(nowMs)
    if (nowMs >= 6000) enough()
    return nowMs
  })
  t.teardown(() => { link.close() })
  // The link's own timer keeps no process alive.
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => { clearInterval(awake) })
  await done
  t.is(times.length, 4)
  t.deepEqual([link.tick, link.clock.second], [1, 6])
})

test('LabLink.drain() ends what is idle at once, and the rest after the response at hand', (t) => {
  const { link, channel, connection, send } = open(t)
  channel.credit = 1000
  send(requestHead('GET', '/large'))
  const idle = new FakeChannel(new FakeConstants())
  link.onChannel(idle)
  link.drain()
  t.deepEqual([idle.ended, channel.ended], [1, 0])
  channel.credit = Infinity
  connection.onClaimable()
  t.deepEqual([parseResponses(channel.sent)[0]?.body.length, channel.ended], [262_144, 1])
})

test('LabConnection gives back everything when it is reset', (t) => {
  const { channel, connection, send } = open(t)
  channel.credit = 5
  for (let i = 0; i < 3; i++) send(requestHead('GET', '/large'))
  connection.onReset()
  t.is(channel.released, 3)
  send('more')
  t.is(channel.released, 4)
  connection.onClaimable()
  t.is(channel.sent.length, 5)
})

test('DatedBlock changes its date in a version that nobody reads, and is copied when there is none', (t) => {
  const constants = new FakeConstants()
  const clock = { second: 0, text: new Date(0).toUTCString() }
  const block = new DatedBlock(constants, clock, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n', 'ok')
  const pass = (): void => {
    clock.second++
    clock.text = new Date(clock.second * 1000).toUTCString()
  }
  const first = block.constant!
  t.is(block.constant, first)
  t.is(
    Buffer.from(constants.contents.get(first)!).toString(),
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok'
  )
  pass()
  t.is(block.constant, first)
  t.regex(Buffer.from(constants.contents.get(first)!).toString(), /00:00:01 GMT/)
  for (let i = 0; i < 3; i++) {
    constants.reading.add(block.constant!)
    pass()
    t.false(constants.reading.has(block.constant!))
  }
  constants.reading.add(block.constant!)
  pass()
  t.is(block.constant, null)
  t.regex(Buffer.from(block.bytes).toString(), /00:00:05 GMT/)
  t.regex(Buffer.from(constants.contents.get(first)!).toString(), /00:00:01 GMT/, 'what is read stays as it is')
  t.is(constants.contents.size, 4)
  constants.reading.delete(first)
  pass()
  t.is(block.constant, first)
})

test('ContentSource sends the sequence from any place of it', (t) => {
  const constants = new FakeConstants()
  const content = new ContentSource(constants)
  const channel = new FakeChannel(constants)
  for (let at = 0; at < 1_000_000;) at += content.trySend(channel, at, 1_000_000)
  t.is(Buffer.compare(channel.sent, contentBytes(1_000_000)), 0)
})
