import test from 'ava'
import fc from 'fast-check'
import { ErrorCode } from '../base/errors.js'
import { RingConsumer, RingProducer } from './ring.js'
import { explore, printSchedule } from './testing/explorer.js'
import { ringModel, type RingModelOptions } from './testing/ring-model.js'

// --- Every interleaving

const explorations: Array<[what: string, options: RingModelOptions]> = [
  ['2 entries', { capacity: 2, count: 9, start: 0 }],
  ['2 entries, below 2^32', { capacity: 2, count: 9, start: -3 }],
  ['4 entries, below 2^31', { capacity: 4, count: 13, start: 0x7FFF_FFFB }],
  ['a return ring of 2', { capacity: 2, count: 9, start: -3, isReturn: true }],
  ['a return ring of 4', { capacity: 4, count: 13, start: 0x7FFF_FFFB, isReturn: true }]
]

for (const [what, options] of explorations) {
  test(`every interleaving of RingProducer and RingConsumer is right: ${what}`, (t) => {
    const { states, transitions, failure } = explore(ringModel(options))
    t.log(`${states} states, ${transitions} transitions`)
    t.is(failure, null, failure === null ? '' : printSchedule(failure))
    t.true(states > 200)
  })
}

const broken: Array<[what: string, mistake: Partial<RingModelOptions>]> = [
  ['an entry that is published before it is written', { publishesFirst: true }],
  ['an entry that is given back before it is read', { readsLate: true }],
  ['a ring with one entry less than the producer believes', { excess: 1 }],
  ['an entry of a return ring that is published before it is written', { publishesFirst: true, isReturn: true }]
]

for (const [what, mistake] of broken) {
  test(`explore() finds ${what}`, (t) => {
    const { states, failure } = explore(ringModel({ capacity: 2, count: 4, start: 0, ...mistake }))
    t.not(failure, null)
    t.log(`${states} states\n${printSchedule(failure!)}`)
  })
}

// --- Positions

const PLACES = [0, 5, 0x7FFF_FFF0, 0x7FFF_FFFF, -16, -1] as const
const WRITE = 0
const READ = 1

function makeRing (
  capacity: number,
  start: number
): { words: Int32Array; producer: RingProducer; consumer: RingConsumer } {
  const words = new Int32Array(new SharedArrayBuffer(8)).fill(start)
  return {
    words,
    producer: new RingProducer(words, WRITE, READ, capacity, start),
    consumer: new RingConsumer(words, WRITE, READ, capacity, start)
  }
}

for (const start of PLACES) {
  for (const capacity of [2, 4, 64]) {
    test(`a ring of ${capacity} is full and empty at exactly the right entries, from position ${start}`, (t) => {
      const { words, producer, consumer } = makeRing(capacity, start)
      for (let round = 0; round < 3 + 40 / capacity; round++) {
        t.false(consumer.refresh())
        t.is(consumer.tryNext(), -1)
        const first = (start + round * capacity) | 0
        for (let i = 0; i < capacity; i++) {
          t.is(producer.used, i)
          t.is(producer.tryNext(), (first + i) & (capacity - 1))
        }
        t.is(producer.tryNext(), -1)
        t.false(producer.refresh())
        t.is(producer.tryNext(), -1)
        t.true(producer.publish())
        t.false(producer.publish())
        t.is(words[WRITE], (first + capacity) | 0)
        t.true(consumer.refresh())
        for (let i = 0; i < capacity; i++) t.is(consumer.tryNext(), (first + i) & (capacity - 1))
        t.is(consumer.tryNext(), -1)
        t.is(consumer.taken, (first + capacity) | 0)
        t.is(words[READ], first)
        t.true(consumer.publish())
        t.false(consumer.publish())
        t.is(words[READ], (first + capacity) | 0)
        t.true(producer.refresh())
        t.is(producer.used, 0)
        t.is(producer.taken, (first + capacity) | 0)
      }
    })
  }

  test(`RingProducer.refresh() refuses every read position that cannot be, from position ${start}`, (t) => {
    for (const [published, read] of [[0, 0], [1, 0], [3, 1], [4, 0], [4, 4], [6, 3]] as const) {
      const { words, producer, consumer } = makeRing(4, start)
      for (let i = 0; i < published; i++) {
        if (i === 4) takeAndPublish(consumer, read)
        producer.refresh()
        producer.tryNext()
        producer.publish()
      }
      takeAndPublish(consumer, read - ((consumer.taken - start) | 0))
      producer.refresh()
      // Written and not published: the peer cannot have read it.
      producer.tryNext()
      for (const [distance, isRight] of positions(read, published)) {
        words[READ] = (start + distance) | 0
        const before = producer.taken
        if (isRight) {
          t.notThrows(() => producer.refresh())
          Object.assign(producer, { seenRead: before })
        } else {
          t.throws(
            () => producer.refresh(),
            { code: ErrorCode.PROTOCOL, message: /read position must be from/ },
            `${published} published, ${read} read, claimed ${distance}`
          )
          t.is(producer.taken, before)
        }
      }
    }
  })

  test(`RingConsumer.refresh() refuses every write position that cannot be, from position ${start}`, (t) => {
    for (const [written, taken] of [[0, 0], [1, 0], [3, 1], [4, 0], [4, 4]] as const) {
      const { words, producer, consumer } = makeRing(4, start)
      for (let i = 0; i < written; i++) producer.tryNext()
      producer.publish()
      takeAndPublish(consumer, taken)
      for (const [distance, isRight] of positions(written, taken + 4)) {
        words[WRITE] = (start + distance) | 0
        if (isRight) {
          t.is(consumer.refresh(), distance > taken)
          Object.assign(consumer, { seenWrite: (start + written) | 0 })
        } else {
          t.throws(
            () => consumer.refresh(),
            { code: ErrorCode.PROTOCOL, message: /write position must be from/ },
            `${written} written, ${taken} taken, claimed ${distance}`
          )
          t.is(consumer.taken, (start + taken) | 0)
        }
      }
    }
  })
}

function takeAndPublish (consumer: RingConsumer, count: number): void {
  consumer.refresh()
  for (let i = 0; i < count; i++) consumer.tryNext()
  consumer.publish()
}

/** Positions near and far, as distances from the start, and whether they are from `lowest` to `highest`. */
function positions (lowest: number, highest: number): Array<[distance: number, isRight: boolean]> {
  const distances = [0x7FFF_FFFF, -0x8000_0000, -0x7FFF_FFFF, 0x4000_0000, -0x4000_0000, 65_536, -65_536, 1000]
  for (let distance = -6; distance <= 16; distance++) distances.push(distance)
  return distances.map((distance) => [distance, distance >= lowest && distance <= highest])
}

test('RingConsumer.publish() tells nobody where the ring has no read position', (t) => {
  const words = new Int32Array([0, 7])
  const producer = new RingProducer(words, WRITE, -1, 4)
  const consumer = new RingConsumer(words, WRITE, -1, 4)
  producer.next()
  producer.publish()
  consumer.refresh()
  t.is(consumer.tryNext(), 0)
  t.false(consumer.publish())
  t.deepEqual([...words], [1, 7])
})

test('RingProducer and RingConsumer behave as an array', (t) => {
  const command = fc.constantFrom(
    'write',
    'write',
    'write',
    'publish',
    'look for room',
    'take',
    'take',
    'take',
    'give back',
    'look for entries'
  )
  fc.assert(
    fc.property(
      fc.constantFrom(2, 4, 8),
      fc.oneof(fc.constantFrom(...PLACES), fc.integer()),
      fc.array(command, { maxLength: 200 }),
      (capacity, start, commands) => {
        const { producer, consumer } = makeRing(capacity, start | 0)
        const entries = new Int32Array(capacity)
        /**
         * All numbers ever written; the positions of both sides in it, private, published, and as the other one saw
         * them last.
         */
        const model = { written: 0, published: 0, seenWritten: 0, taken: 0, givenBack: 0, seenTaken: 0 }
        for (const command of commands) {
          if (command === 'write') {
            const place = producer.tryNext()
            t.is(place < 0, model.written - model.seenTaken === capacity)
            if (place >= 0) entries[place] = model.written++
          } else if (command === 'publish') {
            t.is(producer.publish(), model.written > model.published)
            model.published = model.written
          } else if (command === 'look for room') {
            t.is(producer.refresh(), model.givenBack > model.seenTaken)
            model.seenTaken = model.givenBack
          } else if (command === 'take') {
            const place = consumer.tryNext()
            t.is(place < 0, model.taken === model.seenWritten)
            if (place >= 0) t.is(entries[place], model.taken++)
          } else if (command === 'give back') {
            t.is(consumer.publish(), model.taken > model.givenBack)
            model.givenBack = model.taken
          } else {
            model.seenWritten = model.published
            t.is(consumer.refresh(), model.seenWritten > model.taken)
          }
          t.is(producer.used, model.written - model.seenTaken)
          t.is(consumer.taken, (start + model.taken) | 0)
          t.is(producer.taken, (start + model.seenTaken) | 0)
        }
      }
    ),
    { numRuns: 300 }
  )
})
