import test from 'ava'
import fc from 'fast-check'
import { Flow, Queue, Scheduler } from './scheduler.js'

const QUANTUM_BYTES = 65_552

/** A flow whose frames are given by their lengths. */
class TestFlow extends Flow {
  readonly name: string
  frames: number[] = []
  sentBytes = 0

  constructor (name: string) {
    super()
    this.name = name
  }

  get hasFrames (): boolean { return this.frames.length > 0 }
}

/** A scheduler with the loop that a session runs around it. */
class Link {
  readonly scheduler = new Scheduler<TestFlow>(QUANTUM_BYTES)

  enqueue (flow: TestFlow, ...frames: number[]): void {
    flow.frames.push(...frames)
    this.scheduler.activate(flow)
  }

  /** Sends one frame; returns whose it was. */
  send (): TestFlow | null {
    const flow = this.scheduler.next()
    if (flow === null) return null
    const bytes = flow.frames.shift()!
    this.scheduler.charge(flow, bytes)
    flow.sentBytes += bytes
    return flow
  }
}

/** A link with `count` flows that never run empty: `frameBytes` names the frames of each. */
function saturated (
  count: number,
  frameBytes: (i: number) => number
): { link: Link; bulk: TestFlow[]; send: () => TestFlow | null } {
  const link = new Link()
  const bulk = Array.from({ length: count }, (_, i) => new TestFlow(`bulk ${i}`))
  for (const [i, flow] of bulk.entries()) link.enqueue(flow, frameBytes(i), frameBytes(i))
  const send = (): TestFlow | null => {
    const flow = link.send()
    const i = flow === null ? -1 : bulk.indexOf(flow)
    if (i >= 0) link.enqueue(flow!, frameBytes(i))
    return flow
  }
  return { link, bulk, send }
}

test('Scheduler.next() is null when no flow has a frame', (t) => {
  const link = new Link()
  t.is(link.send(), null)
  const flow = new TestFlow('one')
  link.enqueue(flow, 10)
  t.is(link.send(), flow)
  t.is(link.send(), null)
  t.is(flow.list, 'none')
})

test('Scheduler sends every frame once, each flow\'s in order, whatever is enqueued when', (t) => {
  const frame = fc.integer({ min: 16, max: QUANTUM_BYTES })
  const action = fc.oneof(
    fc.record({ flow: fc.nat(7), frames: fc.array(frame, { minLength: 1, maxLength: 5 }) }),
    fc.constant(null)
  )
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const link = new Link()
    const flows = Array.from({ length: 8 }, (_, i) => new TestFlow(String(i)))
    let waiting = 0
    for (const each of actions) {
      if (each !== null) {
        link.enqueue(flows[each.flow]!, ...each.frames)
        waiting += each.frames.length
      } else if (waiting > 0) {
        waiting--
        t.not(link.send(), null)
      } else {
        t.is(link.send(), null)
      }
    }
    for (; waiting > 0; waiting--) t.not(link.send(), null)
    t.is(link.send(), null)
    t.true(flows.every((flow) => flow.frames.length === 0 && flow.list === 'none'))
  }))
})

test('Scheduler serves a flow that becomes active next, whatever bulk there is', (t) => {
  const { link, send } = saturated(63, () => QUANTUM_BYTES)
  for (let warmUp = 0; warmUp < 1000; warmUp++) send()
  const sparse = new TestFlow('sparse')
  link.enqueue(sparse, 18)
  t.is(send(), sparse)
})

test('Scheduler serves a sparse flow next again and again, also within one round of the bulk', (t) => {
  for (const pause of [0, 1, 5, 62, 63, 64, 200]) {
    const { link, send } = saturated(63, () => QUANTUM_BYTES)
    for (let warmUp = 0; warmUp < 200; warmUp++) send()
    const sparse = new TestFlow('sparse')
    for (let request = 0; request < 100; request++) {
      link.enqueue(sparse, 18)
      t.is(send(), sparse, `response ${request} after a pause of ${pause} frames`)
      for (let i = 0; i < pause; i++) t.not(send(), sparse)
    }
  }
})

test('Scheduler keeps 63 sparse flows ahead of bulk', (t) => {
  const { link, send } = saturated(8, () => QUANTUM_BYTES)
  for (let warmUp = 0; warmUp < 100; warmUp++) send()
  const sparse = Array.from({ length: 63 }, (_, i) => new TestFlow(`sparse ${i}`))
  for (let round = 0; round < 5; round++) {
    for (const flow of sparse) link.enqueue(flow, 18)
    const served = new Set(sparse.map(() => send()!.name))
    t.deepEqual(sparse.filter(({ name }) => !served.has(name)), [])
  }
})

test('Scheduler gives bulk flows the same bytes whatever the size of their frames', (t) => {
  const sizes = [17, 100, 1500, 9000, 40_000, QUANTUM_BYTES]
  const { bulk, send } = saturated(24, (i) => sizes[i % sizes.length]!)
  while (bulk[5]!.sentBytes < 40 * QUANTUM_BYTES) {
    send()
    const sent = bulk.map((flow) => flow.sentBytes)
    // A quantum for whose turn it is, and a frame of debt on either side.
    if (Math.max(...sent) - Math.min(...sent) > 3 * QUANTUM_BYTES) {
      t.fail(`shares have drifted apart: ${sent.join(' ')}`)
    }
  }
  t.true(bulk.every((flow) => flow.sentBytes >= 37 * QUANTUM_BYTES))
})

test('Scheduler serves a frame larger than the quantum, at the same rate of bytes', (t) => {
  const { bulk, send } = saturated(2, (i) => i === 0 ? 10 * QUANTUM_BYTES : QUANTUM_BYTES)
  for (let i = 0; i < 1100; i++) send()
  t.true(Math.abs(bulk[0]!.sentBytes - bulk[1]!.sentBytes) <= 11 * QUANTUM_BYTES)
})

test('Scheduler starves no bulk flow, however many sparse flows come back for ever', (t) => {
  // Active again this many frames later: at 0 the scheduler never sees the flow empty, later it does.
  for (const [pause, frameBytes] of [
    [0, 4096],
    [1, 4096],
    [2, 4096],
    [10, 4096],
    [63, 4096],
    [1, QUANTUM_BYTES],
    [2, QUANTUM_BYTES - 1]
  ] as const) {
    const { link, bulk, send } = saturated(4, () => QUANTUM_BYTES)
    const sparse = Array.from({ length: 64 }, (_, i) => new TestFlow(`sparse ${i}`))
    for (const flow of sparse) link.enqueue(flow, frameBytes)
    const sent: Array<TestFlow | null> = []
    for (let i = 0; i < 20_000; i++) {
      sent.push(send())
      const back = sent[i - pause]
      if (back?.name.startsWith('sparse') === true) link.enqueue(back, frameBytes)
    }
    const least = Math.min(...bulk.map((flow) => flow.sentBytes))
    const most = Math.max(...sparse.map((flow) => flow.sentBytes))
    t.true(least > 0)
    // A flow that empties now and then is forgiven the debt of its last frame each time: at worst a frame above its
    // quantum a round.
    t.true(
      most <= 2 * least + 3 * QUANTUM_BYTES,
      `at a pause of ${pause} a flow that returns with ${frameBytes} bytes got ${most} bytes, a bulk flow ${least}`
    )
  }
})

test('Scheduler gives a flow that was sparse, and then is not, one turn a round like the others', (t) => {
  const { link, bulk, send } = saturated(8, () => QUANTUM_BYTES)
  const flow = new TestFlow('sparse, then bulk')
  for (let i = 0; i < 200; i++) {
    link.enqueue(flow, 18)
    send()
    send()
  }
  const before = bulk.map(({ sentBytes }) => sentBytes)
  flow.sentBytes = 0
  for (let i = 0; i < 900; i++) {
    link.enqueue(flow, QUANTUM_BYTES)
    send()
  }
  const shares = [flow.sentBytes, ...bulk.map(({ sentBytes }, i) => sentBytes - before[i]!)]
  t.true(Math.max(...shares) - Math.min(...shares) <= 3 * QUANTUM_BYTES, shares.join(' '))
})

test('Scheduler.activate() is harmless when repeated', (t) => {
  const link = new Link()
  const [a, b] = [new TestFlow('a'), new TestFlow('b')]
  link.enqueue(a, 10, 10)
  link.enqueue(b, 10)
  for (let i = 0; i < 10; i++) link.scheduler.activate(a)
  t.deepEqual([link.send(), link.send(), link.send(), link.send()], [a, a, b, null])
})

test('Scheduler forgets a flow that lost its frames', (t) => {
  const { link, send, bulk } = saturated(2, () => QUANTUM_BYTES)
  const reset = new TestFlow('reset')
  link.enqueue(reset, 10)
  reset.frames = []
  for (let i = 0; i < 6; i++) t.true(bulk.includes(send()!))
  t.is(reset.list, 'none')
})

test('Queue is an Array with push(), shift(), first and length', (t) => {
  const actions = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.nat(5).map((n) => n + 1) }, { weight: 2, arbitrary: fc.constant(0) }),
    { maxLength: 600, size: 'max' }
  )
  fc.assert(fc.property(actions, fc.integer({ min: 1, max: 60 }), (sequence, factor) => {
    const queue = new Queue<number>()
    const twin: number[] = []
    let next = 0
    for (const action of sequence) {
      if (action > 0) {
        for (let i = 0; i < action; i++) {
          queue.push(next)
          twin.push(next++)
        }
      } else {
        for (let i = 0; i < factor; i++) if (queue.shift() !== twin.shift()) t.fail('shift() differs')
      }
      if (queue.first !== twin[0] || queue.length !== twin.length) t.fail('first or length differs')
    }
    while (twin.length > 0) if (queue.shift() !== twin.shift()) t.fail('shift() differs at the end')
    t.is(queue.shift(), undefined)
    t.is(queue.length, 0)
  }))
})
