import test from 'ava'
import { Histogram } from '../../metrics/histogram.js'
import { NATIVE_MISSING, readNative } from '../../metrics/testing/native-histogram.js'
import { seededRandom } from '../../base/random.js'
import { renderHgrm } from './hgrm.js'

const testNative = NATIVE_MISSING === null ? test : test.skip

function randomHistogram (seed: number, samples: number): Histogram {
  const random = seededRandom(seed)
  const histogram = new Histogram()
  for (let i = 0; i < samples; i++) histogram.recordNs(20_000 * Math.exp(random() * 9))
  return Histogram.decode(histogram.encode())
}

interface Row {
  readonly valueMs: number
  readonly percentile: number
  readonly count: number
  readonly rest: number | undefined
}

/** Reads the format as its plotters do: by spaces. */
function parseHgrm (text: string): { rows: Row[], trailer: Map<string, number> } {
  const lines = text.trimEnd().split('\n')
  const rows = lines.slice(2).filter(line => !line.startsWith('#')).map(line => {
    const [valueMs = NaN, percentile = NaN, count = NaN, rest] = line.trim().split(/\s+/).map(Number)
    return { valueMs, percentile, count, rest }
  })
  const trailer = new Map(
    lines
      .filter((line) => line.startsWith('#['))
      .flatMap((line) =>
        [...line.matchAll(/([A-Z][A-Za-z ]*?) *= +([\d.]+)/g)].map(
          ([, key = '', value]) => [key, Number(value)] as const
        )
      )
  )
  return { rows, trailer }
}

testNative(
  'renderHgrm() says of every row and of the trailer what the C implementation reads from the same histogram',
  (t) => {
    const histogram = randomHistogram(7, 20_000)
    const native = readNative(histogram.encode())
    const { rows, trailer } = parseHgrm(renderHgrm(histogram))
    // That implementation does not step to 100 twice.
    const steps = native.percentiles(5)
    t.true(rows.length >= steps.length && steps.length > 50)
    for (const [at, { percentile, value }] of steps.slice(0, -1).entries()) {
      t.true(Math.abs((rows[at]?.percentile ?? 0) * 100 - percentile) < 1e-9, `row ${at}`)
      t.is(Math.round((rows[at]?.valueMs ?? 0) * 1e6), native.highestEquivalentValue(value), `row ${at}`)
    }
    const counts = native.recordedcounts()
    for (const { valueMs, count } of rows) {
      t.is(
        count,
        counts.filter(({ value }) => value <= Math.round(valueMs * 1e6)).reduce((sum, { count }) => sum + count, 0)
      )
    }
    const near = (name: string, expectedNs: number): void => {
      t.true(Math.abs((trailer.get(name) ?? NaN) * 1e6 - expectedNs) <= expectedNs * 1e-6, name)
    }
    near('Mean', native.mean())
    near('StdDeviation', native.stddev())
    near('Max', native.max())
    t.is(trailer.get('Total count'), native.totalCount)
  }
)

test('renderHgrm() has the header, columns and trailer of the format, in milliseconds', t => {
  const histogram = new Histogram()
  for (const valueNs of [1_500, 1_500, 2_000, 1_000_000]) histogram.recordNs(valueNs)
  const lines = renderHgrm(Histogram.decode(histogram.encode())).split('\n')
  t.is(lines[0], '       Value     Percentile TotalCount 1/(1-Percentile)')
  t.is(lines[1], '')
  t.is(lines[2], '    0.001500 0.000000000000          2           1.00')
  t.true(lines.includes('    0.002000 0.750000000000          3           4.00'))
  t.is(lines[lines.length - 5], '    1.000447 1.000000000000          4')
  t.regex(lines[lines.length - 4] ?? '', /^#\[Mean {4}= {5}0\.251\d{3}, StdDeviation {3}= {5}0\.\d{6}\]$/)
  t.is(lines[lines.length - 3], '#[Max     =     1.000447, Total count    =            4]')
  t.is(lines[lines.length - 2], '#[Buckets =           32, SubBuckets     =         2048]')
  t.is(lines[lines.length - 1], '')
})

test('renderHgrm() of nothing has no rows', t => {
  const { rows, trailer } = parseHgrm(renderHgrm(new Histogram()))
  t.deepEqual(rows, [])
  t.is(trailer.get('Total count'), 0)
})
