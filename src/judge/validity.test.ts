import { readFileSync } from 'node:fs'
import test from 'ava'
import { CHECKS } from './checks.js'
import { readRunResult } from '../result/read-result.js'
import type { CellResult, Finding, RoundResult } from '../result/run-result.js'
import { summarizeRun } from './run-summary.js'
import {
  makeCell,
  makeCounters,
  makeResult,
  makeRound,
  realisticResult,
  type RoundSpec
} from '../report/testing/fixture.js'
import { makeOpenRound, makeSecondsRound } from '../report/testing/open-loop.js'
import { validityFindings } from './validity.js'

/** A closed-loop round that explains its 8 connections: 2,000 responses of 4 ms in a second. */
const sound = (spec: RoundSpec = {}): RoundResult => makeRound({ latencyNs: 4_000_000, ...spec })

const rounds = (specs: readonly RoundSpec[], make: (spec: RoundSpec) => RoundResult = sound): RoundResult[] =>
  specs.map((spec, round) => make({ round, ...spec }))

function find (cells: readonly CellResult[], loadThreads = 1): Finding[] {
  return validityFindings(summarizeRun(makeResult(cells, { loadThreads })))
}

const findIn = (rounds: readonly RoundResult[], arm = 'stream'): Finding[] => find([makeCell(arm, { rounds })])

/** What a finding says in short, for one test after the other. */
const short = ({ code, severity, round }: Finding): string => [code, severity, round].join(' ')

/** An open loop of 200 requests a second, each with this service time and lag. */
function openRound ({
  lengthSec = 1,
  serviceNs = 1_000_000,
  lagNs = 1_000,
  ...spec
}: RoundSpec & { lengthSec?: number; serviceNs?: number; lagNs?: number } = {}): RoundResult {
  return makeOpenRound(
    Array.from({ length: lengthSec }, () => new Array(200).fill({ serviceNs, lagNs })),
    spec
  )
}

test('validityFindings() has nothing to say of sound rounds, closed loop or open', t => {
  t.deepEqual(findIn(rounds([{}, {}, {}])), [])
  t.deepEqual(findIn([openRound({ lengthSec: 9 })]), [])
})

test('validityFindings() calls any failed request invalid, with its kind, share and worst round', t => {
  const [finding, ...others] = findIn(
    rounds([{ counts: { reset: 3, timeout: 1 }, problems: ['cut\noff', 'other'] }, { counts: { reset: 8 } }])
  )
  t.deepEqual(others, [])
  t.deepEqual(finding, {
    code: 'REQUEST_ERRORS',
    severity: 'invalid',
    arm: 'stream',
    size: 'small',
    concurrency: 8,
    round: 1,
    figure: 12 / 4_012,
    threshold: 0,
    unit: 'share of the requests',
    message:
      'stream, small responses, 8 connections: 12 of 4,012 requests failed (1 timeout, 11 reset). First problem: cut ' +
      'off.',
    cure: 'Find out what fails (problems in result.json), or lower the load.'
  })
})

test('validityFindings() says that nothing was right, and why rounds failed', t => {
  t.deepEqual(findIn(rounds([{ ok: 0 }])).map(short), ['NO_RIGHT_RESPONSE invalid '])
  const failed = find([
    makeCell('stream', { rounds: [], failures: ['round 1: died\nhard'] }),
    makeCell('shm', { rounds: [sound()], failures: ['late', 'later'] })
  ])
  t.deepEqual(failed.map(({ code, severity, figure, message }) => [code, severity, figure, message]), [
    ['ROUNDS_FAILED', 'invalid', 1, 'stream, small responses, 8 connections: failed (round 1: died hard).'],
    ['ROUNDS_FAILED', 'invalid', 2, 'shm, small responses, 8 connections: rounds are missing (late; later).']
  ])
})

test('validityFindings() refuses a generator that had no time left, by the median of the rounds', t => {
  t.deepEqual(findIn(rounds([{ busy: 0.94 }, { busy: 0.94 }, { busy: 1 }])), [])
  const [finding] = findIn(rounds([{ busy: 0.95 }, { busy: 0.97 }, { busy: 0.3 }]))
  t.like(finding, { code: 'GENERATOR_SATURATED', severity: 'invalid', figure: 0.95, threshold: 0.95, round: 1 })
  t.regex(
    finding?.message ?? '',
    /^stream, small responses, 8 connections: the load generator was at 95 % of its ceiling: this is its speed, not that of the arm\.$/
  )
  t.deepEqual(findIn(rounds([{ busy: null }])), [])
})

test('validityFindings() only warns where direct HTTP in a closed loop brings the generator to its ceiling', t => {
  const [finding] = findIn(rounds([{ busy: 1 }]), 'baseline')
  t.like(finding, { code: 'GENERATOR_SATURATED', severity: 'warning' })
  t.regex(finding?.message ?? '', /, so direct HTTP may be faster than this and tunnels cost at least what is shown\.$/)
  t.deepEqual(findIn([openRound({ busy: 1 })], 'baseline').map(short), ['GENERATOR_SATURATED invalid 0'])
})

test('validityFindings() goes by CPU time where a result of an earlier version knows no more, for each ' +
  'load thread', (t) => {
  const { busy, ...earlier } = sound({ cpu: { load: { userUs: 600_000, systemUs: 900_000 } }, allResponses: 3_000 })
  // 1.5 s for 3,000 responses, of which 2,000 fell into the window of one second.
  t.like(findIn([earlier])[0], { code: 'GENERATOR_SATURATED', figure: 1 })
  t.deepEqual(find([makeCell('stream', { rounds: [earlier] })], 2), [])
  t.deepEqual(findIn([{ ...earlier, cpu: { load: null } }]), [])
})

test('validityFindings() refuses a closed loop whose latencies do not explain its connections', t => {
  // 2,000 RPS × 3.7 ms are 7.4 of 8 connections, and 0.4 % lie at the ends of the window.
  const [finding] = findIn(rounds([{ latencyNs: 3_700_000 }, { latencyNs: 3_600_000 }, {}]))
  t.like(finding, { code: 'LITTLES_LAW', severity: 'invalid', round: 1, threshold: 0.05 })
  t.true(Math.abs((finding?.figure ?? 0) - 0.0713) < 0.001)
  t.deepEqual(findIn(rounds([{ latencyNs: 3_700_000 }, {}, {}])), [])
  t.deepEqual(findIn(rounds([{ latencyNs: 4_400_000 }])).map(short), ['LITTLES_LAW invalid 0'])
})

test("validityFindings() does not hold Little's law against a window that is too short, few samples, errors or an " +
  'open loop', (t) => {
  t.deepEqual(findIn([sound({ latencyNs: 1_000_000, windowMs: 499 })]), [])
  t.deepEqual(findIn([sound({ ok: 99, latencyNs: 1_000_000 })]), [])
  t.deepEqual(
    findIn([sound({ latencyNs: 1_000_000, counts: { reset: 1 } })]).map(({ code }) => code),
    ['REQUEST_ERRORS']
  )
  t.deepEqual(findIn([openRound()]), [])
})

test('validityFindings() allows for what the ends of a window hide', t => {
  // 8 connections, 80 ms each: a window of a second shows 92 responses of each 100.
  t.deepEqual(findIn([sound({ ok: 92, latencyNs: 80_000_000 })]), [])
  t.deepEqual(
    find([makeCell('stream', { concurrency: 256, rounds: [sound({ ok: 1_024, latencyNs: 200_000_000 })] })]),
    []
  )
  t.deepEqual(
    find([makeCell('stream', { concurrency: 256, rounds: [sound({ ok: 1_280, latencyNs: 200_000_000 })] })]).map(
      ({ code }) => code
    ),
    ['LITTLES_LAW']
  )
})

test('validityFindings() warns of a window of few response times', t => {
  const [finding] = findIn([sound({ windowMs: 15 })])
  t.like(finding, { code: 'WINDOW_SHORT', severity: 'warning' })
  t.regex(
    finding?.message ?? '',
    /: the window is only about 3\.\d response times long\.$|: the window is only about 4 response times long\.$/
  )
})

test('validityFindings() refuses a schedule lag above 1 ms and a tenth of the response time', t => {
  t.deepEqual(findIn([openRound({ lagNs: 900_000 })]), [])
  const [finding] = findIn([openRound(), openRound({ round: 1, lagNs: 2_000_000 })])
  t.like(finding, { code: 'SCHEDULE_LAG', severity: 'invalid', round: 1, threshold: 1e6, unit: 'ns' })
  t.regex(finding?.message ?? '', /: requests were sent up to 2\.00 ms late \(p90 of the schedule lag\)\.$/)
  t.deepEqual(findIn([openRound({ lagNs: 2_000_000, serviceNs: 19_000_000 })]), [])
})

test('validityFindings() refuses a rate below 99 % of the offered one', t => {
  t.deepEqual(findIn([openRound({ offered: 202, unsent: 2 })]), [])
  const [finding] = findIn([openRound({ offered: 210, unsent: 10 })])
  t.like(finding, { code: 'RATE_NOT_REACHED', severity: 'invalid', figure: 200 / 210, threshold: 0.99 })
  t.regex(finding?.message ?? '', /: 95\.23 % of the offered requests were answered; 10 were never sent\.$/)
  // 200/s × 1 ms: one is on its way at any time, and one more is not answered.
  t.deepEqual(findIn([openRound({ offered: 203, counts: { unfinished: 1 } })]), [])
  t.deepEqual(
    findIn([openRound({ offered: 210, counts: { unfinished: 10 } })]).map(({ code, figure }) => [code, figure]),
    [['RATE_NOT_REACHED', 201 / 210]]
  )
})

/** A closed loop with so many responses in each second that explain its 8 connections. */
function drifting (perSec: readonly number[], spec: RoundSpec = {}): RoundResult {
  return makeSecondsRound(perSec.map(count => new Array(count).fill(8e9 / count)), spec)
}

test('validityFindings() refuses a rate that goes one way from the first third to the last', t => {
  const down = [130, 128, 126, 120, 115, 110, 101, 100, 99]
  const [finding] = findIn([drifting(down)])
  t.like(finding, { code: 'DRIFT', severity: 'invalid', round: 0, figure: 100 / 128 - 1 })
  t.regex(finding?.message ?? '', /: the rate fell by 21\.9 % from the first third of a round to its last\.$/)
  t.deepEqual(findIn([drifting([...down].reverse())]).map(short), ['DRIFT invalid 0'])
  t.deepEqual(findIn([drifting([110, 108, 106, 105, 104, 103, 101, 100, 99])]), [], 'a tenth')
  t.deepEqual(findIn([drifting([130, 128, 99, 120, 115, 110, 101, 100, 99])]), [], 'thirds that overlap')
  t.deepEqual(findIn([drifting(down.slice(1))]), [], 'eight seconds')
  t.deepEqual(
    findIn([
      drifting(down),
      ...[1, 2].map((round) => drifting([100, 101, 102, 100, 101, 102, 100, 101, 102], { round }))
    ]),
    [],
    'one round of three'
  )
})

test('validityFindings() refuses a response time that grows in an open loop, whose rate cannot', t => {
  const growing = makeOpenRound(
    Array.from({ length: 9 }, (_, second) => new Array(100).fill({ serviceNs: 1_000_000 * (1 + second), lagNs: 0 }))
  )
  const [finding] = findIn([growing])
  t.like(finding, { code: 'DRIFT', severity: 'invalid' })
  t.regex(finding?.message ?? '', /: the response time rose by 300 % from/)
})

test('summarizeRun() puts what makes a run invalid before the warnings', t => {
  const { findings } = summarizeRun(
    makeResult([
      makeCell('baseline', { rounds: rounds([{ busy: 1 }]) }),
      makeCell('shm', {
        rounds: [
          sound({
            counts: { mismatch: 1 },
            tunnel: { host: makeCounters({ doorbellsMissed: 1 }), plugin: makeCounters() }
          })
        ]
      })
    ])
  )
  t.deepEqual(
    findings.map(({ code, severity }) => `${code} ${severity}`),
    [
      'REQUEST_ERRORS invalid',
      'GENERATOR_SATURATED warning',
      'ONE_ROUND warning',
      'FEW_CPUS warning',
      'DOORBELLS_MISSED warning'
    ]
  )
})

test('the committed samples and a realistic run are valid but for what failed in them', t => {
  t.deepEqual(
    validityFindings(summarizeRun(realisticResult())).map(({ code, arm, size, concurrency }) =>
      [code, arm, size, concurrency].join(' ')
    ),
    ['REQUEST_ERRORS stream small 256', 'ROUNDS_FAILED stream large 64', 'ROUNDS_FAILED shm large 256']
  )
  for (const mode of ['processes', 'threads']) {
    const text = readFileSync(new URL(`../../../bench_results/sample-${mode}/result.json`, import.meta.url), 'utf8')
    t.deepEqual(
      validityFindings(summarizeRun(readRunResult(text))).filter(
        ({ severity }) => severity === 'invalid'
      ),
      [],
      mode
    )
  }
})

test('validityFindings() warns where the CPU quota stopped the program, in closed loops and at equal load', t => {
  t.deepEqual(findIn(rounds([{ throttled: null }, { throttled: { count: 0, us: 0 } }])), [])
  const [finding, ...others] = findIn(
    rounds([{ throttled: { count: 1, us: 20_000 } }, { throttled: { count: 4, us: 300_000 } }])
  )
  t.deepEqual(others, [])
  t.like(finding, {
    code: 'CPU_THROTTLED',
    severity: 'warning',
    round: 1,
    figure: 0.3,
    unit: 'CPUs stopped, on average over the window'
  })
  t.regex(
    finding?.message ?? '',
    /: the CPU quota stopped the program 5 times, in the worst round for 30 % of the window added up over CPUs\.$/
  )
  const equalLoad = { ratePerSec: 200, rounds: [openRound({ throttled: { count: 1, us: 20_000 } })], failures: [] }
  t.like(find([makeCell('stream', { rounds: rounds([{}]), equalLoad })])[0], {
    code: 'CPU_THROTTLED',
    isEqualLoad: true
  })
})

test('BENCHMARKING.md lists every check with its threshold', t => {
  const text = readFileSync(new URL('../../../docs/BENCHMARKING.md', import.meta.url), 'utf8')
  for (const { code, threshold, unit } of CHECKS) {
    const shown = unit === 'ns' ? `${threshold / 1e6} ms` : String(threshold)
    t.true(new RegExp(`^\\| \`${code}\` \\|[^\\n]*\\b${shown.replace('.', '\\.')}\\b`, 'm').test(text), code)
  }
})
