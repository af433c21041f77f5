import test from 'ava'
import { billPlotOf, billSentences, billTableOf } from './bill-table.js'
import { addsUp, type Bill, billsOf } from './bill.js'
import type { CellResult } from './result.js'
import { type RunSummary, summarizeRun } from './run-summary.js'
import { renderSummary } from './summary.js'
import { makeCell, makeResult, makeRound } from './testing/fixture.js'

const CPU = { load: { userUs: 2_000, systemUs: 4_000 }, origin: { userUs: 2_000, systemUs: 6_000 } }
const HOP = { userUs: 1_000, systemUs: 5_000 }

/** A cell whose p50 in each round is this many µs; CPU is over 1,000 responses a round. */
function cell (arm: string, p50Us: readonly number[], between: Readonly<Record<string, typeof HOP | null>> = {}, spec: Partial<CellResult> = {}): CellResult {
  const rounds = p50Us.map((us, round) => makeRound({ round, ok: 1_000, latencyNs: us * 1_000, cpu: { ...CPU, ...between } }))
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
  t.deepEqual(bill.steps.map(({ arm, over, addedNs }) => [arm, over, us(addedNs.median), us(addedNs.min), us(addedNs.max)]), [
    ['relay', 'baseline', 50, 48, 55],
    ['relay2', 'relay', 80, 75, 87],
    ['stream', 'relay2', 70, 65, 80],
    ['stream-uds', 'stream', -20, -20, -14]
  ])
  t.deepEqual([us(bill.wholeNs.median), us(bill.wholeNs.min), us(bill.wholeNs.max)], [186, 180, 190])
  t.deepEqual(bill.steps.map(({ share }) => Math.round(share! * 100)), [27, 43, 38, -11])
})

test('billsOf() tells what the steps leave of the whole, and the noise: half the largest range', t => {
  const bill = billOf('stream-uds')
  t.is(us(bill.restNs), 186 - (50 + 80 + 70 - 20))
  t.is(bill.noiseNs!, Math.max(...[bill.wholeNs, ...bill.steps.map(({ addedNs }) => addedNs)].map(({ min, max }) => (max - min) / 2)))
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
  t.deepEqual(bill.steps.map(({ arm, over, addedNs }) => [arm, over, us(addedNs.median)]), [['relay2', 'baseline', 130], ['stream', 'relay2', 70]])
})

test('billsOf() adds CPU of all that lies between, and withholds what one role cannot tell', t => {
  const [relay, relay2, stream, uds] = billOf('stream-uds').steps.map(({ cpu }) => cpu)
  t.deepEqual(relay, { load: { userUs: 0, systemUs: 0 }, between: { userUs: 1, systemUs: 5 }, origin: { userUs: 0, systemUs: 0 } })
  t.deepEqual(relay2!.between, { userUs: 1, systemUs: 5 })
  t.deepEqual(stream!.between, { userUs: 2, systemUs: 0 })
  t.is(uds!.between, null)
})

test('billsOf() is empty without a ladder, without direct HTTP, and for arms off the ladder', t => {
  t.deepEqual(billsOf(summaryOf([cell('baseline', [100]), cell('stream', [200]), cell('shm', [200])])), [])
  t.deepEqual(billsOf(summaryOf(LADDER.slice(1))), [])
  t.deepEqual(billsOf(summaryOf([...LADDER, cell('stream-stalled', [1]), cell('baseline#2', [1])])).map(({ arm }) => arm), ['relay', 'relay2', 'stream', 'stream-uds'])
})

test('billsOf() bills a program from outside in one step', t => {
  const bill = billOf('haproxy', [...LADDER, cell('haproxy', [160, 170, 150], {}, { transport: 'external' })])
  t.deepEqual(bill.steps.map(({ over, addedNs }) => [over, us(addedNs.median)]), [['baseline', 60]])
})

test('billTableOf() has a row for each rung, with its share of the tunnel', t => {
  const table = billTableOf(summaryOf(LADDER), 'small')!
  t.deepEqual(table.columns.map(({ title }) => title), ['Arm', 'Concurrency', 'Over', 'Adds', 'Added p50 (µs)', 'Over baseline (µs)', 'Share of stream', 'Added CPU load (µs)', 'Added CPU between (µs)', 'Added CPU origin (µs)'])
  t.deepEqual(table.rows.map(row => [row[0], row[2], row[6], row[8]]), [
    ['relay', 'baseline', '25 %', '+1.0 + 5.0'],
    ['relay2', 'relay', '40 %', '+1.0 + 5.0'],
    ['stream', 'relay2', '35 %', '+2.0 + 0.0'],
    ['stream-uds', 'stream', 'n/a', '—']
  ])
  t.regex(table.rows[3]![4]!, /^−20\.\d \(−20\.\d to −1[34]\.\d\)$/)
})

test('billSentences() say what dominates where nothing queues, and whether the steps add up', t => {
  const [dominates, sum] = billSentences(summaryOf([...LADDER, ...LADDER.map(one => ({ ...one, concurrency: 64 }))]), 'small')
  t.regex(dominates!, /^With small responses and 1 connection, stream adds 200 µs to direct HTTP \(p50\); the largest part is "second relay, Unix socket between them" \(relay2 over relay\): 80\.\d µs, 40 %\.$/)
  t.is(sum, 'The steps add up to the whole within noise in 6 of 6 bills.')
})

test('billPlotOf() stacks the steps of each tunnel', t => {
  const plot = billPlotOf(summaryOf(LADDER))!
  t.deepEqual(plot.panels.map(({ title, bars }) => [title, bars.map(({ label }) => label)]), [['small responses, 1 connection', ['stream', 'stream-uds']]])
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
