import test from 'ava'
import { renderOha } from '../oha.js'
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
  t.deepEqual(names('hgrm'), ['small-c8-baseline-service.hgrm', 'small-c8-stream-response.hgrm', 'small-c8-stream-service.hgrm', 'small-c8-stream-lag.hgrm'])
  t.deepEqual(names('hlog'), ['latency.hlog'])
  t.deepEqual(names('csv'), ['rounds.csv', 'seconds.csv', 'histograms.csv'])
  t.deepEqual(names('oha'), ['small-c8-baseline.json', 'small-c8-stream.json'])
  t.is(exportFiles(RESULT, 'oha').get('small-c8-stream.json'), renderOha(RESULT.cells[1]!))
})
