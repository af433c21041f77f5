import test from 'ava'
import { ErrorCode, exitCodeOf, TunnelError } from '../src/base/errors.js'
import type { CellResult } from '../src/report/result.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { makeCell, makeResult, makeRound } from '../src/report/testing/fixture.js'
import { exitCodeOfRun } from './run-outcome.js'

const sound = makeCell('baseline', { rounds: [makeRound({ latencyNs: 4_000_000 })] })
const wrong = makeCell('stream', { rounds: [makeRound({ latencyNs: 4_000_000, busy: 1 }), makeRound({ round: 1, latencyNs: 4_000_000, busy: 1, counts: { reset: 1 } })] })
const failed = makeCell('shm', { rounds: [], failures: ['round 1: died'] })

const outcome = (cells: readonly CellResult[], allowInvalid: boolean): number => exitCodeOfRun(summarizeRun(makeResult(cells)), { folder: 'there', allowInvalid })

test('exitCodeOfRun() is 0 for a run with no more than warnings', (t) => {
  t.is(outcome([sound], false), 0)
})

test('exitCodeOfRun() refuses an invalid measurement with its codes and exit code 3, unless it is allowed', (t) => {
  const error = t.throws(() => outcome([sound, wrong], false), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.MEASUREMENT_INVALID)
  t.is(error.message, 'The measurement is invalid (REQUEST_ERRORS, GENERATOR_SATURATED): there/SUMMARY.md says what to do; --allow-invalid takes it as it is')
  t.is(exitCodeOf(error), 3)
  t.is(outcome([sound, wrong], true), 0)
})

test('exitCodeOfRun() is 1 where a role failed, whatever is allowed', (t) => {
  t.is(outcome([sound, failed], false), 1)
  t.is(outcome([sound, wrong, failed], true), 1)
})
