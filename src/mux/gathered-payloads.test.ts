import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { contentSlice } from '../base/content.js'
import { FrameFlag, FrameType, Reason } from '../frame/layout.js'
import { GatheredPayloads, MANY_PAYLOADS } from './gathered-payloads.js'
import { Role } from './hello.js'
import { DEFAULT_SESSION_OPTIONS } from './session-options.js'
import type { Endpoint } from './testing/endpoint.js'
import { createReadyVictim, frame, type RawPeer, type Side, until } from './testing/session-pair.js'

const GATHERED_BYTES = 4096
const HALF_A_WINDOW = DEFAULT_SESSION_OPTIONS.windowBytes / 2

/** A host whose client takes nothing. */
async function stalled (t: ExecutionContext): Promise<{ victim: Side, peer: RawPeer, endpoint: Endpoint }> {
  const pair = await createReadyVictim(t, Role.HOST)
  const endpoint = pair.victim.open()
  endpoint.keeps = true
  return { ...pair, endpoint }
}

/** DATA of channel 1 in frames of these lengths. */
function dataFrames (lengths: readonly number[], { end = false } = {}): Uint8Array[] {
  let position = 0
  return lengths.map((bytes, i) => {
    const payload = contentSlice(position, bytes)
    position += bytes
    return frame(FrameType.DATA, 1, { payload, flags: end && i === lengths.length - 1 ? FrameFlag.EOS : 0 })
  })
}

const ones = (count: number): number[] => new Array<number>(count).fill(1)

test('Channel hands single bytes on one by one only as long as its user holds few of them', async (t) => {
  const { peer, endpoint } = await stalled(t)
  const bytes = 50_000
  peer.inject(Buffer.concat(dataFrames(ones(bytes))))
  await until(() => peer.memory.peer.counters.framesReceived > bytes, 'all frames')
  const mostPayloads = MANY_PAYLOADS + Math.ceil(bytes / GATHERED_BYTES)
  t.true(endpoint.received.length <= mostPayloads, `${endpoint.received.length} payloads`)
  // What was gathered comes when the user has taken what it held, and all of it is there.
  endpoint.keeps = false
  endpoint.releaseKept()
  await until(() => endpoint.receivedBytes === bytes, 'the rest')
  t.is(Buffer.compare(endpoint.body, contentSlice(0, bytes)), 0)
  t.is(endpoint.events.join(), '')
})

for (const [what, last, event] of [
  ['its end', frame(FrameType.DATA, 1, { flags: FrameFlag.EOS }), 'end'],
  ['a reset', frame(FrameType.RESET, 1, { argument: Reason.CONNECTION_RESET }), `reset ${Reason.CONNECTION_RESET}`]
] as const) {
  test(`Channel hands on what it has gathered before ${what}`, async (t) => {
    const { peer, endpoint } = await stalled(t)
    peer.inject(...dataFrames(ones(1000)), last)
    await until(() => endpoint.events.length > 0, 'the last frame')
    t.deepEqual(endpoint.events, [event])
    t.is(Buffer.compare(endpoint.body, contentSlice(0, 1000)), 0)
  })
}

test('Channel keeps the order of short and long payloads, whenever its user takes them', async (t) => {
  const lengths = fc.array(
    fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 30 }) }, fc.constantFrom(1023, 1024, 4096, 30_000)),
    { minLength: 1, maxLength: 300 }
  )
  await fc.assert(fc.asyncProperty(lengths, fc.integer({ min: 1, max: 200 }), async (lengths, every) => {
    const { peer, endpoint, victim } = await stalled(t)
    let received = 0
    endpoint.onReceived = () => { if (++received % every === 0) endpoint.releaseKept() }
    const bytes = lengths.reduce((sum, length) => sum + length, 0)
    // The peer has no more credit than a window, so what comes is cut there.
    let within = 0
    const sent = lengths.filter((length) => (within += length) <= HALF_A_WINDOW)
    const sentBytes = sent.reduce((sum, length) => sum + length, 0)
    peer.inject(...dataFrames(sent, { end: true }))
    await until(() => endpoint.ended || sent.length === 0, 'the end')
    t.is(Buffer.compare(endpoint.body, contentSlice(0, sentBytes)), 0, `${bytes} bytes`)
    endpoint.releaseKept()
    await victim.finish()
  }), { numRuns: 20 })
})

test('Channel grants again what it had gathered, so the sender goes on', async (t) => {
  const { peer, endpoint } = await stalled(t)
  peer.inject(...dataFrames([...ones(2000), ...new Array<number>(Math.ceil(HALF_A_WINDOW / 1000)).fill(1000)]))
  await until(() => endpoint.received.length > MANY_PAYLOADS, 'the payloads')
  endpoint.keeps = false
  endpoint.releaseKept()
  await until(() => peer.received.some(({ type }) => type === FrameType.CREDIT), 'credit')
  t.pass()
})

test('GatheredPayloads takes short payloads as long as there is room', (t) => {
  const gathered = new GatheredPayloads()
  t.false(gathered.tryAdd(new Uint8Array(1024)))
  for (let i = 0; i < 4; i++) t.true(gathered.tryAdd(new Uint8Array(1000).fill(i)))
  t.false(gathered.tryAdd(new Uint8Array(97)))
  t.true(gathered.tryAdd(new Uint8Array(96)))
  t.deepEqual(gathered.take().length, 4096)
  t.true(gathered.isEmpty)
})
