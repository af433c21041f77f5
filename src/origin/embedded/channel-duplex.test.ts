import { once } from 'node:events'
import test from 'ava'
import { ChannelDuplex } from './channel-duplex.js'
import type { ServerChannel } from './server-channel.js'

/** A channel whose client takes nothing but what a test lets it. */
class FakeChannel implements ServerChannel {
  readonly addresses = null
  readonly events: string[] = []
  credit = 0
  unconfirmedBytes = 0
  #claim = Buffer.alloc(0)

  accept (): void {}
  sendConstant (): number { return 0 }
  end (): void { if (!this.events.includes('end')) this.events.push('end') }
  reset (): void { this.events.push('reset') }

  claim (bytes = Infinity): Uint8Array | null {
    this.#claim = Buffer.alloc(Math.min(bytes, this.credit))
    return this.#claim.length === 0 ? null : this.#claim
  }

  commit (bytes: number): void {
    this.credit -= bytes
    this.unconfirmedBytes += bytes
    this.events.push(this.#claim.toString('latin1', 0, bytes))
  }
}

const isNodeAskedFor = (): boolean => process.getActiveResourcesInfo().includes('Immediate')

// A loop of an engine's own runs for as long as it likes otherwise, and the answer of a server waits that long.
for (const [event, happen] of [
  ['data', (duplex) => { duplex.onData(Buffer.from('GET'), () => {}) }],
  ['the end', (duplex) => { duplex.onEnd() }],
  ['room', (duplex) => { duplex.onClaimable() }]
] as const satisfies ReadonlyArray<[string, (duplex: ChannelDuplex) => void]>) {
  test.serial(`ChannelDuplex asks for Node's turn after ${event}`, async (t) => {
    while (isNodeAskedFor()) await new Promise((resolve) => { setTimeout(resolve, 1) })
    happen(new ChannelDuplex(new FakeChannel()))
    t.true(isNodeAskedFor())
  })
}

const LIMITS = { lingerMs: 10, stalledMs: 100_000 }

for (const [how, destroy] of [
  ['destroy()', (duplex) => { duplex.destroy() }],
  ['destroy() with an error', (duplex) => { duplex.destroy(new Error('of the program')) }],
  ['end() and destroy()', (duplex) => { duplex.end().destroy() }],
  ['destroySoon() and destroy()', (duplex) => {
    duplex.destroySoon()
    duplex.destroy()
  }]
] as const satisfies ReadonlyArray<[string, (duplex: ChannelDuplex) => void]>) {
  test(`${how} lets what was written leave as the client takes it, and then ends`, async (t) => {
    const channel = new FakeChannel()
    channel.credit = 2
    const duplex = new ChannelDuplex(channel, LIMITS)
    t.teardown(() => { duplex.onDone() })
    duplex.on('error', () => {})
    const chunk = Buffer.from('abcd')
    for (const piece of [chunk, 'ef', 'gh']) duplex.write(piece)
    t.is(duplex.bytesWritten, 8)
    destroy(duplex)
    await new Promise((resolve) => { duplex.once('close', resolve) })
    // The program may use its memory again.
    chunk.fill('x')
    channel.credit = 3
    duplex.onClaimable()
    t.deepEqual(channel.events, ['ab', 'cde'])
    channel.credit = 100
    duplex.onClaimable()
    t.deepEqual(channel.events, ['ab', 'cde', 'fgh', 'end'])
  })
}

test('resetAndDestroy() resets, and nothing else leaves', async (t) => {
  const channel = new FakeChannel()
  const duplex = new ChannelDuplex(channel, LIMITS)
  duplex.write('abcd')
  duplex.resetAndDestroy()
  channel.credit = 100
  duplex.onClaimable()
  t.deepEqual(channel.events, ['reset'])
  t.deepEqual(await once(duplex, 'close'), [false])
})

test('what a client sends to a closed connection is thrown away, and one that stands still is cut off', async (t) => {
  const channel = new FakeChannel()
  const cut = new Promise<void>((resolve) => { channel.reset = resolve })
  const duplex = new ChannelDuplex(channel, LIMITS)
  duplex.destroy()
  let released = 0
  duplex.onData(Buffer.from('more'), () => { released++ })
  t.is(released, 1)
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => { clearInterval(awake) })
  await cut
  duplex.onData(Buffer.from('late'), () => { released++ })
  t.is(released, 2)
})

test('a client that still takes the last response is not cut off, and one that stalls is', async (t) => {
  const channel = new FakeChannel()
  let isCut = false
  const cut = new Promise<void>((resolve) => {
    channel.reset = () => {
      isCut = true
      resolve()
    }
  })
  channel.unconfirmedBytes = 30
  const limits = { lingerMs: 5, stalledMs: 15 }
  const duplex = new ChannelDuplex(channel, limits)
  duplex.destroy()
  // It takes a byte whenever the connection looks, for much longer than it may stand still.
  let looks = 0
  const moving = new Promise<void>((resolve) => {
    Object.defineProperty(channel, 'unconfirmedBytes', {
      configurable: true,
      get: () => {
        if (++looks === 20) resolve()
        return 30 - Math.min(looks, 20)
      }
    })
  })
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => { clearInterval(awake) })
  await Promise.race([moving, cut])
  t.false(isCut)
  await cut
  t.is(looks, 20 + limits.stalledMs / limits.lingerMs)
})

test('what was sent before a reset is read, and then the error', async (t) => {
  const channel = new FakeChannel()
  const duplex = new ChannelDuplex(channel)
  let released = 0
  for (const piece of ['a'.repeat(70_000), 'b'.repeat(70_000)]) duplex.onData(Buffer.from(piece), () => { released++ })
  duplex.onReset()
  t.false(duplex.destroyed)
  let text = ''
  const failed = once(duplex.on('data', (piece: Buffer) => { text += piece.toString() }), 'error')
  await t.throwsAsync(once(duplex, 'close'), { code: 'ECONNRESET' })
  t.is((await failed).length, 1)
  t.is(text.length, 140_000)
  t.is(released, 2)
  t.deepEqual(channel.events, [])
})

test('a write that waits for a client that resets fails', async (t) => {
  const duplex = new ChannelDuplex(new FakeChannel())
  duplex.onData(Buffer.from('unread'), () => {})
  duplex.write('abcd')
  duplex.onReset()
  await t.throwsAsync(once(duplex, 'close'), { code: 'ECONNRESET' })
})

test('timeout is what was set, and undefined before, as with net.Socket', (t) => {
  const duplex = new ChannelDuplex(new FakeChannel(), LIMITS)
  t.is(duplex.timeout, undefined)
  t.is(duplex.setTimeout(5_000).timeout, 5_000)
  t.is(duplex.setTimeout(0).timeout, 0)
})
