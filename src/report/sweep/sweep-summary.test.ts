import test from 'ava'
import { ErrorCode } from '../../base/errors.js'
import { readSweepResult } from '../../result/read-result.js'
import { sweepFindings } from '../../judge/sweep-findings.js'
import { renderSweep, renderSweepConsole } from './sweep-summary.js'
import { makeArm, makePoint, makeSweep } from '../testing/sweep-fixture.js'

const clean = makeSweep([makeArm('baseline', { points: [makePoint(500)] })])
const bad = makeSweep([
  makeArm('baseline', { points: [makePoint(500), makePoint(900)] }),
  makeArm('stream', {
    points: [makePoint(500, { ok: 150 }), makePoint(900)],
    knee: { kind: 'below', lowestPerSec: 10, votes: { met: 1, broken: 4 } }
  }),
  makeArm('shm', { points: [makePoint(500, { ok: 150 }), makePoint(900)] })
])

test('renderSweep() says before any table whether the figures are valid, and how many probes agree', t => {
  t.regex(
    renderSweep(clean),
    /\n## Validity\n\nNothing was found that makes these figures invalid\. One warning stands at the end\.\n\n## Knees\n[^]*\| baseline +\| +1,000 +\| [^]*\| +4 of 4 \| +4 of 4 \|\n/
  )
  t.regex(renderSweep(clean), /\n### Warnings\n\n[^]*p99 is withheld/)
})

test('renderSweep() marks what is invalid, knee or rate, and names code and cure', t => {
  const text = renderSweep(bad)
  t.regex(
    text,
    /\*\*These figures are invalid\*\*, and `tunnel-bench sweep` refused them\. Their knees and rates say "invalid" in the tables\./
  )
  t.regex(text, /`KNEE_NOT_FOUND` stream: .* Allow more with --p99-bound/)
  t.regex(text, /`RATE_NOT_REACHED` shm at 500\/s: /)
  t.regex(text, /\| stream +\| +below 10\.0, invalid \|.*\| +n\/a \| +4 of 5 \|/)
  t.regex(text, /\| +500 \| shm +\| +150, invalid \|/)
  t.regex(text, /\| +500 \| stream +\| +150 \|/, 'beyond its knee')
  t.regex(text, /\| +900 \| shm +\| +200 \|/)
})

test('renderSweepConsole() has the findings, too', t => {
  t.regex(
    renderSweepConsole(bad),
    /\nInvalid\n\n {2}KNEE_NOT_FOUND stream: [^]*\n {2}RATE_NOT_REACHED shm at 500\/s: [^]*\nWarnings\n\n {2}PERCENTILE_WITHHELD /
  )
})

test('readSweepResult() gives back findings and votes, and refuses others', t => {
  const result = { ...bad, findings: sweepFindings(bad) }
  t.deepEqual(readSweepResult(JSON.stringify(result)), result)
  const refuses = (value: unknown, message: RegExp): void => {
    t.throws(() => readSweepResult(JSON.stringify(value)), { code: ErrorCode.RESULT_INVALID, message })
  }
  refuses(
    { ...result, findings: [{ ...result.findings[0], severity: 'bad' }] },
    /\/findings\/0\/severity must be one of "invalid", "warning"/
  )
  refuses({ ...result, findings: [{ ...result.findings[0], ratePerSec: 0 }] }, /\/findings\/0\/ratePerSec must be > 0/)
  refuses(
    {
      ...result,
      arms: [{ ...result.arms[0], knee: { kind: 'below', lowestPerSec: 10, votes: { met: -1, broken: 0 } } }]
    },
    /\/arms\/0\/knee/
  )
})

test('renderSweep() renders a result of an earlier version, whose knees have no votes', t => {
  t.regex(
    renderSweep(
      makeSweep([makeArm('baseline', { knee: { kind: 'found', ratePerSec: 1_000, brokenAtPerSec: 1_020 } })])
    ),
    /\| baseline +\| +1,000 \|.*\| +n\/a \| +n\/a \|/
  )
})
