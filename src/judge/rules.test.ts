import test from 'ava'
import type { CellResult } from '../result/run-result.js'
import { RULES, type Judgement } from './rules.js'
import { summarizeRun } from './run-summary.js'
import { makeCell, makeResult, makeRounds } from '../report/testing/fixture.js'

function judge (name: string, cells: readonly CellResult[]): Judgement {
  const rule = RULES.find(rule => rule.name === name)
  if (rule === undefined) throw new Error(`no rule ${name}`)
  return rule.judge(summarizeRun(makeResult(cells)))
}

const cell = (arm: string, rps: number, concurrency = 8, latencyNs = 1_000_000): CellResult =>
  makeCell(arm, { concurrency, rounds: makeRounds([rps], { latencyNs }) })

test('RULES have a name and a reason each, and no name twice', t => {
  t.is(new Set(RULES.map(rule => rule.name)).size, 6)
  t.true(RULES.every(rule => rule.reason.length > 20))
})

for (const [name, transport, good, warning, bad] of [
  ['stream loses at most 30 % of RPS', 'stream', [2_000, 1_400], [1_399, 500], [499, 0]],
  ['shm loses at most 15 % of RPS', 'shm', [2_000, 1_700], [1_699, 500], [499, 0]]
] as const) {
  for (const [verdict, rates] of Object.entries({ good, warning, bad })) {
    for (const rps of rates) {
      test(`${name}: ${rps} of 2,000 RPS is ${verdict}`, t => {
        const judgement = judge(name, [cell('baseline', 2_000), cell(transport, rps)])
        t.is<string, string>(judgement.verdict, verdict)
        t.regex(judgement.figures, new RegExp(`^${transport}, small responses, 8 connections: .*× of direct HTTP\\.$`))
      })
    }
  }

  test(`${name}: judged at the worst cell`, t => {
    const judgement = judge(name, [
      cell('baseline', 2_000, 1),
      cell(transport, 1_900, 1),
      cell('baseline', 2_000, 64),
      cell(transport, 800, 64)
    ])
    t.deepEqual(judgement, {
      verdict: 'warning',
      figures: `${transport}, small responses, 64 connections: 0.40× of direct HTTP.`
    })
  })

  test(`${name}: not measured without that transport or without direct HTTP`, t => {
    const expected = {
      verdict: 'not measured',
      figures: `No ${transport} cell has a round together with direct HTTP.`
    } as const
    t.deepEqual(judge(name, [cell('baseline', 2_000)]), expected)
    t.deepEqual(judge(name, [cell(transport, 2_000)]), expected)
    t.deepEqual(judge(name, [cell('baseline', 0), cell(transport, 2_000)]), expected)
  })
}

test('rules judge no arm whose origin is inside the plugin or on a Unix socket', t => {
  const cells = ['baseline', 'stream-embedded', 'shm-uds'].flatMap((arm) => [cell(arm, 100, 1), cell(arm, 1, 64)])
  const verdicts = RULES.map((rule) => rule.judge(summarizeRun(makeResult(cells))).verdict)
  t.deepEqual([...new Set(verdicts)], ['not measured'])
})

test('rules say how many cells they could not judge', t => {
  const failed = makeCell('stream', { concurrency: 64, rounds: [], failures: ['died'] })
  t.is(
    judge('stream loses at most 30 % of RPS', [
      cell('baseline', 2_000),
      cell('stream', 1_500),
      cell('baseline', 2_000, 64),
      failed
    ]).figures,
    'stream, small responses, 8 connections: 0.75× of direct HTTP. Judged on 1 of 2 cells.'
  )
})

for (const [shmRps, verdict] of [[1_000, 'good'], [999, 'warning'], [500, 'warning'], [499, 'bad']] as const) {
  test(`shm is faster than stream: ${shmRps} against 1,000 RPS is ${verdict}`, t => {
    t.is(judge('shm is faster than stream', [cell('stream', 1_000), cell('shm', shmRps)]).verdict, verdict)
  })
}

test('shm is faster than stream: compares within rounds, and names the worst cell', t => {
  const rounds = (rates: number[]) => ({ rounds: makeRounds(rates) })
  t.deepEqual(judge('shm is faster than stream', [
    makeCell('stream', rounds([100, 1_000, 1_000])), makeCell('shm', rounds([200, 900, 900])),
    makeCell('stream', { ...rounds([100]), concurrency: 64 }), makeCell('shm', { ...rounds([80]), concurrency: 64 })
  ]), { verdict: 'warning', figures: 'shm, small responses, 64 connections: 0.80× of stream.' })
})

test('shm is faster than stream: not measured without both', t => {
  t.is(judge('shm is faster than stream', [cell('baseline', 10), cell('shm', 10)]).verdict, 'not measured')
  t.is(judge('shm is faster than stream', [cell('baseline', 10), cell('stream', 10)]).verdict, 'not measured')
})

const LOW = 'p99 stays below 2× direct HTTP at 1 and 8 connections'
const HOL = 'p99 stays within 10× direct HTTP at every concurrency'

for (const [name, concurrency, latencyMs, verdict] of [
  [LOW, 1, 1.9, 'good'],
  [LOW, 8, 1.9, 'good'],
  [LOW, 1, 2.1, 'warning'],
  [LOW, 8, 9.9, 'warning'],
  [LOW, 8, 10.1, 'bad'],
  [HOL, 64, 9.9, 'good'],
  [HOL, 1, 10.1, 'warning'],
  [HOL, 64, 99, 'warning'],
  [HOL, 64, 101, 'bad']
] as const) {
  test(`${name}: ${latencyMs} ms against 1 ms at concurrency ${concurrency} is ${verdict}`, (t) => {
    t.is(
      judge(name, [cell('baseline', 1_000, concurrency), cell('stream', 1_000, concurrency, latencyMs * 1e6)]).verdict,
      verdict
    )
  })
}

test(`${LOW}: looks at 1 and 8 connections only and names the worst cell with its figures`, t => {
  t.deepEqual(
    judge(LOW, [
      cell('baseline', 1_000, 1),
      cell('stream', 1_000, 1, 1_500_000),
      cell('baseline', 1_000, 8),
      cell('stream', 1_000, 8, 3_000_000),
      cell('baseline', 1_000, 64),
      cell('stream', 1_000, 64, 90_000_000)
    ]),
    {
      verdict: 'warning',
      figures: 'stream, small responses, 8 connections: p99 3.00 ms, 3.00× of direct HTTP (1.00 ms).'
    }
  )
})

for (const name of [LOW, HOL]) {
  test(`${name}: not measured where a p99 is withheld or there is no baseline`, t => {
    t.is(judge(name, [cell('baseline', 999), cell('stream', 1_000)]).verdict, 'not measured')
    t.is(judge(name, [cell('baseline', 1_000), cell('stream', 999)]).verdict, 'not measured')
    t.is(judge(name, [cell('stream', 1_000)]).verdict, 'not measured')
  })
}

test(`${LOW}: not measured where only other concurrencies were`, t => {
  t.is(judge(LOW, [cell('baseline', 1_000, 64), cell('stream', 1_000, 64)]).verdict, 'not measured')
})

const COLLAPSE = 'RPS does not collapse at high concurrency'

for (const [top, verdict] of [
  [2_000, 'good'],
  [1_000, 'good'],
  [999, 'warning'],
  [200, 'warning'],
  [199, 'bad'],
  [0, 'bad']
] as const) {
  test(`${COLLAPSE}: ${top} after 2,000 RPS is ${verdict}`, (t) => {
    t.is(
      judge(COLLAPSE, [
        cell('baseline', 3_000, 1),
        cell('stream', 500, 1),
        cell('baseline', 3_000, 8),
        cell('stream', 2_000, 8),
        cell('baseline', 3_000, 64),
        cell('stream', top, 64)
      ]).verdict,
      verdict
    )
  })
}

test(`${COLLAPSE}: names best and worst, and what direct HTTP keeps`, t => {
  t.is(
    judge(COLLAPSE, [
      cell('baseline', 2_000, 1),
      cell('stream', 1_000, 1),
      cell('baseline', 1_500, 64),
      cell('stream', 300, 64)
    ]).figures,
    'stream, small responses, 64 connections: 300 RPS is 0.30× of its best, 1,000 RPS at 1 connection; direct HTTP ' +
    'keeps 0.75×.'
  )
})

test(`${COLLAPSE}: no fault of the tunnel where direct HTTP collapses as well`, t => {
  const cells = [
    cell('baseline', 2_000, 1),
    cell('stream', 1_000, 1),
    cell('baseline', 900, 64),
    cell('stream', 100, 64)
  ]
  t.is(judge(COLLAPSE, cells).verdict, 'good')
})

test(`${COLLAPSE}: not measured with one concurrency or without direct HTTP`, t => {
  t.is(judge(COLLAPSE, [cell('baseline', 10), cell('stream', 10)]).verdict, 'not measured')
  t.is(judge(COLLAPSE, [cell('stream', 10, 1), cell('stream', 10, 8)]).verdict, 'not measured')
})
