import test from 'ava'
import { equalLoadTableOf } from './run/equal-load-table.js'
import type { Finding, RoundResult } from '../result/run-result.js'
import { summarizeRun, type RunSummary } from '../judge/run-summary.js'
import { renderSummary } from './run/summary.js'
import { tablesOfSize } from './tables.js'
import { makeCell, makeResult, makeRound, type RoundSpec } from './testing/fixture.js'
import { makeOpenRound } from './testing/open-loop.js'

/** A closed loop that explains its 8 connections. */
const SOUND = makeRound({ latencyNs: 4_000_000 })

/** 200 requests a second, each of which took so long; the n-th second may take longer. */
function openRound ({
  lengthSec = 1,
  lagNs = 1_000,
  serviceNs = (): number => 1_000_000,
  ...spec
}: RoundSpec & { lengthSec?: number; lagNs?: number; serviceNs?: (second: number) => number } = {}): RoundResult {
  return makeOpenRound(
    Array.from({ length: lengthSec }, (_, second) => new Array(200).fill({ serviceNs: serviceNs(second), lagNs })),
    spec
  )
}

const growing = (second: number): number => 1_000_000 * (1 + second)

/** A run of direct HTTP, which is sound, and of `stream`, which had these rounds. */
function summaryOf ({
  closed = [SOUND],
  equal = [openRound()],
  failures = []
}: {
  closed?: RoundResult[]
  equal?: RoundResult[]
  failures?: string[]
}): RunSummary {
  return summarizeRun(
    makeResult(
      [
        makeCell('baseline', { rounds: [SOUND], equalLoad: { ratePerSec: 200, rounds: [openRound()], failures: [] } }),
        makeCell('stream', { rounds: closed, equalLoad: { ratePerSec: 200, rounds: equal, failures } })
      ],
      { equalLoad: 0.5 }
    )
  )
}

/** What was found of cells, in short. */
function short ({ findings }: RunSummary): string[] {
  return findings
    .filter(({ arm, code }) => arm !== null && code !== 'PERCENTILE_WITHHELD')
    .map(({ code, severity, isEqualLoad = false }) => `${code} ${severity}${isEqualLoad ? ' at equal load' : ''}`)
}

/** The cells of `stream` that hold its rates: of its closed loops, and at equal load. */
function ratesOf (summary: RunSummary): { closed: string | undefined, equal: string | undefined } {
  const of = (rows: ReadonlyArray<readonly string[]>, column: number): string | undefined =>
    rows.find(([arm]) => arm === 'stream')?.[column]
  return {
    closed: of(tablesOfSize(summary, 'small').main.rows, 2),
    equal: of(equalLoadTableOf(summary, 'small')!.table.rows, 3)
  }
}

test('a sound run at equal load has no finding and no mark', t => {
  const summary = summaryOf({})
  t.deepEqual(short(summary), [])
  t.deepEqual(ratesOf(summary), { closed: '2,000', equal: '200' })
})

test('errors at equal load make the run invalid, and mark its cell there and nowhere else', t => {
  const summary = summaryOf({ equal: [openRound({ counts: { reset: 2 }, problems: ['cut off'] })] })
  t.deepEqual(short(summary), ['REQUEST_ERRORS invalid at equal load'])
  t.like(summary.findings[0] as Finding, {
    arm: 'stream',
    size: 'small',
    concurrency: 8,
    round: 0,
    figure: 2 / 202,
    message:
      'stream, small responses, 8 connections, at equal load: 2 of 202 requests failed (2 reset). First problem: cut ' +
      'off.'
  })
  t.deepEqual(ratesOf(summary), { closed: '2,000', equal: '200, invalid' })
})

test('errors in closed loops mark these, and not the cell at equal load', t => {
  const summary = summaryOf({ closed: [makeRound({ latencyNs: 4_000_000, counts: { reset: 2 } })] })
  t.deepEqual(short(summary), ['REQUEST_ERRORS invalid'])
  t.deepEqual(ratesOf(summary), { closed: '2,000, invalid', equal: '200' })
})

test('a generator at its ceiling makes the figures at equal load invalid, of direct HTTP as well', t => {
  const busy = { ratePerSec: 200, rounds: [openRound({ busy: 1 })], failures: [] }
  const { findings } = summarizeRun(
    makeResult([makeCell('baseline', { rounds: [makeRound({ latencyNs: 4_000_000, busy: 1 })], equalLoad: busy })])
  )
  t.deepEqual(
    findings
      .filter(({ code }) => code === 'GENERATOR_SATURATED')
      .map(({ severity, isEqualLoad = false }) => [severity, isEqualLoad]),
    [
      ['invalid', true],
      ['warning', false]
    ]
  )
})

test('a rate that an arm did not reach at equal load is a warning, told once', t => {
  const summary = summaryOf({ equal: [openRound({ offered: 250, unsent: 50 })] })
  t.deepEqual(short(summary), ['RATE_NOT_REACHED warning at equal load'])
  t.deepEqual(ratesOf(summary), { closed: '2,000', equal: '200' })
  const text = renderSummary(summary.result, summary)
  t.is(text.match(/stream, small responses, 8 connections, at equal load:/g)?.length, 1)
  t.regex(
    text,
    /\n### Warnings\n[^#]*stream, small responses, 8 connections, at equal load: 80 % of the offered requests were answered; 50 were never sent\. /
  )
})

test('response times that grow at equal load are a warning, and in an open loop of its own they are not', t => {
  t.deepEqual(short(summaryOf({ equal: [openRound({ lengthSec: 9, serviceNs: growing })] })), [
    'DRIFT warning at equal load'
  ])
  t.deepEqual(short(summaryOf({ closed: [openRound({ lengthSec: 9, serviceNs: growing })] })), ['DRIFT invalid'])
})

test('waiting for a connection is part of the response time at equal load, and no finding', t => {
  t.deepEqual(short(summaryOf({ equal: [openRound({ lagNs: 5_000_000 })] })), [])
  t.deepEqual(short(summaryOf({ closed: [openRound({ lagNs: 5_000_000 })] })), ['SCHEDULE_LAG invalid'])
})

test('a round that failed at equal load makes the run invalid, and marks what is left there', t => {
  const partial = summaryOf({ failures: ['round 2: the host died'] })
  t.deepEqual(short(partial), ['ROUNDS_FAILED invalid at equal load'])
  t.is(
    partial.findings[0]?.message,
    'stream, small responses, 8 connections: rounds at equal load are missing (round 2: the host died).'
  )
  t.deepEqual(ratesOf(partial), { closed: '2,000', equal: '200, invalid' })
  t.deepEqual(ratesOf(summaryOf({ equal: [], failures: ['round 1: the host died'] })), {
    closed: '2,000',
    equal: 'failed'
  })
})
