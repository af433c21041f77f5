import test from 'ava'
import { billPlotOf, billSentences, billTableOf, cpuBillTableOf } from '../report/run/bill-table.js'
import { addsUp, type Bill, billsOf } from './bill.js'
import type { CellResult } from '../result/run-result.js'
import { type RunSummary, summarizeRun } from '../judge/run-summary.js'
import { renderSummary } from '../report/run/summary.js'
import { mergeHistograms } from './statistics.js'
import { makeCell, makeResult, makeRound, timesNs } from '../report/testing/fixture.js'

const CPU = { load: { userUs: 2_000, systemUs: 4_000 }, origin: { userUs: 2_000, systemUs: 6_000 } }
const HOP = { userUs: 1_000, systemUs: 5_000 }

/** A cell whose p50 in each round is this many µs; CPU is over 1,000 responses a round. */
function cell (
  arm: string,
  p50Us: readonly number[],
  between: Readonly<Record<string, typeof HOP | null>> = {},
  spec: Partial<CellResult> = {}
): CellResult {
  const rounds = p50Us.map((us, round) =>
    makeRound({ round, ok: 1_000, latencyNs: us * 1_000, cpu: { ...CPU, ...between } })
  )
  return makeCell(arm, { transport: arm.split('-')[0]!, concurrency: 1, rounds, ...spec })
}

const LADDER = [
  cell('baseline', [100, 110, 90]),
  cell('relay', [150, 165, 138], { relay: HOP }),
  cell('relay2', [230, 240, 225], { front: HOP, back: HOP }),
  cell('stream', [300, 320, 290], { host: HOP, plugin: { userUs: 3_000, systemUs: 5_000 } }),
  cell('stream-uds', [280, 300, 276], { host: HOP, plugin: null })
]

const summaryOf = (cells: readonly CellResult[]): RunSummary => summarizeRun(makeResult(cells))

function billOf (arm: string, cells: readonly CellResult[] = LADDER): Bill {
  return billsOf(summaryOf(cells)).find(bill => bill.arm === arm)!
}

/** Histograms keep three digits. */
const us = (durationNs: number): number => Math.round(durationNs / 1_000)

test('billsOf() splits an arm into steps from direct HTTP upwards, with in-round differences', t => {
  const bill = billOf('stream-uds')
  t.deepEqual(
    bill.steps.map(({ arm, over, addedNs }) => [arm, over, us(addedNs.median), us(addedNs.min), us(addedNs.max)]),
    [
      ['relay', 'baseline', 50, 48, 55],
      ['relay2', 'relay', 80, 75, 87],
      ['stream', 'relay2', 70, 65, 80],
      ['stream-uds', 'stream', -20, -20, -14]
    ]
  )
  t.deepEqual([us(bill.wholeNs.median), us(bill.wholeNs.min), us(bill.wholeNs.max)], [186, 180, 190])
  t.deepEqual(bill.steps.map(({ share }) => Math.round(share! * 100)), [27, 43, 38, -11])
})

test('billsOf() tells what the steps leave of the whole, and the noise: half the largest range', t => {
  const bill = billOf('stream-uds')
  t.is(us(bill.restNs), 186 - (50 + 80 + 70 - 20))
  t.is(
    bill.noiseNs!,
    Math.max(...[bill.wholeNs, ...bill.steps.map(({ addedNs }) => addedNs)].map(({ min, max }) => (max - min) / 2))
  )
  t.is(us(bill.noiseNs! * 2), 15)
  t.true(addsUp(bill))
  t.false(addsUp({ ...bill, restNs: bill.noiseNs! + 1 }))
  t.false(addsUp({ ...bill, restNs: -bill.noiseNs! - 1 }))
})

test('billsOf() adds up exactly with one round, and does not claim to know its noise', t => {
  const bill = billOf('stream', LADDER.map(({ rounds, ...rest }) => ({ ...rest, rounds: rounds.slice(0, 1) })))
  t.true(Math.abs(bill.restNs) < 1)
  t.is(bill.noiseNs, null)
  t.is(addsUp(bill), null)
})

test('billsOf() takes only rounds that every rung has', t => {
  const [baseline, relay, ...rest] = LADDER
  const bill = billOf('stream', [baseline!, { ...relay!, rounds: relay!.rounds.slice(1) }, ...rest])
  t.is(bill.wholeNs.rounds, 2)
  t.deepEqual(bill.steps.map(({ addedNs }) => addedNs.rounds), [2, 2, 2])
})

test('billsOf() gives the part of a rung that was not measured to the step above it', t => {
  const bill = billOf('stream', [LADDER[0]!, { ...LADDER[1]!, rounds: [], failures: ['no'] }, ...LADDER.slice(2)])
  t.deepEqual(
    bill.steps.map(({ arm, over, addedNs }) => [arm, over, us(addedNs.median)]),
    [
      ['relay2', 'baseline', 130],
      ['stream', 'relay2', 70]
    ]
  )
})

test('billsOf() adds CPU of all that lies between, and withholds what one role cannot tell', t => {
  const [relay, relay2, stream, uds] = billOf('stream-uds').steps.map(({ cpu }) => cpu)
  t.deepEqual(relay, {
    load: { userUs: 0, systemUs: 0 },
    between: { userUs: 1, systemUs: 5 },
    origin: { userUs: 0, systemUs: 0 }
  })
  t.deepEqual(relay2!.between, { userUs: 1, systemUs: 5 })
  t.deepEqual(stream!.between, { userUs: 2, systemUs: 0 })
  t.is(uds!.between, null)
})

test('billsOf() adds CPU by role so that the roles add up to the step, with what is saved below zero', t => {
  const [, relay2, , uds] = billOf('stream-uds').steps.map(({ cpuByRole }) => cpuByRole)
  t.deepEqual([...relay2!].sort(), [
    ['back', { userUs: 1, systemUs: 5 }],
    ['front', { userUs: 1, systemUs: 5 }],
    ['load', { userUs: 0, systemUs: 0 }],
    ['origin', { userUs: 0, systemUs: 0 }],
    ['relay', { userUs: -1, systemUs: -5 }]
  ])
  t.is(uds!.get('plugin'), null)
  t.deepEqual(uds!.get('host'), { userUs: 0, systemUs: 0 })
})

/** The same cells, measured at equal load as well: an open loop in which responses take this much less. */
function atEqualLoad (cells: readonly CellResult[], lessUs: number, ok = 1_000): CellResult[] {
  return cells.map((one) => ({
    ...one,
    equalLoad: {
      ratePerSec: 500,
      failures: [],
      rounds: one.rounds
        .slice(0, 2)
        .map(({ round, latency }) =>
          makeRound({
            round,
            ok,
            response: timesNs(
              [mergeHistograms([latency]).percentileNs(50) - lessUs * (one.arm === 'baseline' ? 0 : 1_000)],
              ok
            ),
            latencyNs: 7
          })
        )
    }
  }))
}

test('billsOf() takes response times at equal load where every rung has them, and p99 where there are enough', t => {
  const bill = billOf('stream', atEqualLoad(LADDER, 40))
  t.is(bill.ratePerSec, 500)
  t.deepEqual(
    bill.steps.map(({ arm, addedNs, addedP99Ns }) => [arm, us(addedNs.median), addedNs.rounds, us(addedP99Ns!.median)]),
    [
      ['relay', 13, 2, 13],
      ['relay2', 78, 2, 78],
      ['stream', 75, 2, 75]
    ]
  )
  t.deepEqual(
    billOf('stream', atEqualLoad(LADDER, 40, 400)).steps.map(({ addedP99Ns }) => addedP99Ns),
    [null, null, null],
    '800 in two rounds are too few'
  )
})

test('billsOf() falls back to the closed loop where a rung was not measured at equal load', t => {
  const [baseline, , ...rest] = atEqualLoad(LADDER, 40)
  const bill = billOf('stream', [baseline!, LADDER[1]!, ...rest])
  t.is(bill.ratePerSec, null)
  t.deepEqual(
    bill.steps.map(({ addedNs, addedP99Ns }) => [us(addedNs.median), addedP99Ns]),
    [
      [50, null],
      [80, null],
      [70, null]
    ]
  )
})

test('billsOf() falls back to the closed loop where a rung did not bear the common rate', t => {
  const [baseline, relay, ...rest] = atEqualLoad(LADDER, 40)
  const beyond = {
    ...relay!,
    equalLoad: { ...relay!.equalLoad!, rounds: relay!.equalLoad!.rounds.map((round) => ({ ...round, offered: 2_000 })) }
  }
  t.is(billOf('stream', [baseline!, beyond, ...rest]).ratePerSec, null)
})

test('billsOf() adds system calls where both rungs have them', t => {
  const counted = (arm: CellResult, calls: Readonly<Record<string, number>>): CellResult => ({
    ...arm,
    systemCalls: Object.fromEntries(
      Object.entries(calls).map(([role, count]) => [role, { responses: 100, calls: { read: count, write: count } }])
    )
  })
  const cells = [
    counted(LADDER[0]!, { origin: 100 }),
    counted(LADDER[1]!, { relay: 250, origin: 110 }),
    ...LADDER.slice(2)
  ]
  t.deepEqual(
    billOf('stream', cells).steps.map(({ addedCalls }) =>
      addedCalls === null ? null : Math.round(addedCalls * 10) / 10
    ),
    [5.2, null, null]
  )
  const table = billTableOf(summaryOf(cells), 'small')!
  const column = table.columns.findIndex(({ title }) => title === 'Added system calls')
  t.deepEqual(table.rows.map(row => row[column]), ['+5.2', '—', '—', '—'])
})

test('cpuBillTableOf() has a column for each role', t => {
  const table = cpuBillTableOf(summaryOf(LADDER), 'small')!
  t.deepEqual(
    table.columns.map(({ title }) => title),
    [
      'Arm',
      'Concurrency',
      'Over',
      'load (µs)',
      'relay (µs)',
      'front (µs)',
      'back (µs)',
      'host (µs)',
      'plugin (µs)',
      'origin (µs)'
    ]
  )
  t.deepEqual(table.rows[1], [
    'relay2',
    '1',
    'relay',
    '+0.0 + 0.0',
    '−1.0 − 5.0',
    '+1.0 + 5.0',
    '+1.0 + 5.0',
    'n/a',
    'n/a',
    '+0.0 + 0.0'
  ])
  t.is(table.rows[3]![8], '—')
})

test('SUMMARY.md says which load the times of the bill are of', t => {
  const closed = renderSummary(makeResult(LADDER))
  t.regex(closed, /\n\* Times are service times in a closed loop: |\n- Times are service times in a closed loop: /)
  t.false(closed.includes('Added p99 (µs)'))
  const equal = renderSummary(makeResult(atEqualLoad(LADDER, 40)))
  t.regex(equal, /Times are response times at equal load, in an open loop: 500 requests per second over 1 connection\./)
  t.regex(equal, /stream adds 16\d µs to direct HTTP \(p50 at equal load\)/)
  t.true(equal.includes('Added p99 (µs)'))
  const [baseline, , ...rest] = atEqualLoad(LADDER, 40)
  t.regex(
    renderSummary(makeResult([baseline!, { ...LADDER[1]!, rounds: [] }, ...rest.slice(0, 1), LADDER[3]!])),
    /Times of stream at 1 connection are service times in a closed loop/
  )
})

test('billsOf() is empty without a ladder, without direct HTTP, and for arms off the ladder', t => {
  t.deepEqual(billsOf(summaryOf([cell('baseline', [100]), cell('stream', [200]), cell('shm', [200])])), [])
  t.deepEqual(billsOf(summaryOf(LADDER.slice(1))), [])
  t.deepEqual(
    billsOf(summaryOf([...LADDER, cell('stream-stalled', [1]), cell('baseline#2', [1])])).map(({ arm }) => arm),
    ['relay', 'relay2', 'stream', 'stream-uds']
  )
})

test('billsOf() bills a program from outside in one step', t => {
  const bill = billOf('haproxy', [...LADDER, cell('haproxy', [160, 170, 150], {}, { transport: 'external' })])
  t.deepEqual(bill.steps.map(({ over, addedNs }) => [over, us(addedNs.median)]), [['baseline', 60]])
})

test('billTableOf() has a row for each rung, with its share of the tunnel', t => {
  const table = billTableOf(summaryOf(LADDER), 'small')!
  t.deepEqual(
    table.columns.map(({ title }) => title),
    [
      'Arm',
      'Concurrency',
      'Over',
      'Adds',
      'Added p50 (µs)',
      'Over baseline (µs)',
      'Share of stream',
      'Added CPU load (µs)',
      'Added CPU between (µs)',
      'Added CPU origin (µs)'
    ]
  )
  t.deepEqual(table.rows.map(row => [row[0], row[2], row[6], row[8]]), [
    ['relay', 'baseline', '25 %', '+1.0 + 5.0'],
    ['relay2', 'relay', '40 %', '+1.0 + 5.0'],
    ['stream', 'relay2', '35 %', '+2.0 + 0.0'],
    ['stream-uds', 'stream', 'n/a', '—']
  ])
  t.regex(table.rows[3]![4]!, /^−20\.\d \(−20\.\d to −1[34]\.\d\)$/)
})

test('billSentences() say what dominates where nothing queues, and whether the steps add up', t => {
  const [dominates, sum] = billSentences(
    summaryOf([...LADDER, ...LADDER.map((one) => ({ ...one, concurrency: 64 }))]),
    'small'
  )
  t.regex(
    dominates!,
    /^With small responses and 1 connection, stream adds 200 µs to direct HTTP \(p50\); the largest part is "second relay, Unix socket between them" \(relay2 over relay\): 80\.\d µs, 40 %\.$/
  )
  t.is(sum, 'The steps add up to the whole within noise in 6 of 6 bills.')
})

test('billSentences() do not ask whether a single step adds up', t => {
  t.deepEqual(billSentences(summaryOf(LADDER.slice(0, 2)), 'small').filter(sentence => /adds? up/.test(sentence)), [])
})

test('billPlotOf() stacks the steps of each tunnel', t => {
  const plot = billPlotOf(summaryOf(LADDER))!
  t.deepEqual(
    plot.panels.map(({ title, bars }) => [title, bars.map(({ label }) => label)]),
    [['small responses, 1 connection', ['stream', 'stream-uds']]]
  )
  t.is(plot.parts.length, 4)
  t.deepEqual(Object.values(plot.panels[0]!.bars[1]!.values).map(Math.round), [50, 80, 70, -20])
})

test('renderSummary() has the bill of a run with a ladder, and its picture when the run is over', t => {
  const result = makeResult(LADDER)
  t.true(renderSummary(result).includes('\n### The bill\n'))
  t.true(renderSummary(result).includes('](bill.svg)'))
  t.false(renderSummary({ ...result, finishedAt: null }).includes('](bill.svg)'))
  t.false(renderSummary(makeResult([cell('baseline', [1]), cell('stream', [2])])).includes('The bill'))
})
