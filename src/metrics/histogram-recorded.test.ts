import test from 'ava'
import { Histogram } from './histogram.js'

test('Histogram.recorded() lists distinct values with their counts, ascending', t => {
  const histogram = new Histogram()
  for (const valueNs of [900, 5, 900, 1_000_000, 5, 5]) histogram.recordNs(valueNs)
  const recorded = [...histogram.recorded()]
  t.deepEqual(recorded.map(({ count }) => count), [3, 2, 1])
  t.deepEqual(recorded.map(({ valueNs }) => valueNs), [5, 900, histogram.percentileNs(100)])
  t.deepEqual([...histogram.recorded()], recorded)
  t.deepEqual([...new Histogram().recorded()], [])
})
