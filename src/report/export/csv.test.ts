import test from 'ava'
import { Histogram } from '../../metrics/histogram.js'
import type { RunResult } from '../../result/run-result.js'
import { makeCell, makeResult, makeRound, timesNs } from '../testing/fixture.js'
import { makeOpenRound } from '../testing/open-loop.js'
import { renderHistogramsCsv, renderRoundsCsv, renderSecondsCsv } from './csv.js'

type Row = Record<string, string>

function parseCsv (text: string): Row[] {
  const [header = '', ...lines] = text.trimEnd().split('\n')
  const columns = header.split(',')
  return lines.map((line) =>
    Object.fromEntries(
      (line.match(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g) ?? [])
        .slice(0, columns.length)
        .map((field, at) => [columns[at] ?? '', field.replace(/,$/, '').replace(/^"|"$/g, '').replaceAll('""', '"')])
    )
  )
}

const open = makeOpenRound(
  [
    [
      { serviceNs: 1_000_000, lagNs: 500_000 },
      { serviceNs: 3_000_000, lagNs: 10 }
    ],
    [{ serviceNs: 2_000_000, lagNs: 100 }]
  ],
  { counts: { timeout: 1, unfinished: 2 }, unsent: 4 }
)
const RESULT: RunResult = makeResult([
  makeCell('stream', { rounds: [open] }),
  makeCell('baseline', { rounds: [makeRound({ ok: 1_000 })] })
])

test('renderRoundsCsv() has a row per round, with empty fields for what is not there or withheld', t => {
  const [stream, baseline] = parseCsv(renderRoundsCsv(RESULT))
  t.like(stream, {
    arm: 'stream',
    transport: 'stream',
    size: 'small',
    concurrency: '8',
    round: '0',
    window_ms: '2000',
    rps: '1.5',
    sent: '6',
    ok: '3',
    timeout: '1',
    unfinished: '2',
    offered: '3',
    unsent: '4',
    service_p50_ns: '2000895',
    service_p90_ns: '',
    response_p50_ns: '2000895',
    lag_p50_ns: '100',
    lag_max_ns: '500223'
  })
  t.like(baseline, {
    arm: 'baseline',
    rps: '1000',
    service_p90_ns: '1000447',
    service_p99_ns: '1000447',
    service_p99_9_ns: '',
    response_p50_ns: '',
    lag_max_ns: '',
    offered: '',
    unsent: '0'
  })
})

test('renderSecondsCsv() has a row per second', t => {
  t.deepEqual(
    parseCsv(renderSecondsCsv(RESULT)).map(({ arm, start_ms: start, sent, ok, rps }) => [arm, start, sent, ok, rps]),
    [
      ['stream', '0', '2', '2', '2'],
      ['stream', '1000', '1', '1', '1']
    ]
  )
})

test('renderHistogramsCsv() read again gives every histogram bit for bit', t => {
  const rows = parseCsv(renderHistogramsCsv(RESULT))
  for (const cell of RESULT.cells) {
    for (const round of cell.rounds) {
      for (const [series, times] of [
        ['service', round.latency],
        ['response', round.response],
        ['lag', round.lag],
        ['connect', round.connect]
      ] as const) {
        const again = new Histogram()
        for (const row of rows) {
          if (row.arm === cell.arm && row.series === series) {
            for (let i = 0; i < Number(row.count); i++) again.recordNs(Number(row.value_ns))
          }
        }
        t.is(again.encode(), (times ?? timesNs([])).encoded, `${cell.arm} ${series}`)
      }
    }
  }
})

test('renderRoundsCsv() quotes a field with a comma', t => {
  t.true(renderRoundsCsv(makeResult([makeCell('a,b')])).includes('\n"a,b","a,b","a,b",small,'))
})
