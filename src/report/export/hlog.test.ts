import test from 'ava'
import * as hdr from 'hdr-histogram-js'
import { Histogram } from '../../metrics/histogram.js'
import { NATIVE_MISSING, nativeCounts, readNative } from '../../metrics/testing/native-histogram.js'
import { makeCell, makeResult, makeRound } from '../testing/fixture.js'
import { makeOpenRound, makeSecondsRound } from '../testing/open-loop.js'
import { renderHlog, tagOf } from './hlog.js'

const testNative = NATIVE_MISSING === null ? test : test.skip

interface Line {
  readonly tag: string
  readonly startSec: number
  readonly lengthSec: number
  readonly maxMs: number
  readonly encoded: string
}

/** Reads the format by its description, with nothing of the library that encodes. */
function parseHlog (text: string): { lines: Line[], comments: string[] } {
  const all = text.trimEnd().split('\n')
  const lines = all.filter(line => !/^[#"]/.test(line)).map(line => {
    const [, tag = '', startSec, lengthSec, maxMs, encoded = ''] =
      /^Tag=([^, \n]+),(\d+\.\d+),(\d+\.\d+),(\d+\.\d+),([A-Za-z0-9+/]+=*)$/.exec(line) ?? []
    return { tag, startSec: Number(startSec), lengthSec: Number(lengthSec), maxMs: Number(maxMs), encoded }
  })
  return { lines, comments: all.filter(line => line.startsWith('#')) }
}

const rounds = [0, 1].map((round) =>
  makeSecondsRound([[1_000, 2_000, 5_000_000], [3_000], []], {
    round,
    startedAt: `2026-01-02T03:04:${10 + round * 10}.250Z`
  })
)
const RESULT = makeResult([
  makeCell('baseline', { rounds }),
  makeCell('stream', { rounds: rounds.map(one => ({ ...one, startedAt: one.startedAt.replace('0.250Z', '5.000Z') })) })
])

testNative('renderHlog() holds, as the C implementation reads it, exactly what was recorded in each cell', t => {
  const { lines } = parseHlog(renderHlog(RESULT))
  for (const cell of RESULT.cells) {
    const [sum, recorded] = [new Map<number, number>(), new Map<number, number>()]
    for (const { encoded } of lines.filter(({ tag }) => tag === tagOf(cell))) {
      for (const { valueNs, count } of nativeCounts(readNative(encoded))) {
        sum.set(valueNs, (sum.get(valueNs) ?? 0) + count)
      }
    }
    for (const { latency } of cell.rounds) {
      for (const { valueNs, count } of latency.recorded()) {
        recorded.set(valueNs, (recorded.get(valueNs) ?? 0) + count)
      }
    }
    t.deepEqual(new Map([...sum].sort(([a], [b]) => a - b)), recorded)
    t.is([...sum.values()].reduce((a, b) => a + b), 8)
  }
})

test('renderHlog() has a line per second in order of time, with times in seconds and maxima in milliseconds', t => {
  const { lines, comments } = parseHlog(renderHlog(RESULT))
  t.deepEqual(lines.map(({ tag, startSec, lengthSec, maxMs }) => [tag, startSec, lengthSec, maxMs]), [
    ['small/c8/baseline', 5.75, 1, 5.001],
    ['small/c8/baseline', 6.75, 1, 0.003],
    ['small/c8/baseline', 7.75, 1, 0],
    ['small/c8/stream', 10.5, 1, 5.001],
    ['small/c8/stream', 11.5, 1, 0.003],
    ['small/c8/stream', 12.5, 1, 0],
    ['small/c8/baseline', 15.75, 1, 5.001],
    ['small/c8/baseline', 16.75, 1, 0.003],
    ['small/c8/baseline', 17.75, 1, 0],
    ['small/c8/stream', 20.5, 1, 5.001],
    ['small/c8/stream', 21.5, 1, 0.003],
    ['small/c8/stream', 22.5, 1, 0]
  ])
  t.deepEqual(comments.slice(1), [
    '#[Histogram log format version 1.3]',
    '#[BaseTime: 1767323045.000 (seconds since epoch)]',
    '#[StartTime: 1767323045.000 (seconds since epoch), 2026-01-02T03:04:05.000Z]'
  ])
  t.true(
    renderHlog(RESULT).includes('\n"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n')
  )
})

test('renderHlog() is read by a log reader with the tags and absolute times', t => {
  const reader = new hdr.HistogramLogReader(renderHlog(RESULT), 64)
  const first = reader.nextIntervalHistogram()
  t.is(first?.tag, 'small/c8/baseline')
  t.is(first?.startTimeStampMsec, Date.parse('2026-01-02T03:04:10.750Z'))
  t.is(first?.totalCount, 3)
})

test('renderHlog() of an open loop has response times under the cell and the other two under tags of their own', t => {
  const round = makeOpenRound([[{ serviceNs: 1_000_000, lagNs: 500_000 }], [{ serviceNs: 2_000_000, lagNs: 100 }]])
  const { lines, comments } = parseHlog(renderHlog(makeResult([makeCell('stream', { rounds: [round] })])))
  t.deepEqual(
    lines.map(({ tag, lengthSec }) => [tag, lengthSec]),
    [
      ['small/c8/stream', 1],
      ['small/c8/stream/service', 2],
      ['small/c8/stream/lag', 2],
      ['small/c8/stream', 1]
    ]
  )
  const sum = new Histogram()
  for (const { tag, encoded } of lines) if (tag === 'small/c8/stream') sum.merge(Histogram.decode(encoded))
  t.is(sum.encode(), round.response!.encoded)
  t.deepEqual(lines.slice(1, 3).map(({ encoded }) => encoded), [round.latency.encoded, round.lag!.encoded])
  t.true(comments.some(comment => comment.startsWith('#[Open loop: ')))
})

test('renderHlog() of a result without seconds has a line per round, and says so', t => {
  const round = makeRound({ ok: 5, windowMs: 2_500 })
  const { lines, comments } = parseHlog(renderHlog(makeResult([makeCell('stream', { rounds: [round] })])))
  const { encoded } = round.latency
  t.deepEqual(lines, [{ tag: 'small/c8/stream', startSec: 0.5, lengthSec: 2.5, maxMs: 1, encoded }])
  t.true(comments.includes('#[Rounds without seconds (of an earlier version) have one line for their whole window]'))
})

test('tagOf() has no comma, space or line break, and differs between cells', t => {
  t.is(tagOf({ size: '1000', concurrency: 8, arm: 'baseline#2' }), '1000/c8/baseline#2')
  t.is(tagOf({ size: 'a,b', concurrency: 8, arm: 'x' }), 'a%2Cb/c8/x')
})
