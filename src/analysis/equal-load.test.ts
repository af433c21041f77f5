import test from 'ava'
import { addedNs, commonRateOf, equalLoadRounds, summarizeEqualLoad } from './equal-load.js'
import { equalLoadTableOf } from '../report/run/equal-load-table.js'
import type { CellResult, RoundResult } from '../result/run-result.js'
import { summarizeRun } from '../judge/run-summary.js'
import { renderSummary } from '../report/run/summary.js'
import { makeCell, makeResult, makeRound, makeRounds, timesNs } from '../report/testing/fixture.js'

/** An open round: every response came `responseNs` after it was due, and took half of that. */
function openRound (round: number, responseNs: number, ok = 1_000): RoundResult {
  return makeRound({
    round,
    ok,
    latencyNs: responseNs / 2,
    response: timesNs([responseNs], ok),
    lag: timesNs([10], ok),
    offered: ok
  })
}

const equalLoad = (rounds: RoundResult[], failures: string[] = []): CellResult['equalLoad'] => ({
  ratePerSec: 1_000,
  rounds,
  failures
})

const near = (value: number | undefined, expected: number): boolean =>
  value !== undefined && Math.abs(value - expected) <= Math.abs(expected) * 2e-3

test('equalLoadRounds() is half of the rounds, rounded up, and none without equal load', t => {
  t.deepEqual([1, 2, 5].map(rounds => equalLoadRounds({ rounds, equalLoad: 0.5 })), [1, 1, 3])
  t.is(equalLoadRounds({ rounds: 5, equalLoad: 0 }), 0)
  t.is(equalLoadRounds({ rounds: 5 }), 0)
})

test('commonRateOf() is the fraction of the slowest arm, of the median of its rounds, in three digits', t => {
  const baseline = makeCell('baseline', { rounds: makeRounds([4_000, 9_000]) })
  t.is(commonRateOf([baseline, makeCell('stream', { rounds: makeRounds([1_000, 2_469, 9_999]) })], 0.5), 1_230)
  t.is(commonRateOf([baseline, makeCell('stream', { rounds: [] })], 0.5), 3_250)
  t.is(commonRateOf([makeCell('stream', { rounds: makeRounds([1_000]) })], 0.3), 300)
  t.is(commonRateOf([makeCell('stream', { rounds: [makeRound({ ok: 0, counts: { reset: 3 } })] })], 0.5), null)
})

test('summarizeEqualLoad() takes response times, and what is added within rounds', t => {
  const reference = makeCell('baseline', {
    equalLoad: equalLoad([openRound(0, 100_000), openRound(1, 200_000), openRound(2, 300_000)])!
  })
  // Against the merged baseline the differences would be others: rounds drift.
  const cell = makeCell('stream', {
    equalLoad: equalLoad([openRound(0, 150_000), openRound(1, 270_000), openRound(3, 900_000)])!
  })
  const summary = summarizeEqualLoad(cell, reference)!
  t.true(near(summary.percentilesNs.get(50)!, 270_000))
  const added = summary.addedNs.get(99)!
  t.is(added.rounds, 2)
  t.true(near(added.min, 50_000) && near(added.max, 70_000) && near(added.median, 60_000), JSON.stringify(added))
  t.is(summary.percentilesNs.get(99.9), null, '3,000 responses are too few')
  t.is(summary.addedNs.get(99.9), null)
  t.is(summarizeEqualLoad(reference, reference)!.addedNs.get(50), null)
  t.is(summarizeEqualLoad(makeCell('stream'), reference), null)
})

test('addedNs() takes the merged rounds where single ones have too few responses, and null where all have', t => {
  const rounds = (responseNs: number, ok: number): RoundResult[] => [
    openRound(0, responseNs, ok),
    openRound(1, responseNs, ok)
  ]
  const merged = addedNs(rounds(300_000, 500), rounds(100_000, 500), 99)!
  t.is(merged.rounds, 1)
  t.true(near(merged.median, 200_000))
  t.is(addedNs(rounds(300_000, 499), rounds(100_000, 499), 99), null)
  t.is(addedNs(rounds(300_000, 2_000), [], 50), null)
})

test('SUMMARY.md shows every arm at equal load, what it adds, and which rounds failed', t => {
  const slow = openRound(0, 400_000)
  const result = makeResult([
    makeCell('baseline', { equalLoad: equalLoad([openRound(0, 100_000)])! }),
    makeCell('stream', { equalLoad: equalLoad([openRound(0, 150_000)])! }),
    makeCell('shm', { equalLoad: equalLoad([{ ...slow, offered: 1_100, unsent: 100 }], ['round 2: gone'])! })
  ], { equalLoad: 0.5, arrivals: 'poisson' })
  const { table, notes } = equalLoadTableOf(summarizeRun(result), 'small')!
  t.deepEqual(table.rows.map(row => [...row.slice(0, 7), row[8], row[10], row[11]]), [
    ['baseline', '8', '1,000', '1,000', '0.100', '0.100', '0.100', '', '', ''],
    ['stream', '8', '1,000', '1,000', '0.150', '0.150', '0.150', '+50.0', '+50.0', '—'],
    ['shm', '8', '1,000', '1,000, invalid', '0.400', '0.400', '0.400', '+300', '+300', '—']
  ])
  t.deepEqual(notes.slice(-1), ['shm, small responses, 8 connections, at equal load: round 2: gone.'])
  const summary = renderSummary(result)
  t.regex(summary, /\n### At equal load\n/)
  t.regex(
    summary,
    /\*\*Equal load:\*\* 1 round per cell at 0\.50 of the throughput of its slowest arm, poisson arrivals/
  )
  t.notRegex(renderSummary(makeResult([makeCell('baseline')])), /At equal load/)
})
