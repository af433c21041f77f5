import { readdirSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { SegmentOffset, WordOffset } from './layout.js'
import { memfdMemory } from './memfd-memory.js'
import type { SegmentMemory } from './segment-memory.js'
import { DEFAULT_SEGMENT_SIZES, layOut } from './segment-sizes.js'
import { sharedArrayMemory } from './shared-array-memory.js'
import { SMALLEST_SIZES } from './testing/arbitrary-sizes.js'

/** What holds for both kinds of memory, with both sides in one thread. */
const kinds: Array<[name: string, memory: SegmentMemory, register: typeof test | typeof test.skip]> = [
  ['sharedArrayMemory', sharedArrayMemory(), test],
  ['memfdMemory', memfdMemory(), process.platform === 'linux' ? test : test.skip]
]

function refusal (t: ExecutionContext, action: () => unknown): TunnelError {
  return t.throws(action, { instanceOf: TunnelError })
}

for (const [name, memory, onSystem] of kinds) {
  onSystem(`${name}() gives both sides one memory, zero but for its header`, (t) => {
    memory.check()
    const request = memory.request()
    const { segment: host, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
    const plugin = request.attach(ticket)
    settle()
    settle()
    t.deepEqual(host.layout, layOut(SMALLEST_SIZES))
    t.deepEqual(plugin.layout, host.layout)
    const [ours, theirs] = [new Uint8Array(host.buffer), new Uint8Array(plugin.buffer)]
    t.is(ours.length, host.layout.totalBytes)
    t.is(theirs.length, ours.length)
    t.true(ours.subarray(SegmentOffset.NONCE + 16).every((byte) => byte === 0))
    ours[ours.length - 1] = 1
    theirs[WordOffset.ATTACHED] = 2
    t.is(theirs[ours.length - 1], 1)
    t.is(ours[WordOffset.ATTACHED], 2)
    plugin.free()
    host.free()
  })

  onSystem(`${name}() makes the default sizes, and memory of its own for every request`, (t) => {
    const pairs = [memory.request(), memory.request()].map((request) => ({
      request,
      offer: memory.offer(request.bytes, DEFAULT_SEGMENT_SIZES)
    }))
    const segments = pairs.map(({ request, offer }) => {
      const plugin = request.attach(offer.ticket)
      offer.settle()
      return { plugin, host: offer.segment }
    })
    new Uint8Array(segments[0]!.host.buffer).fill(7, 128)
    t.is(new Uint8Array(segments[0]!.plugin.buffer)[128], 7)
    t.is(new Uint8Array(segments[1]!.plugin.buffer)[128], 0)
    for (const { plugin, host } of segments) {
      plugin.free()
      host.free()
    }
  })

  onSystem(`${name}() lets one side go on when the other has freed, and views be touched after that`, (t) => {
    const request = memory.request()
    const offer = memory.offer(request.bytes, SMALLEST_SIZES)
    const plugin = request.attach(offer.ticket)
    offer.settle()
    const views = [plugin, offer.segment].map(({ buffer }) => new Uint8Array(buffer))
    views[0]!.fill(9, 128)
    plugin.free()
    t.is(views[1]!.at(-1), 9)
    views[0]!.fill(1)
    views[1]!.fill(2)
    offer.segment.free()
    plugin.free()
    for (const view of views) {
      view.fill(3)
      t.is(view.at(-1), 3)
    }
  })

  onSystem(`${name}() request.attach() takes no ticket of another request, and is over then`, (t) => {
    const [mine, other] = [memory.request(), memory.request()]
    const offer = memory.offer(other.bytes, SMALLEST_SIZES)
    const error = refusal(t, () => mine.attach(offer.ticket))
    t.is(error.code, ErrorCode.PROTOCOL)
    t.regex(error.message, /nonce of this request/)
    t.is(refusal(t, () => mine.attach(offer.ticket)).code, ErrorCode.CLOSED)
    const plugin = other.attach(offer.ticket)
    t.is(refusal(t, () => other.attach(offer.ticket)).code, ErrorCode.CLOSED)
    offer.settle()
    plugin.free()
    offer.segment.free()
  })

  onSystem(`${name}() request.cancel() ends it, at any time`, (t) => {
    const request = memory.request()
    const { segment, ticket, settle } = memory.offer(request.bytes, SMALLEST_SIZES)
    request.cancel()
    t.is(refusal(t, () => request.attach(ticket)).code, ErrorCode.CLOSED)
    request.cancel()
    settle()
    segment.free()
  })

  onSystem(`${name}() offer() refuses sizes that break a rule`, (t) => {
    t.is(refusal(t, () => memory.offer(memory.request().bytes, { ...SMALLEST_SIZES, slots: 0 })).code, ErrorCode.USAGE)
  })

  onSystem(`${name}() refuses garbage for a request or a ticket, and fails in no other way`, (t) => {
    const tunnelErrors = (action: () => unknown): boolean => {
      try {
        action()
      } catch (error) {
        return (
          error instanceof TunnelError && (error.code === ErrorCode.PROTOCOL || error.code === ErrorCode.UNAVAILABLE)
        )
      }
      return false
    }
    const { bytes } = memory.request()
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 24, maxLength: 24 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
      fc
        .tuple(fc.nat(3), fc.integer({ min: 3, max: 255 }))
        .map(([at, to]) => bytes.map((byte, i) => (i === at ? to : byte)))
    )
    fc.assert(
      fc.property(
        garbage,
        (any) =>
          tunnelErrors(() => memory.offer(any, SMALLEST_SIZES)) && tunnelErrors(() => memory.request().attach(any))
      )
    )
    t.pass()
  })

  onSystem(`${name}() tells the two sides when they have chosen different kinds`, (t) => {
    const [, other] = kinds.find(([otherName]) => otherName !== name)!
    if (process.platform !== 'linux') return t.pass()
    const error = refusal(t, () => memory.offer(other.request().bytes, SMALLEST_SIZES))
    t.is(error.code, ErrorCode.UNAVAILABLE)
    t.regex(error.message, new RegExp(`this side shares a ${memory.kind} and the peer a ${other.kind}`))
  })
}

if (process.platform === 'linux') {
  for (const [name, memory] of kinds) {
    test(`${name}() leaves no descriptor open, on success and on failure`, (t) => {
      // No other test runs between these lines: all of it is synchronous.
      memory.check()
      const before = readdirSync('/proc/self/fd')
      const request = memory.request()
      const offer = memory.offer(request.bytes, SMALLEST_SIZES)
      const plugin = request.attach(offer.ticket)
      t.is(
        readdirSync('/proc/self/fd').length,
        before.length + (memory.kind === 'memfd' ? 1 : 0),
        'the offer holds one'
      )
      offer.settle()
      t.deepEqual(readdirSync('/proc/self/fd'), before)
      refusal(t, () => memory.request().attach(offer.ticket))
      refusal(t, () => memory.offer(new Uint8Array(24), SMALLEST_SIZES))
      t.deepEqual(readdirSync('/proc/self/fd'), before)
      plugin.free()
      offer.segment.free()
    })
  }
}
