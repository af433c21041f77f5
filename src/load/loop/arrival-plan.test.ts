import test from 'ava'
import fc from 'fast-check'
import { ArrivalPlan, type OpenPace } from './arrival-plan.js'

const START_NS = 5_000

function paceOf (changes: Partial<OpenPace> = {}): OpenPace {
  return { kind: 'open', ratePerSec: 1_000, arrivals: 'poisson', seed: 1, maxConnections: 1, ...changes }
}

function starts (pace: OpenPace, count: number): number[] {
  const plan = new ArrivalPlan(pace, START_NS)
  return Array.from({ length: count }, () => {
    const { nextNs } = plan
    plan.advance()
    return nextNs
  })
}

test('ArrivalPlan of constant arrivals begins at once and never drifts, whatever the rate', (t) => {
  t.deepEqual(
    starts(paceOf({ arrivals: 'constant', ratePerSec: 3 }), 4),
    [0, 333_333_333, 666_666_667, 1e9].map((offset) => START_NS + offset)
  )
  for (const ratePerSec of [0.5, 7, 50_000]) {
    t.is(starts(paceOf({ arrivals: 'constant', ratePerSec }), 100_001).at(-1), START_NS + Math.round(1e14 / ratePerSec))
  }
})

test('ArrivalPlan of any number of threads together is the plan of one', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('constant' as const, 'poisson' as const),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(),
      (arrivals, every, seed) => {
        const pace = paceOf({ arrivals, seed })
        const shares = Array.from({ length: every }, (_, first) => starts({ ...pace, share: { first, every } }, 40))
        t.deepEqual(
          shares.flat().sort((a, b) => a - b),
          starts(pace, 40 * every)
        )
      }
    ),
    { numRuns: 40 }
  )
})

test('ArrivalPlan ends after its limit', (t) => {
  const plan = new ArrivalPlan(paceOf({ arrivals: 'constant', share: { first: 1, every: 2 } }), START_NS, 2)
  const passed: number[] = []
  plan.advanceTo(Infinity, (intendedNs) => passed.push(intendedNs))
  t.deepEqual(passed, [START_NS + 1e6, START_NS + 3e6])
  t.is(plan.nextNs, Infinity)
})

test('ArrivalPlan of Poisson arrivals depends on the seed and on nothing else', (t) => {
  t.deepEqual(starts(paceOf(), 100), starts(paceOf(), 100))
  t.notDeepEqual(starts(paceOf(), 100), starts(paceOf({ seed: 2 }), 100))
})

/**
 * Kolmogorov and Smirnov's distance to the exponential distribution; 1.63 / √n is exceeded by one sample in a hundred.
 */
test('ArrivalPlan of Poisson arrivals has exponential gaps (Kolmogorov-Smirnov, 1 %)', (t) => {
  const count = 20_000
  const times = [START_NS, ...starts(paceOf(), count)]
  const gaps = times.slice(1).map((time, i) => time - times[i]!).sort((a, b) => a - b)
  const distance = Math.max(...gaps.map((gapNs, i) => {
    const expected = 1 - Math.exp(-gapNs / 1e6)
    return Math.max(Math.abs((i + 1) / count - expected), Math.abs(i / count - expected))
  }))
  t.true(distance < 1.63 / Math.sqrt(count), String(distance))
})

/**
 * Counts in intervals that do not overlap are independent, with their mean as variance: index of dispersion, and
 * correlation of neighbours.
 */
test('ArrivalPlan of Poisson arrivals has independent counts per interval (dispersion and correlation, 1 %)', (t) => {
  const intervals = 2_000
  const counts = new Array<number>(intervals).fill(0)
  const plan = new ArrivalPlan(paceOf(), 0)
  plan.advanceTo(intervals * 10e6, (intendedNs) => { counts[Math.floor(intendedNs / 10e6)]!++ })
  const mean = counts.reduce((sum, count) => sum + count, 0) / intervals
  const squares = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0)
  t.true(Math.abs(mean - 10) < 2.58 * Math.sqrt(10 / intervals), `mean ${mean}`)
  // Chi-square with n - 1 degrees of freedom, which is nearly normal.
  t.true(
    Math.abs(squares / mean - (intervals - 1)) < 2.58 * Math.sqrt(2 * (intervals - 1)),
    `dispersion ${squares / mean / (intervals - 1)}`
  )
  const products = counts.slice(1).reduce((sum, count, i) => sum + (count - mean) * (counts[i]! - mean), 0)
  t.true(Math.abs(products / squares) < 2.58 / Math.sqrt(intervals), `correlation ${products / squares}`)
})
