import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { summarizeRun } from '../../src/judge/run-summary.js'
import { makeCell, makeResult, makeRounds } from '../../src/report/testing/fixture.js'
import { createResultsFolder, removeEmptyFolder } from './folders.js'
import { readResults, renderFolder, writeResults } from './results-folder.js'
import { temporaryFolder } from '../testing/temporary.js'

const STARTED_AT = new Date('2026-01-31T12:00:00.123Z')

const RESULT = makeResult([
  makeCell('baseline', { rounds: makeRounds([2000, 3000]) }),
  makeCell('stream', { rounds: makeRounds([1000, 900]) }),
  makeCell('stream#2', { rounds: [], failures: ['round 1: no'] })
])

test('createResultsFolder() names the folder by its time, and another one of the same second by a number', (t) => {
  const out = join(temporaryFolder(t), 'a', 'b')
  t.is(createResultsFolder(out, STARTED_AT), join(out, '2026-01-31T12-00-00Z'))
  t.is(createResultsFolder(out, STARTED_AT), join(out, '2026-01-31T12-00-00Z-2'))
  t.is(createResultsFolder(out, STARTED_AT), join(out, '2026-01-31T12-00-00Z-3'))
})

for (const parent of ['/proc/nowhere', '/dev/null', '/dev/null/below']) {
  test(`createResultsFolder() refuses ${parent}`, (t) => {
    const error = t.throws(() => createResultsFolder(parent, STARTED_AT), { instanceOf: TunnelError })
    t.is(error.code, ErrorCode.USAGE)
    t.true(error.message.startsWith(`Cannot write results to --out=${parent}: E`))
    t.true(error.message.endsWith(': name a folder that can be written'))
  })
}

test('removeEmptyFolder() leaves a folder with something in it alone', (t) => {
  const folder = createResultsFolder(temporaryFolder(t), STARTED_AT)
  writeFileSync(join(folder, 'notes'), '')
  removeEmptyFolder(folder)
  t.true(existsSync(join(folder, 'notes')))
  const empty = createResultsFolder(temporaryFolder(t), STARTED_AT)
  removeEmptyFolder(empty)
  removeEmptyFolder(empty)
  t.false(existsSync(empty))
})

test('writeResults() writes every file, and an oha file for each cell that was measured', (t) => {
  const folder = temporaryFolder(t)
  writeResults(folder, RESULT)
  t.deepEqual(readdirSync(folder).sort(), [
    'SUMMARY.md',
    'metadata.json',
    'result.json',
    'small-c8-baseline.json',
    'small-c8-stream.json'
  ])
  t.deepEqual(JSON.parse(readFileSync(join(folder, 'metadata.json'), 'utf8')), RESULT.metadata)
  const { findings, ...written } = readResults(folder)
  t.deepEqual(written, RESULT)
  t.deepEqual(findings, summarizeRun(RESULT).findings)
})

test('writeResults() leaves the oha files of cells that have not changed alone', (t) => {
  const folder = temporaryFolder(t)
  writeResults(folder, RESULT, RESULT.cells.slice(1))
  t.deepEqual(readdirSync(folder).sort(), ['SUMMARY.md', 'metadata.json', 'result.json', 'small-c8-stream.json'])
  t.deepEqual(readResults(folder).cells, RESULT.cells)
})

test('writeResults() gives arms whose names differ little a file each', (t) => {
  const folder = temporaryFolder(t)
  const arms = ['baseline', 'baseline#2', 'baseline-2', 'Baseline']
  writeResults(
    folder,
    makeResult(arms.map((arm, index) => makeCell(arm, { rounds: makeRounds([1000 * (index + 1)]) })))
  )
  const names = readdirSync(folder).filter((name) => name.startsWith('small-c8-'))
  const rates = names.map(
    (name) =>
      (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { summary: { requestsPerSec: number } }).summary
        .requestsPerSec
  )
  t.deepEqual(rates.sort(), [1000, 2000, 3000, 4000])
  t.is(new Set(names.map((name) => name.toLowerCase())).size, arms.length)
})

test('writeResults() replaces a file as a whole: who has the old one open keeps it', (t) => {
  const folder = temporaryFolder(t)
  writeResults(folder, RESULT)
  const before = readFileSync(join(folder, 'result.json'), 'utf8')
  // A file that is written in place could not be written now, for anybody but root; a replaced one can.
  chmodSync(join(folder, 'result.json'), 0o444)
  writeResults(folder, { ...RESULT, finishedAt: null })
  t.not(readFileSync(join(folder, 'result.json'), 'utf8'), before)
  t.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.part')), [])
})

test('writeResults() says which file cannot be written, and keeps the complete one', (t) => {
  const folder = temporaryFolder(t)
  writeResults(folder, RESULT)
  mkdirSync(join(folder, 'result.json.part'))
  const error = t.throws(() => { writeResults(folder, { ...RESULT, finishedAt: null }) }, { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.RESULT_INVALID)
  t.regex(error.message, /^Cannot write \S+result\.json: EISDIR.*: make room, or make the folder writable$/)
  t.deepEqual(readResults(folder).cells, RESULT.cells)
})

test('renderFolder() makes the same SUMMARY.md and oha files from result.json alone', (t) => {
  const folder = temporaryFolder(t)
  writeResults(folder, RESULT)
  const other = temporaryFolder(t)
  renderFolder(other, summarizeRun(readResults(folder)))
  t.deepEqual(readdirSync(other).sort(), ['SUMMARY.md', 'small-c8-baseline.json', 'small-c8-stream.json'])
  for (const name of readdirSync(other)) {
    t.is(readFileSync(join(other, name), 'utf8'), readFileSync(join(folder, name), 'utf8'))
  }
})

test('readResults() says what a folder has to be', (t) => {
  const folder = temporaryFolder(t)
  const error = t.throws(() => readResults(folder), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.RESULT_INVALID)
  t.regex(error.message, /^Cannot read \S+result\.json: ENOENT.*: name a folder that a run has written$/)
})
