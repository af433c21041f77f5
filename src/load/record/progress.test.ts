import test from 'ava'
import { emptyCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import { progressOfThreads, type LoadProgress } from './progress.js'

function progress (second: number, ok: number, latencyNs: number): LoadProgress {
  const histogram = new Histogram()
  histogram.recordNs(latencyNs)
  return { second, counts: { ...emptyCounts(), sent: ok, ok }, latency: histogram.encode() }
}

test('progressOfThreads() tells of a second when every thread has, with counts added and histograms merged', (t) => {
  const told: LoadProgress[] = []
  const tell = progressOfThreads(2, (one) => told.push(one))
  tell(progress(1, 3, 5))
  tell(progress(2, 7, 5))
  t.is(told.length, 0)
  tell(progress(1, 4, 9))
  t.is(told.length, 1)
  t.is(told[0]!.second, 1)
  t.deepEqual(told[0]!.counts, { ...emptyCounts(), sent: 7, ok: 7 })
  t.deepEqual([...Histogram.decode(told[0]!.latency).recorded()], [{ valueNs: 5, count: 1 }, { valueNs: 9, count: 1 }])
})
