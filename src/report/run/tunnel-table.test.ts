import test from 'ava'
import type { CellResult } from '../../result/run-result.js'
import { summarizeRun } from '../../judge/run-summary.js'
import { makeCell, makeCounters, makeResult, makeRound, realisticResult } from '../testing/fixture.js'
import { tunnelTableOf } from './tunnel-table.js'

const TUNNEL = {
  host: makeCounters({
    copiedBytesSent: 80_000,
    payloadBytesSent: 80_000,
    zeroCopyBytesReceived: 262_344_000,
    payloadBytesReceived: 262_344_000,
    doorbellsSent: 125,
    doorbellsSaved: 4_000,
    doorbellsMissed: 1,
    exhausted: 9,
    creditStalls: 1_234
  }),
  plugin: makeCounters({
    copiedBytesReceived: 80_000,
    payloadBytesReceived: 80_000,
    zeroCopyBytesSent: 262_344_000,
    payloadBytesSent: 262_344_000,
    doorbellsSent: 250,
    parkedReads: 7,
    spinUs: 2_500
  })
}

const tunnelCell = (arm: string, allResponses = 1_000): CellResult =>
  makeCell(arm, { size: 'large', rounds: [makeRound({ allResponses, tunnel: TUNNEL })] })

function rowsOf (...cells: CellResult[]): ReadonlyArray<readonly string[]> {
  return tunnelTableOf(summarizeRun(makeResult(cells)), 'large')!.rows
}

test('tunnelTableOf() has the doorbells of every path through shared memory', t => {
  const [shm, embedded, stream] = ['shm', 'shm-embedded', 'stream'].map((arm) => rowsOf(tunnelCell(arm))[0]!.slice(1))
  t.deepEqual(embedded, shm)
  t.notDeepEqual(stream, shm)
})

test('tunnelTableOf() has a row for each direction, with doorbells per 1,000 requests', t => {
  t.deepEqual(
    tunnelTableOf(summarizeRun(makeResult([tunnelCell('shm')])), 'large')!.columns.map(({ title }) => title),
    [
      'Transport',
      'Concurrency',
      'Direction',
      'tunnel_zero_copy_bytes',
      'tunnel_copied_bytes',
      'Zero copy',
      'Doorbells sent',
      'Doorbells saved',
      'Doorbells missed',
      'Claims refused',
      'Parked reads',
      'Credit stalls',
      'Spinning (µs)'
    ]
  )
  t.deepEqual(rowsOf(makeCell('baseline', { size: 'large' }), tunnelCell('shm')), [
    ['shm', '8', 'response', '262,344,000', '0', '100 %', '250', '0', '1', '0', '7', '0', '2.5'],
    ['shm', '8', 'request', '0', '80,000', '0 %', '125', '4,000', '0', '9', '0', '1,234', '0.0']
  ])
})

test('tunnelTableOf() shows no doorbells of a stream, and no rate without a response', t => {
  t.deepEqual(rowsOf(tunnelCell('stream')).map(row => row.slice(6, 9)), [['n/a', 'n/a', 'n/a'], ['n/a', 'n/a', 'n/a']])
  t.deepEqual(rowsOf(tunnelCell('shm', 0))[0]!.slice(6, 9), ['—', '—', '1'])
})

test('tunnelTableOf() is null where no tunnel was sampled', t => {
  t.is(tunnelTableOf(summarizeRun(makeResult([makeCell('baseline'), makeCell('stream')])), 'small'), null)
  t.is(tunnelTableOf(summarizeRun(realisticResult()), 'medium'), null)
})

test('tunnelTableOf() skips a cell that failed', t => {
  const rows = tunnelTableOf(summarizeRun(realisticResult()), 'large')!.rows
  t.deepEqual(
    rows.filter(([arm]) => arm === 'shm').map(([, concurrency]) => concurrency),
    ['1', '1', '8', '8', '64', '64']
  )
})
