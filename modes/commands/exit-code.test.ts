import test from 'ava'
import { ErrorCode, exitCodeOf, TunnelError } from '../../src/base/errors.js'
import type { CellResult } from '../../src/result/run-result.js'
import { summarizeRun } from '../../src/judge/run-summary.js'
import { makeCell, makeResult, makeRound } from '../../src/report/testing/fixture.js'
import { sweepFindings } from '../../src/judge/sweep-findings.js'
import type { SweepArm } from '../../src/result/sweep-result.js'
import { makeArm, makePoint, makeSweep } from '../../src/report/testing/sweep-fixture.js'
import { exitCodeOfRun, exitCodeOfSweep } from './exit-code.js'

const sound = makeCell('baseline', { rounds: [makeRound({ latencyNs: 4_000_000 })] })
const wrong = makeCell('stream', {
  rounds: [
    makeRound({ latencyNs: 4_000_000, busy: 1 }),
    makeRound({ round: 1, latencyNs: 4_000_000, busy: 1, counts: { reset: 1 } })
  ]
})
const failed = makeCell('shm', { rounds: [], failures: ['round 1: died'] })

const outcome = (cells: readonly CellResult[], allowInvalid: boolean): number =>
  exitCodeOfRun(summarizeRun(makeResult(cells)), { folder: 'there', allowInvalid })

test('exitCodeOfRun() is 0 for a run with no more than warnings', (t) => {
  t.is(outcome([sound], false), 0)
})

test('exitCodeOfRun() refuses an invalid measurement with its codes and exit code 3, unless it is allowed', (t) => {
  const error = t.throws(() => outcome([sound, wrong], false), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.MEASUREMENT_INVALID)
  t.is(
    error.message,
    'The measurement is invalid (REQUEST_ERRORS, GENERATOR_SATURATED): there/SUMMARY.md says what to do; ' +
    '--allow-invalid takes it as it is'
  )
  t.is(exitCodeOf(error), 3)
  t.is(outcome([sound, wrong], true), 0)
})

test('exitCodeOfRun() is 1 where a role failed, whatever is allowed', (t) => {
  t.is(outcome([sound, failed], false), 1)
  t.is(outcome([sound, wrong, failed], true), 1)
})

test('exitCodeOfSweep() is as that of a run', (t) => {
  const outcomeOf = (arm: SweepArm, allowInvalid: boolean): number => {
    const sweep = makeSweep([arm])
    return exitCodeOfSweep(sweep, sweepFindings(sweep), { folder: 'there', allowInvalid })
  }
  const unborne = makeArm('baseline', { points: [makePoint(500, { ok: 100 })] })
  t.is(outcomeOf(makeArm('baseline', { points: [makePoint(500), makePoint(1_100, { ok: 100 })] }), false), 0)
  t.is(
    exitCodeOf(
      t.throws(() => outcomeOf(unborne, false), {
        code: ErrorCode.MEASUREMENT_INVALID,
        message: /\(RATE_NOT_REACHED\): there\/SUMMARY/
      })
    ),
    3
  )
  t.is(outcomeOf(unborne, true), 0)
  t.is(outcomeOf(makeArm('baseline', { failures: ['probe of 5/s: lost'] }), true), 1)
  t.is(outcomeOf(makeArm('baseline', { points: [{ ...makePoint(500), failures: ['round 3: lost'] }] }), true), 1)
})
