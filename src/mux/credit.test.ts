import test from 'ava'
import fc from 'fast-check'
import { ReceiveCredit, SendCredit } from './credit.js'

const windowBytes = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1024, max: 1024 * 1024 * 1024 }))

/** Both ends of one direction and what is on its way between them. */
class Direction {
  readonly sender: SendCredit
  readonly receiver: ReceiveCredit
  readonly windowBytes: number
  dataInFlight: number[] = []
  grantsInFlight: number[] = []
  /** Received and not consumed. */
  keptBytes = 0
  /** Consumed and not granted, as a plain sum beside the subject's own. */
  consumedBytes = 0
  grants = 0

  constructor (windowBytes: number) {
    this.windowBytes = windowBytes
    this.sender = new SendCredit(windowBytes)
    this.receiver = new ReceiveCredit(windowBytes)
  }

  /** Takes one step; `share` (0 to 1) is how much of what is possible. False: this step breaks the protocol. */
  step (kind: 'send' | 'receive' | 'consume' | 'grant', share: number): boolean {
    switch (kind) {
      case 'send': {
        const bytes = Math.ceil(this.sender.available * share)
        if (bytes === 0) return true
        this.sender.spend(bytes)
        this.dataInFlight.push(bytes)
        return true
      }
      case 'receive': {
        const bytes = this.dataInFlight.shift() ?? 0
        this.keptBytes += bytes
        return this.receiver.tryReceive(bytes)
      }
      case 'consume': {
        const bytes = Math.ceil(this.keptBytes * share)
        this.keptBytes -= bytes
        this.consumedBytes += bytes
        const grant = this.receiver.consume(bytes)
        if (grant > 0) {
          this.grants++
          this.consumedBytes -= grant
          this.grantsInFlight.push(grant)
        }
        return true
      }
      case 'grant': {
        const bytes = this.grantsInFlight.shift()
        return bytes === undefined || this.sender.tryGrant(bytes)
      }
    }
  }

  get accountedBytes (): number {
    return (
      this.sender.available + sum(this.dataInFlight) + this.keptBytes + this.consumedBytes + sum(this.grantsInFlight)
    )
  }
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('send' as const, 'receive' as const, 'consume' as const, 'grant' as const),
    fc.double({ min: 0, max: 1, noNaN: true })
  ),
  { maxLength: 200 }
)

test('credit is neither lost nor made, in whatever order both sides act', (t) => {
  fc.assert(fc.property(windowBytes, steps, (bytes, sequence) => {
    const direction = new Direction(bytes)
    for (const [kind, share] of sequence) {
      t.true(direction.step(kind, share), kind)
      t.is(direction.accountedBytes, bytes)
      t.true(direction.sender.available >= 0)
      t.true(direction.consumedBytes * 2 < bytes, 'never keeps half a window back')
    }
  }))
})

test('credit never runs dry for good: when all is consumed the sender has at least half a window', (t) => {
  fc.assert(fc.property(windowBytes, steps, (bytes, sequence) => {
    const direction = new Direction(bytes)
    for (const [kind, share] of sequence) direction.step(kind, share)
    while (direction.dataInFlight.length > 0) direction.step('receive', 1)
    direction.step('consume', 1)
    while (direction.grantsInFlight.length > 0) direction.step('grant', 1)
    t.true(direction.sender.available * 2 > bytes)
  }))
})

test('credit stops a sender whose receiver consumes nothing after exactly the window', (t) => {
  const direction = new Direction(1000)
  for (let i = 0; i < 50; i++) direction.step('send', 0.1)
  t.is(direction.sender.available, 0)
  t.is(sum(direction.dataInFlight), 1000)
})

test('ReceiveCredit.consume() grants in batches of at least half the window', (t) => {
  fc.assert(
    fc.property(
      windowBytes,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 100 }),
      (bytes, shares) => {
        const credit = new ReceiveCredit(bytes)
        let consumed = 0
        let granted = 0
        for (const share of shares) {
          const step = Math.ceil(share * (bytes - consumed + granted))
          credit.tryReceive(step)
          const grant = credit.consume(step)
          consumed += step
          granted += grant
          t.true(grant === 0 || grant * 2 >= bytes)
        }
        t.true(consumed - granted < bytes / 2)
      }
    )
  )
})

test('ReceiveCredit.tryReceive() finds the first byte too many, and takes nothing of it', (t) => {
  const credit = new ReceiveCredit(1000)
  t.true(credit.tryReceive(999))
  t.false(credit.tryReceive(2))
  t.true(credit.tryReceive(1))
  t.false(credit.tryReceive(1))
  t.is(credit.consume(499), 0)
  t.false(credit.tryReceive(1), 'consumed is not granted')
  t.is(credit.consume(1), 500)
  t.true(credit.tryReceive(500))
  t.false(credit.tryReceive(1))
})

test('SendCredit.tryGrant() finds a grant beyond the window, and takes nothing of it', (t) => {
  const credit = new SendCredit(1000)
  t.false(credit.tryGrant(1))
  t.is(credit.available, 1000)
  credit.spend(600)
  t.false(credit.tryGrant(601))
  t.false(credit.tryGrant(0xffffffff))
  t.is(credit.available, 400)
  t.true(credit.tryGrant(600))
  t.is(credit.available, 1000)
})
