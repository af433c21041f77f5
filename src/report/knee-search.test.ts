import test from 'ava'
import fc from 'fast-check'
import { seededRandom } from '../base/random.js'
import { type Knee, KneeSearch } from './knee-search.js'

const BOUNDS = { lowestPerSec: 10, highestPerSec: 1_000_000, precision: 0.03 }

/** Probes until the search is over. */
function searchWith (guessPerSec: number, isMet: (ratePerSec: number) => boolean, bounds = BOUNDS): { knee: Knee, probed: number[] } {
  const search = new KneeSearch(guessPerSec, bounds)
  const probed: number[] = []
  for (let rate = search.next(); rate !== null; rate = search.next()) {
    if (probed.length > 1_000) throw new Error('the search does not end')
    probed.push(rate)
    search.report(isMet(rate))
  }
  return { knee: search.knee!, probed }
}

test('KneeSearch finds any capacity from any guess, to its precision, and never below what it claims', (t) => {
  const logRate = fc.double({ min: Math.log(11), max: Math.log(900_000), noNaN: true }).map(Math.exp)
  fc.assert(fc.property(logRate, logRate, fc.constantFrom(0.01, 0.03, 0.2), (capacity, guess, precision) => {
    const { knee, probed } = searchWith(guess, (rate) => rate <= capacity, { ...BOUNDS, precision })
    if (knee.kind !== 'found') return t.fail(knee.kind)
    t.true(knee.ratePerSec <= capacity && knee.brokenAtPerSec > capacity)
    t.true(knee.brokenAtPerSec <= knee.ratePerSec * (1 + precision))
    t.true(probed.length <= 90, `${probed.length} probes`)
    t.true(probed.includes(knee.ratePerSec) && probed.includes(knee.brokenAtPerSec), 'both ends were probed')
  }))
})

test('KneeSearch says where there is none within its bounds', (t) => {
  t.deepEqual(searchWith(500, () => false).knee, { kind: 'below', lowestPerSec: 10 })
  t.deepEqual(searchWith(500, () => true).knee, { kind: 'above', highestPerSec: 1_000_000 })
  t.deepEqual(searchWith(1, () => false).probed, [10, 10], 'a guess outside is moved inside')
  t.deepEqual(searchWith(5e6, () => true).probed, [1e6, 1e6])
})

test('KneeSearch probes each rate until two probes agree', (t) => {
  const search = new KneeSearch(100, BOUNDS)
  const rates = [false, true, true].map((isMet) => {
    const rate = search.next()
    search.report(isMet)
    return rate
  })
  t.deepEqual(rates, [100, 100, 100])
  t.is(search.next(), 150, 'one stall has decided nothing')
})

test('KneeSearch is not led astray by a tenth of its probes failing by chance', (t) => {
  const knees = Array.from({ length: 200 }, (_, seed) => {
    const random = seededRandom(seed)
    const { knee } = searchWith(300, (rate) => rate <= 500 && random() > 0.1)
    return knee.kind === 'found' ? knee.ratePerSec : 0
  }).sort((a, b) => a - b)
  // Two of three by chance: 3 % of the rates, of which there are about eight.
  t.true(knees.filter((rate) => rate >= 500 / 1.03).length > 140, knees.join())
})
