import test from 'ava'
import { renderOha } from './oha.js'
import type { RunResult } from '../../result/run-result.js'
import { makeCell, makeResult } from '../testing/fixture.js'
import { makeOpenRound, makeSecondsRound } from '../testing/open-loop.js'
import { exportFiles } from './export.js'

const RESULT = makeResult([
  makeCell('baseline', { rounds: [makeSecondsRound([[1_000]])] }),
  makeCell('stream', { rounds: [makeOpenRound([[{ serviceNs: 1, lagNs: 1 }]])] }),
  makeCell('shm', { rounds: [], failures: ['no'] })
])

test('exportFiles() names a file per cell and series, and none for what was not measured', t => {
  const names = (format: Parameters<typeof exportFiles>[1]): string[] => [...exportFiles(RESULT, format).keys()]
  t.deepEqual(names('hgrm'), [
    'small-c8-baseline-service.hgrm',
    'small-c8-stream-response.hgrm',
    'small-c8-stream-service.hgrm',
    'small-c8-stream-lag.hgrm'
  ])
  t.deepEqual(names('hlog'), ['latency.hlog'])
  t.deepEqual(names('csv'), ['rounds.csv', 'seconds.csv', 'histograms.csv'])
  t.deepEqual(names('oha'), ['small-c8-baseline.json', 'small-c8-stream.json'])
  t.is(exportFiles(RESULT, 'oha').get('small-c8-stream.json'), renderOha(RESULT.cells[1]!))
})

/** Direct HTTP with rounds at equal load, each a second long, in a run whose closed loops warm up for half a second. */
function withEqualLoad (rounds: NonNullable<RunResult['cells'][number]['equalLoad']>['rounds']): RunResult {
  return makeResult(
    [
      makeCell('baseline', {
        rounds: [makeSecondsRound([[1_000]])],
        equalLoad: { ratePerSec: 2, rounds, failures: [] }
      })
    ],
    { equalLoad: 0.5, warmupMs: 500 }
  )
}

const AT_EQUAL_LOAD = withEqualLoad([
  makeOpenRound([[{ serviceNs: 1_200, lagNs: 600 }]], { round: 0, startedAt: '2026-01-02T03:05:00.000Z' })
])

test('exportFiles() gives the rounds at equal load files and rows of their own', t => {
  const names = (format: Parameters<typeof exportFiles>[1]): string[] => [...exportFiles(AT_EQUAL_LOAD, format).keys()]
  t.deepEqual(
    names('hgrm'),
    ['service.hgrm', 'equal-load-response.hgrm', 'equal-load-service.hgrm', 'equal-load-lag.hgrm'].map(
      (name) => `small-c8-baseline-${name}`
    )
  )
  t.deepEqual(names('oha'), ['small-c8-baseline.json', 'small-c8-baseline-equal-load.json'])
  const oha = (name: string): { latencyPercentiles: Record<string, number> } =>
    JSON.parse(exportFiles(AT_EQUAL_LOAD, 'oha').get(name)!) as { latencyPercentiles: Record<string, number> }
  t.is(oha('small-c8-baseline-equal-load.json').latencyPercentiles.p50, 0.0000018, 'from the intended start')
  t.is(oha('small-c8-baseline.json').latencyPercentiles.p50, 0.000001)
  const rows = exportFiles(AT_EQUAL_LOAD, 'csv').get('rounds.csv')!.trimEnd().split('\n').slice(1)
  t.deepEqual(
    rows.map((row) => row.split(',').slice(0, 6).join()),
    ['baseline,baseline,baseline,small,8,0', 'baseline-equal-load,baseline,baseline,small,8,0']
  )
})

test('exportFiles() tags the rounds at equal load in the log, each from the start of its window', t => {
  const lines = exportFiles(AT_EQUAL_LOAD, 'hlog')
    .get('latency.hlog')!
    .split('\n')
    .filter((line) => line.startsWith('Tag='))
  // Rounds at equal load warm up for 100 ms and no longer, since the roles are warm already.
  t.deepEqual(lines.map(line => line.split(',').slice(0, 3).join()), [
    'Tag=small/c8/baseline,0.500,1.000', 'Tag=small/c8/baseline-equal-load,55.100,1.000',
    'Tag=small/c8/baseline-equal-load/service,55.100,1.000', 'Tag=small/c8/baseline-equal-load/lag,55.100,1.000'
  ])
})

test('exportFiles() names no file for a cell whose rounds at equal load all failed', t => {
  t.deepEqual([...exportFiles(withEqualLoad([]), 'hgrm').keys()], ['small-c8-baseline-service.hgrm'])
})

test('exportFiles() keeps the rounds at equal load apart from an arm that is called as they are', t => {
  const [cell] = AT_EQUAL_LOAD.cells
  const result = {
    ...AT_EQUAL_LOAD,
    cells: [cell!, makeCell('baseline-equal-load', { rounds: [makeSecondsRound([[7_000]])] })]
  }
  const oha = exportFiles(result, 'oha')
  t.deepEqual([...oha.keys()].sort(), [
    'small-c8-baseline-equal-load.2.json',
    'small-c8-baseline-equal-load.json',
    'small-c8-baseline.json'
  ])
  t.is(oha.get('small-c8-baseline-equal-load.json'), renderOha(result.cells[1]!))
  const arms = exportFiles(result, 'csv')
    .get('rounds.csv')!
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((row) => row.split(',')[0])
  t.deepEqual(arms, ['baseline', 'baseline-equal-load.2', 'baseline-equal-load'])
})
